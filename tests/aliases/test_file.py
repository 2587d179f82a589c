"""Alias files: what is read, and edits in every style."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from runbooks.aliases.file import AliasFile
from runbooks.aliases.targets import Kind
from runbooks.errors import RegistryError, UsageError
from runbooks.registry.textdiff import changes, lines
from tests.aliases.exim import Exim
from tests.aliases.made_up import ADDRESSES, NAMES, plain, wild

CHECKED = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
NEW = ("aaa", "info", "press-2", "zzz")
REMARKS = st.sampled_from(("", "T123 (alice)"))


def parsed(text: str) -> AliasFile:
    return AliasFile.parse(text.encode())


def meaning(file: AliasFile) -> dict[str, list[str]]:
    return {entry.name: [target.address for target in entry.targets] for entry in file.entries}


def diff(before: bytes, after: bytes) -> tuple[list[str], list[str]]:
    """The lines that went, and those that came."""
    old, new = (lines(data.decode()) for data in (before, after))
    found = list(changes(old, new))
    return [line for start, end, _ in found for line in old[start:end]], [line for *_, come in found for line in come]


def newline(data: bytes) -> str:
    return "\r\n" if b"\r\n" in data else "\n"


def ended(data: bytes, like: bytes = b"") -> bytes:
    return data + newline(like or data).encode() if data and not data.endswith(b"\n") else data


def pick(file: AliasFile, number: int, least: int = 1) -> str:
    found = [entry.name for entry in file.entries if len(entry.targets) >= least]
    assume(found)
    return found[number % len(found)]


def test_an_entry_says_all_of_itself() -> None:
    file = parsed(
        "# head\n\n# T1 (bob)\n# why\nOps : ann@example.org,\n  Bob <bob@example.org>, |/bin/x,\n  :fail: no, no\n"
    )
    entry = file.entry("OPS")
    assert entry
    assert (entry.key, entry.name, entry.line, entry.colon) == ("Ops", "ops", 5, True)
    assert entry.comments == ("# T1 (bob)", "# why")
    assert [(one.kind, one.text, one.address, entry.line_of(one)) for one in entry.targets] == [
        (Kind.ADDRESS, "ann@example.org", "ann@example.org", 5),
        (Kind.ADDRESS, "Bob <bob@example.org>", "bob@example.org", 6),
        (Kind.PIPE, "|/bin/x", "", 6),
        (Kind.FAIL, ":fail: no, no", "", 7),
    ]
    starts = [file.data[slice(*entry.span(one))] for one in entry.targets]
    assert starts == [b"ann@example.org", b"Bob <bob@example.org>", b"|/bin/x", b":fail: no, no"]


def test_what_exim_does_not_read_is_known() -> None:
    file = parsed("  lost\nops: ann,\n# T1\n  bob\n\n  carol\nnoc: dave\n")
    assert file.lost == (1,)
    assert [entry.lost for entry in file.entries] == [(4, 6), ()]
    for edit in (
        lambda: file.removed("ops"),
        lambda: file.with_targets("ops", ["eve"]),
        lambda: file.without_targets("ops", ["ann"]),
    ):
        with pytest.raises(RegistryError, match="line 4: exim does not read"):
            edit()
    assert file.added("pan", ["eve"]).endswith(b"noc: dave\npan: eve\n")


def test_a_nul_is_refused() -> None:
    with pytest.raises(RegistryError, match="line 2: a NUL"):
        AliasFile.parse(b"a: b\nc: \0d\n")


SECTIONS = "".join(f"{name}: d\n" for name in ("a", "b", "c", "x", "y", "z", "aa", "bb", "cc", "xx", "yy", "zz"))
SECTIONED = (
    "# RFC 2142\n"
    + "".join(f"{name}: x\n" for name in ("abuse", "hostmaster", "info", "postmaster", "root", "security"))
    + "\n# Money\ndonate: y\nlegal: y\n"
)
ADDED = {
    "in order": ("abuse: x\nzoe: y\n", "abuse: x\n# T1\nnoc: a@b.org, c\nzoe: y\n"),
    "in order, first": ("\nops: x\nzoe: y\n", "\n# T1\nnoc: a@b.org, c\nops: x\nzoe: y\n"),
    "the next one's comments stay its own": (
        "abuse: x\n# T9\nzoe: y\n",
        "abuse: x\n# T1\nnoc: a@b.org, c\n# T9\nzoe: y\n",
    ),
    "a comment on top may be the file's": ("# T9\nops: x\nzoe: y\n", "# T9\nops: x\nzoe: y\n# T1\nnoc: a@b.org, c\n"),
    "above the first one's comments": (
        "# all\n\n# T9\nops: x\nzoe: y\n",
        "# all\n\n# T1\nnoc: a@b.org, c\n# T9\nops: x\nzoe: y\n",
    ),
    "not sorted": ("zoe: y\nabuse: x\nops: y\n", "zoe: y\nabuse: x\nops: y\n# T1\nnoc: a@b.org, c\n"),
    "sections, in one of which it would be in order": (
        SECTIONED,
        f"{SECTIONED}# T1\nnoc: a@b.org, c\n",
    ),
    "sorted, with headings": (
        "# a\nabuse: x\n\n# l\nlegal: x\n\n# z\nzoe: y\n",
        "# a\nabuse: x\n\n# l\nlegal: x\n# T1\nnoc: a@b.org, c\n\n# z\nzoe: y\n",
    ),
    "many out of order": (
        "b: x\na: x\nd: x\nc: x\nm: x\nn: x\no: x\np: x\nq: x\n",
        "b: x\na: x\nd: x\nc: x\nm: x\nn: x\no: x\np: x\nq: x\n# T1\nnoc: a@b.org, c\n",
    ),
    "two sorted sections": (SECTIONS, f"{SECTIONS}# T1\nnoc: a@b.org, c\n"),
    "empty": ("", "# T1\nnoc: a@b.org, c\n"),
    "comments alone": ("# none yet\n", "# none yet\n# T1\nnoc: a@b.org, c\n"),
    "no line end": ("abuse: x", "abuse: x\n# T1\nnoc: a@b.org, c\n"),
    "carriage returns": ("abuse: x\r\n", "abuse: x\r\n# T1\r\nnoc: a@b.org, c\r\n"),
    "blank lines and a comment at the end": ("abuse: x\n\n# end\n", "abuse: x\n# T1\nnoc: a@b.org, c\n\n# end\n"),
    "no blank": ("abuse:x\n", "abuse:x\n# T1\nnoc:a@b.org, c\n"),
    "columns": ("abuse:        x\n", "abuse:        x\n# T1\nnoc:          a@b.org, c\n"),
    "a column that it passes": ("b:  x\n", "b:  x\n# T1\nnoc: a@b.org, c\n"),
    "tabs": ("postmaster:\tx\n", "postmaster:\tx\n# T1\nnoc:\t\ta@b.org, c\n"),
    "aligned colons": ("abuse   : x\n", "abuse   : x\n# T1\nnoc     : a@b.org, c\n"),
    "one a line": ("abuse: x,\n  y\n", "abuse: x,\n  y\n# T1\nnoc: a@b.org,\n  c\n"),
    "one a line, under the first": ("abuse: x,\n       y\n", "abuse: x,\n       y\n# T1\nnoc: a@b.org,\n     c\n"),
    "one a line, from the second on": ("abuse:\n\tx,\n\ty\n", "abuse:\n\tx,\n\ty\n# T1\nnoc:\n\ta@b.org,\n\tc\n"),
    "commas in front": ("abuse: x\n , y\n", "abuse: x\n , y\n# T1\nnoc: a@b.org\n , c\n"),
    "as the nearest with many": ("abuse: x,y\nmx:  z\n", "abuse: x,y\nmx:  z\n# T1\nnoc: a@b.org,c\n"),
    "lines that exim does not read stay with theirs": (
        "abuse: x,\n\n  y\n",
        "abuse: x,\n\n  y\n# T1\nnoc: a@b.org, c\n",
    ),
    "no colon": ("abuse x\n", "abuse x\n# T1\nnoc: a@b.org, c\n"),
}


@pytest.mark.parametrize("case", ADDED)
def test_added(case: str) -> None:
    before, after = ADDED[case]
    assert parsed(before).added("noc", ["a@b.org", "c"], "T1").decode() == after


REMOVED = {
    "alone": ("a: x\nnoc: y\nb: z\n", "a: x\nb: z\n", "a: x\n# noc removed: T1\nb: z\n"),
    "comments above stay": (
        "# T9 (bob)\nnoc: y\nb: z\n",
        "# T9 (bob)\n# noc removed\nb: z\n",
        "# T9 (bob)\n# noc removed: T1\nb: z\n",
    ),
    "many lines": ("noc: y,\n  z,\n\tq\nb: z\n", "b: z\n", "# noc removed: T1\nb: z\n"),
    "the last, no line end": ("a: x\nNOC: y", "a: x\n", "a: x\n# NOC removed: T1\n"),
    "a comment that is not its own": ("# all\n\nnoc: y\n", "# all\n\n", "# all\n\n# noc removed: T1\n"),
    "a pipe": ("noc: |/bin/x\n", "", "# noc removed: T1\n"),
}


@pytest.mark.parametrize("case", REMOVED)
def test_removed(case: str) -> None:
    before, bare, remarked = REMOVED[case]
    assert parsed(before).removed("noc").decode() == bare
    assert parsed(before).removed("noc", "T1").decode() == remarked


WITH = {
    "one": ("noc: a\n", "noc: a, new@b.org\n"),
    "as its own": ("noc: a,b\n", "noc: a,b,new@b.org\n"),
    "one a line": ("noc: a,\n  b\nx: y\n", "noc: a,\n  b,\n  new@b.org\nx: y\n"),
    "as the others": ("x: y,\n   z\nnoc: a\n", "x: y,\n   z\nnoc: a,\n     new@b.org\n"),
    "a comma at the end": ("noc: a, b,\n", "noc: a, b, new@b.org,\n"),
    "a comma at the end, one a line": ("noc: a,\n  b,\n", "noc: a,\n  b,\n  new@b.org,\n"),
    "as the others, but for a comma at the end": ("x: y,\n   z,\nnoc: a\n", "x: y,\n   z,\nnoc: a,\n     new@b.org\n"),
    "a comment of the list's": ("noc: a, # b\n", "noc: a, new@b.org, # b\n"),
    "no line end": ("noc: a", "noc: a, new@b.org"),
    "carriage returns": ("noc: a,\r\n b\r\n", "noc: a,\r\n b,\r\n new@b.org\r\n"),
    "blanks at the end": ("noc: a  \n", "noc: a, new@b.org  \n"),
    "a phrase": ('noc: "B, C" <b@c.org> (x)\n', 'noc: "B, C" <b@c.org> (x), new@b.org\n'),
    "no UTF-8": ("noc: \udcfc <b@c.org>\n", "noc: \udcfc <b@c.org>, new@b.org\n"),
}


@pytest.mark.parametrize("case", WITH)
def test_with_a_target(case: str) -> None:
    before, after = (text.encode("utf-8", "surrogateescape") for text in WITH[case])
    file = AliasFile.parse(before)
    assert file.with_targets("noc", ["new@b.org"]) == after
    assert AliasFile.parse(after).without_targets("noc", ["NEW@b.org"]) == before
    assert AliasFile.parse(file.with_targets("noc", ["new@b.org"], "T1")).entry("noc").comments[-1] == "# T1"  # type: ignore[union-attr]


WITHOUT = {
    "first": ("noc: x, a, b\n", "noc: a, b\n"),
    "middle": ("noc: a, x, b\n", "noc: a, b\n"),
    "last": ("noc: a, b, x\n", "noc: a, b\n"),
    "twice": ("noc: x, a, X, b, x\n", "noc: a, b\n"),
    "twice, one a line": ("noc: a,\n x,\n x\n", "noc: a\n"),
    "on its line": ("noc: a,\n  x,\n  b\n", "noc: a,\n  b\n"),
    "on the last line": ("noc: a,\n  b,\n  x\n", "noc: a,\n  b\n"),
    "on the last line, a comma behind": ("noc: a,\n  b,\n  x,\n", "noc: a,\n  b,\n"),
    "on the last line, no end": ("noc: a,\n  b,\n  x", "noc: a,\n  b\n"),
    "first of many lines": ("noc: x,\n  b,\n  c\n", "noc: b,\n  c\n"),
    "first below the head": ("noc:\n  x,\n  b\n", "noc:\n  b\n"),
    "first on its line": ("noc: a,\n  x, b\n", "noc: a,\n  b\n"),
    "last on its line": ("noc: a, x,\n  b\n", "noc: a,\n  b\n"),
    "commas in front": ("noc: a\n , x\n , b\n", "noc: a\n , b\n"),
    "commas in front, last": ("noc: a\n , b\n , x\n", "noc: a\n , b\n"),
    "carriage returns": ("noc: a,\r\n  x\r\n", "noc: a\r\n"),
    "a phrase": ("noc: a, X <x> (gone, since May)\n", "noc: a\n"),
    "before the list's comment": ("noc: a,\n  x # y\n", "noc: a,\n  x # y\n"),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_without_a_target(case: str) -> None:
    before, after = WITHOUT[case]
    assert parsed(before).without_targets("noc", ["x"]).decode() == after


REFUSED: dict[str, tuple[Callable[[AliasFile], bytes], str]] = {
    "there already": (lambda file: file.added("ops", ["x"]), "line 1: ops is an alias already, for ann, |/bin/x"),
    "no targets": (lambda file: file.added("new", []), "at least one target"),
    "twice": (lambda file: file.removed("noc"), "lines 3, 4: noc stands 2 times"),
    "the last target": (lambda file: file.without_targets("one", ["x"]), "would lead nowhere: remove the alias"),
    "more than :fail:": (lambda file: file.with_targets("gone", ["x"]), "leads to :fail: left"),
    "more than a broken list": (lambda file: file.with_targets("broken", ["x"]), "leads to a # T1"),
    "more than nothing": (lambda file: file.with_targets("empty", ["x"]), "leads nowhere"),
    "no such": (lambda file: file.with_targets("opss", ["x"]), r"no alias opss \(did you mean ops\?\)"),
}
FILE = "ops: ann, |/bin/x\none: x\nnoc: a\nNoc: b\ngone: :fail: left\nbroken: a # T1\nempty:\n"


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    edit, why = REFUSED[case]
    with pytest.raises(RegistryError, match=why):
        edit(parsed(FILE))


@pytest.mark.parametrize(
    "name", ["-f", "a:b", "a b", "Ops", "a@b.org", "", "|x", "a/b", '"a"', "a..b", "é", "a\n", "a" * 65]
)
def test_no_name(name: str) -> None:
    with pytest.raises(UsageError):
        parsed("").added(name, ["x"])


@pytest.mark.parametrize(
    "target",
    [
        "-f",
        "|x",
        "/x",
        ":fail:",
        '"a"@b.org',
        "a,b",
        "a b",
        "a@b",
        "a@",
        "a@-b.org",
        "A <a@b.org>",
        "",
        "a\n",
        "a..b",
        "#a",
    ],
)
def test_no_target(target: str) -> None:
    with pytest.raises(UsageError):
        parsed("").added("x", [target])
    with pytest.raises(UsageError):
        parsed("x: y\n").with_targets("x", [target])


def test_no_remark() -> None:
    with pytest.raises(UsageError):
        parsed("").added("x", ["y"], "T1\ny: z")


def test_as_it_is_already() -> None:
    file = parsed("ops: Ann, bob\n")
    assert file.added("ops", ["bob", "ann"], "T1") == file.data
    assert file.with_targets("ops", ["BOB"], "T1") == file.data
    assert file.without_targets("ops", ["carol"], "T1") == file.data
    assert file.removed("noc", "T1") == file.data


@CHECKED
@given(
    data=plain(),
    name=st.sampled_from(NEW),
    targets=st.lists(st.sampled_from(ADDRESSES), min_size=1, unique=True),
    remark=REMARKS,
)
def test_an_alias_comes_and_goes(data: bytes, name: str, targets: list[str], remark: str) -> None:
    before = AliasFile.parse(data)
    after = AliasFile.parse(before.added(name, targets, remark))
    assert meaning(after) == meaning(before) | {name: targets}
    gone, come = diff(ended(data), ended(after.data, data))
    assert not gone
    assert len(come) <= len(targets) + 1 + bool(remark)
    entry = after.entry(name)
    assert entry
    back = after.removed(name)
    if remark:
        assert entry.comments[-1] == f"# {remark}"
        assert diff(ended(data), ended(back, data))[1] == [
            f"# {line}{newline(data)}" for line in (remark, f"{name} removed")
        ]
    elif not entry.comments:
        assert ended(back) == ended(data)


@CHECKED
@given(data=plain(), which=st.integers(0), remark=REMARKS)
def test_an_alias_goes(data: bytes, which: int, remark: str) -> None:
    before = AliasFile.parse(data)
    assume(not any(entry.lost for entry in before.entries))
    name = pick(before, which)
    entry = before.entry(name)
    assert entry
    after = AliasFile.parse(before.removed(name, remark))
    assert meaning(after) == {one: found for one, found in meaning(before).items() if one != name}
    gone, come = diff(ended(data), ended(after.data, data))
    assert len(gone) == len(entry.pieces)
    assert "".join(gone).encode() == ended(data)[entry.start :][: len("".join(gone).encode())]
    assert len(come) == bool(remark or entry.comments)


@CHECKED
@given(data=plain(), which=st.integers(0), remark=REMARKS)
def test_a_target_comes_and_goes(data: bytes, which: int, remark: str) -> None:
    before = AliasFile.parse(data)
    assume(not any(entry.lost for entry in before.entries))
    name = pick(before, which)
    after = AliasFile.parse(before.with_targets(name, ["new@example.org"], remark))
    old = meaning(before)
    assert meaning(after) == old | {name: [*old[name], "new@example.org"]}
    gone, come = diff(data, after.data)
    assert len(gone) == 1
    assert len(come) <= 2 + bool(remark)
    back = after.without_targets(name, ["new@example.org"])
    assert ended(back.replace(f"# {remark}{newline(data)}".encode(), b"") if remark else back) == ended(data)


@CHECKED
@given(data=plain(), which=st.integers(0), one=st.integers(0))
def test_a_target_goes(data: bytes, which: int, one: int) -> None:
    before = AliasFile.parse(data)
    assume(not any(entry.lost for entry in before.entries))
    name = pick(before, which, 2)
    old = meaning(before)
    target = old[name][one % len(old[name])]
    after = AliasFile.parse(before.without_targets(name, [target]))
    assert meaning(after) == old | {name: [found for found in old[name] if found != target]}
    gone, come = diff(ended(data), ended(after.data, data))
    assert len(gone) <= 2
    assert len(come) <= 1


@pytest.fixture
def exim(tmp_path: Path) -> Exim:
    return Exim(tmp_path)


@settings(CHECKED, max_examples=100)
@given(data=wild(), name=st.sampled_from((*NAMES, *NEW)), how=st.integers(0, 3), remark=REMARKS)
def test_exim_finds_the_others_as_they_were(exim: Exim, data: bytes, name: str, how: int, remark: str) -> None:
    """In files where everything may stand: refused, or exactly that alias differs."""
    before = AliasFile.parse(data)
    entry = before.entry(name)
    old = entry.targets[0].text if entry and entry.targets else "none"
    edits = (
        lambda: before.added(name, ["new@example.org"], remark),
        lambda: before.removed(name, remark),
        lambda: before.with_targets(name, ["new@example.org"], remark),
        lambda: before.without_targets(name, [old], remark),
    )
    try:
        after = edits[how]()
    except RegistryError:
        return
    others = [key.encode("utf-8", "surrogateescape") for key in before.names if key and key != name]
    found, now = ([(value or b"").strip() for value in exim.values(text, others)] for text in (data, after))
    assert now == found
    value = exim.values(after, [name.encode()])[0]
    if after != data:
        assert {
            0: (value or b"").strip() == b"new@example.org",
            1: value is None,
            2: b"new@example.org" in (value or b""),
            3: old.encode("utf-8", "surrogateescape") not in (value or b"").split(b","),
        }[how]


LONG = {
    "aliases": "# T{n}\nteam-{n:05}: ann{n}@example.org,\n    bob{n}@example.com\n",
    "lines of one": "  ann{n}@example.org,\n",
    "targets on a line": "ann{n}@example.org,",
    "comments": "# T{n}\n",
    "lines that exim does not read": "\n  ann\n",
    "one name again and again": "ops: ann\n",
}


def spent(line: str, size: int) -> float:
    data = ("one: x, " + "".join(line.format(n=n) for n in range(size)) + "\ntwo: y\n").encode()
    start = time.process_time()
    file = AliasFile.parse(data)
    assert sum(len(entry.targets) for entry in file.entries)
    file.added("three", ["new", "old"], "T1")
    return time.process_time() - start


@pytest.mark.parametrize("case", LONG)
def test_long_files_take_time_in_proportion(case: str) -> None:
    """Twenty times as long is no hundred times as much; with the square it would be four hundred."""
    assert spent(LONG[case], 20_000) < 100 * max(spent(LONG[case], 1000), 0.001)


def test_a_long_name_is_refused_at_once() -> None:
    """One pattern for names took twice as long with every letter."""
    start = time.process_time()
    test_no_name("a" * 60 + "!")
    assert time.process_time() - start < 5


def test_targets_with_all_that_people_have_in_their_addresses() -> None:
    assert parsed("").added("x", ["o'neil@b.org", "r&d@b.org"]) == b"x: o'neil@b.org, r&d@b.org\n"


def test_a_target_that_is_given_twice_is_written_once() -> None:
    assert parsed("").added("x", ["Ann@b.org", "ann@B.org", "c"]) == b"x: Ann@b.org, c\n"
    assert parsed("x: y\n").with_targets("x", ["C", "c", "Y"]) == b"x: y, C\n"
