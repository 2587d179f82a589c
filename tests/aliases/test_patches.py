"""Aliases as commits: a real checkout, edited over a real shell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runbooks.aliases.patches import AliasIn, AliasOut
from runbooks.errors import CommandFailed, RegistryError, UsageError
from runbooks.model import Status
from runbooks.systems.commits import Commit, FilePatch, HeadFiles
from runbooks.systems.host import HostReader, HostTarget
from runbooks.transport import shell as shell_module
from runbooks.transport.local import LocalChannel
from runbooks.transport.shell import Shell
from tests.systems.repositories import git

PATH = "modules/mail/files/example.org"
TEXT = "# T9 (bob)\nabuse: ann@example.net\nops: bob, carol\npress: abuse, ops@Example.org\n"


@dataclass
class Checkout:
    """A checkout on a host, which is this machine; ``alice`` is the operator."""

    top: Path
    target: HostTarget

    @property
    def text(self) -> str:
        return git("show", f"HEAD:{PATH}", at=self.top)

    def commit(self, text: str) -> None:
        (self.top / PATH).write_text(text)
        git("commit", "-qam", "a colleague's", at=self.top)

    def reader(self) -> HostReader:
        return self.target.reader("r1")

    def change(self, patch: FilePatch) -> Commit:
        return Commit(str(self.top), patch, "alice")

    def files(self) -> HeadFiles:
        return HeadFiles(self.reader(), str(self.top), "HEAD")

    def done(self, patch: FilePatch) -> Commit:
        change = self.change(patch)
        before = change.check(self.reader())
        assert before.status is Status.TODO, before
        self.do(change)
        assert change.check(self.reader()).status is Status.DONE
        return change

    def do(self, change: Commit) -> None:
        with self.target.writer("r1", 1, 1) as writer:
            change.do(writer, {})


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    monkeypatch.setattr(shell_module, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(shell_module, "_LOCKED_DIR", str(tmp_path))
    top = tmp_path / "private"
    (top / PATH).parent.mkdir(parents=True)
    git("init", "-q", at=top)
    (top / PATH).write_text(TEXT)
    git("add", "-A", at=top)
    git("commit", "-qm", "start", at=top)
    target = HostTarget("h1", lambda: Shell("h1", LocalChannel(("/bin/sh",)), 20.0))
    yield Checkout(top, target)
    target.close()


def test_an_alias_is_added_in_the_operators_name_and_taken_back(checkout: Checkout) -> None:
    patch = AliasIn(PATH, "noc", ("bob", "zoe@example.net"), "T123 (alice)")
    change = checkout.change(patch)
    planned = change.check(checkout.reader())
    assert "+# T123 (alice)" in planned.preview
    checkout.done(patch)
    assert checkout.text == TEXT.replace("ops:", "# T123 (alice)\nnoc: bob, zoe@example.net\nops:")
    assert git("log", "-1", "--format=%an %s", at=checkout.top) == "alice (alice) adding alias noc@example.org\n"
    inverse = change.inverse(planned.before)
    with checkout.target.writer("r1", 1, 1) as writer:
        inverse.do(writer, {})
    assert checkout.text == TEXT


def test_targets_come_and_go(checkout: Checkout) -> None:
    checkout.done(AliasIn(PATH, "ops", ("dave", "bob"), "T1 (alice)", more=True))
    assert checkout.text == TEXT.replace("ops: bob, carol", "# T1 (alice)\nops: bob, carol, dave")
    checkout.done(AliasOut(PATH, "ops", ("bob", "carol", "nobody"), "T2 (alice)"))
    assert checkout.text == TEXT.replace("ops: bob, carol", "# T1 (alice)\n# T2 (alice)\nops: dave")


def test_an_alias_is_removed(checkout: Checkout) -> None:
    patch = AliasOut(PATH, "abuse", remark="T3 (alice)")
    assert patch.remarks(checkout.files()) == "press still leads to abuse"
    assert AliasOut(PATH, "ops").remarks(checkout.files()) == "press still leads to ops"
    checkout.done(patch)
    assert checkout.text == TEXT.replace("abuse: ann@example.net", "# abuse removed: T3 (alice)")
    again = AliasIn(PATH, "abuse", ("dave",))
    assert again.remarks(checkout.files()) == "line 2 says: abuse removed: T3 (alice)"


def test_what_is_so_already_is_done(checkout: Checkout) -> None:
    for patch in (
        AliasIn(PATH, "ops", ("carol", "bob")),
        AliasIn(PATH, "ops", ("bob",), more=True, was=("something", "else")),
        AliasOut(PATH, "noc"),
        AliasOut(PATH, "ops", ("dave",)),
    ):
        found = checkout.change(patch).check(checkout.reader())
        assert (found.status, found.note) == (Status.DONE, "")


def test_others_aliases_are_none_of_our_business(checkout: Checkout) -> None:
    patch = AliasIn(PATH, "ops", ("dave",), more=True, was=("bob", "carol"))
    change = checkout.change(patch)
    assert change.check(checkout.reader()).status is Status.TODO
    checkout.commit(TEXT.replace("abuse: ann", "abuse: zoe,\n  ann").replace("press", "info: x\npress"))
    checkout.do(change)
    assert "ops: bob, carol, dave\n" in checkout.text


MEANWHILE = {
    "other targets": ("ops: bob, carol", "ops: bob, eve", "somebody has edited ops meanwhile: it leads to bob, eve"),
    "gone": ("ops: bob, carol\n", "", "there is no alias ops"),
}


@pytest.mark.parametrize("case", MEANWHILE)
def test_the_same_alias_edited_by_somebody_else_is_refused(checkout: Checkout, case: str) -> None:
    old, new, why = MEANWHILE[case]
    change = checkout.change(AliasIn(PATH, "ops", ("dave",), more=True, was=("bob", "carol")))
    assert change.check(checkout.reader()).status is Status.TODO
    checkout.commit(TEXT.replace(old, new))
    with pytest.raises(RegistryError, match=f"{PATH}: .*{why}"):
        checkout.do(change)
    assert change.check(checkout.reader()).status is Status.BLOCKED
    assert checkout.text == TEXT.replace(old, new)


def test_an_alias_that_somebody_else_has_edited_is_not_removed(checkout: Checkout) -> None:
    change = checkout.change(AliasOut(PATH, "ops", was=("bob", "carol")))
    assert change.check(checkout.reader()).status is Status.TODO
    checkout.commit(TEXT.replace("ops: bob, carol", "ops: bob, carol, eve"))
    with pytest.raises(RegistryError, match="meanwhile: it leads to bob, carol, eve: look again"):
        checkout.do(change)


def test_one_that_somebody_else_has_added_is_refused_if_it_leads_elsewhere(checkout: Checkout) -> None:
    change = checkout.change(AliasIn(PATH, "noc", ("bob",)))
    checkout.commit(TEXT + "noc: eve\n")
    found = change.check(checkout.reader())
    assert (found.status, found.note) == (Status.BLOCKED, f"{PATH}: line 5: noc is an alias already, for eve")
    checkout.commit(TEXT + "noc: bob\n")
    assert change.check(checkout.reader()).status is Status.DONE


def test_a_file_that_is_not_there(checkout: Checkout) -> None:
    patch = AliasIn("no/such", "noc", ("bob",))
    with pytest.raises(CommandFailed, match="no/such"):
        patch.edit(checkout.files())
    assert checkout.change(patch).check(checkout.reader()).status is Status.BLOCKED


def test_titles() -> None:
    assert AliasIn(PATH, "noc", ("bob", "x"), more=True).title == "adding bob, x to alias noc@example.org"
    assert AliasOut(PATH, "noc").title == "removing alias noc@example.org"
    assert AliasOut(PATH, "noc", ("bob",)).title == "removing bob from alias noc@example.org"


@pytest.mark.parametrize(("name", "target", "remark"), [("-x", "a", ""), ("x", "|a", ""), ("x", "a", "a\nb")])
def test_what_is_no_alias_is_refused_before_anything_is_read(name: str, target: str, remark: str) -> None:
    with pytest.raises(UsageError):
        AliasIn(PATH, name, (target,), remark)
