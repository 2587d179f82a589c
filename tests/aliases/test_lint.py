"""What is wrong with alias files, held against what the real exim makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks.aliases.circles import circles
from runbooks.aliases.domains import Domains
from runbooks.aliases.lint import lint
from runbooks.aliases.problems import Problem, Severity
from tests.aliases.exim import Exim
from tests.aliases.made_up import wild

MAILBOXES = ("ann", "bob", "c")
DIRECTORY = "files"


def known(address: str) -> bool:
    local, _, domain = address.partition("@")
    return local in MAILBOXES and domain in ("one.example", "two.example", "link.example")


def found(one: str | bytes, two: str = "", qualify: str = "") -> list[Problem]:
    domains = Domains(DIRECTORY, {"one.example": None, "two.example": None, "link.example": "one.example"})
    data = one.encode() if isinstance(one, str) else one
    return lint(domains, {"files/one.example": data, "files/two.example": two.encode()}, known, qualify)


def lines(problems: Sequence[Problem]) -> list[str]:
    return [str(problem).removeprefix("files/") for problem in problems]


GOOD = {
    "all sorts": "# T1 (ann)\nops: ann, zoe@example.org,\n  Bob <bob@one.example>\nabuse: :fail: no, (really) # no\n",
    "a copy": "ann: ann, ann@example.org\nbob: \\bob\n",
    "nobody": "nobody: :blackhole:\n",
    "through a link": "ops: ann@link.example, root@link.example\nroot: bob\n",
    "blanks where they do not matter": "ops: ann \t\n \n\nroot:bob\t\n",
    "quoted": '"a b": ann\n',
    "empty": "",
}


@pytest.mark.parametrize("case", GOOD)
def test_nothing_is_wrong(case: str) -> None:
    assert found(GOOD[case]) == []


WRONG = {
    "no colon": ("ops ann\n", ["1: warning: no colon behind ops"]),
    "twice": ("ops: ann\nroot: bob\nOPS: bob\n", ["3: warning: OPS has capital", "3: error: OPS is an alias above"]),
    "a pipe": ("ops: |/bin/x\n", ["1: error: ops leads to a command that the mail host runs: |/bin/x"]),
    "a file": ("ops: ann,\n /var/x\n", ["2: error: ops leads to a file on the mail host: /var/x"]),
    "null": ("ops: /dev/null\n", ["1: warning: ops leads to /dev/null: write :blackhole:"]),
    "a list": ("ops: :include:/x\n", ["1: error: ops leads to a list outside of the repository: :include:/x"]),
    "bad": ("ops: ann,\n b@b..c\n", ["2: error: exim refuses 'b@b..c' (domain missing or malformed)"]),
    "a comment behind": ("ops: ann # T1\n", ["comment on a line of its own above the alias"]),
    "no comma": ("ops: ann\n bob\n", ["1: error: exim refuses 'ann bob'", "is a comma missing?"]),
    "blanks in front": ("ops: ann,\n root: bob\n", ["2: error: exim refuses 'root: bob'", "take the blanks"]),
    "a comment in the list": ("ops: ann, # T1\n  bob\n", ["1: error: exim does not read what is behind the #"]),
    "a comment in between": ("ops: ann,\n# T1\n  bob\n", ["3: error: exim does not read this line of ops"]),
    "an empty line": ("ops: ann,\n\n  bob\n", ["3: error: exim does not read this line of ops"]),
    "a continuation of nothing": (" ann\nops: bob\n", ["1: error: continues no alias"]),
    "passed over": ("ops: ann, (bob), :unknown:\n", ["passes over '(bob), :unknown:' in ops"]),
    "fail and more": ("ops: ann, :fail: no\n", ["1: error: :fail: counts for all of ops"]),
    "black hole and more": ("ops: :blackhole:, ann\n", ["1: error: :blackhole: counts for all of ops"]),
    "nothing": ("ops:\n", ["1: error: ops leads nowhere"]),
    "the same twice": ("ops: ann, ANN\n", ["1: warning: ops leads to ANN twice"]),
    "a whole address": ("ops@one.example: ann\n", ["1: error: ops@one.example is never found", "write ops"]),
    "no name": (": ann\n", ["1: error: there is no name before the colon"]),
    "a NUL": (b"ops: ann\nroot: a\0\n", ["2: error: a NUL character, behind which exim misreads the file: remove it"]),
    "no UTF-8": (b"ops: ann\n# \xfc\n", ["2: warning: the byte 0xfc is no UTF-8"]),
    "no characters": (b"ops: \xfc b\n", ["1: warning: the byte 0xfc", "1: error: exim refuses '\\udcfc b'"]),
    "a byte-order mark": ("\ufeffops: ann\n", ["1: warning: '\\ufeffops' has characters that addresses have not"]),
    "a blank that is none": ("ops:\u00a0z@example.org\n", ["1: warning: '\\xa0z@example.org' has characters"]),
    "unknown": ("ops: an, zoe@example.org\n", ["1: error: an is neither an alias nor known otherwise"]),
    "unknown, misspelled": ("ops: rooot\nroot: ann\n", ["add what is missing (did you mean root?)"]),
    "unknown, of another": ("ops: x@two.example\n", ["1: error: x@two.example is neither"]),
    "itself": ("ops: ops, ann\n", ["1: error: ops leads to itself, and there is no mailbox ops@one.example"]),
    "itself, through a link": ("ops: ops@link.example\n", ["there is no mailbox ops@link.example"]),
    "a loop": ("ops: root\nroot: ann,\n ops\n", ["a loop: ops@one.example → root@one.example → ops@one.example, "]),
    "a loop over mailboxes": ("ann: bob\nbob: ann\n", ["2: warning: a loop", "delivers to the mailboxes"]),
    "no loop through one that leads nowhere": ("ops: root\nroot:\n", ["1: error: root is", "2: error: root leads"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong(case: str) -> None:
    data, told = WRONG[case]
    problems = found(data)
    text = "\n".join(lines(problems))
    assert all(one in text for one in told), text
    numbered = [one for one in told if one[0].isdigit()]
    assert not numbered or len(problems) == len(numbered), text


def test_a_loop_over_two_files() -> None:
    assert lines(found("d: a\na: x@two.example\n", "x: ann,\n d@one.example\n")) == [
        "one.example:1: error: a loop: a@one.example → x@two.example → d@one.example → a@one.example, and there is no "
        "mailbox a@one.example: break it"
    ]


def test_what_a_target_without_a_domain_is() -> None:
    two = "x: ops, \\ann\n"
    assert found("ops: ann\n", two, qualify="one.example") == []
    assert [problem.path for problem in found("ops: ann\n", two)] == ["files/two.example"]
    assert [problem.path for problem in found("ops: ann\n", two, qualify="mx.example")] == [
        "files/one.example",
        "files/two.example",
    ]


def test_links_that_lead_nowhere() -> None:
    deployed = {"c.example": None, "d.example": None}
    domains = Domains(DIRECTORY, {"a.example": "b.example"}, deployed, manifests={"m.pp": "'c.example'"})
    assert lines(lint(domains, {}, known)) == [
        "a.example: error: the link leads nowhere: a.example → b.example, and there is no b.example: "
        "repair it where it is made",
        "d.example: error: the file d.example is on the mail hosts and not in the repository: nobody knows what made "
        "it: repair it where it is made",
    ]


def test_sorted_each_once() -> None:
    problems = found("b: x\nb: x\na b\n", "ops: x\n")
    assert problems == sorted(set(problems))
    assert problems[-1].path == "files/two.example"


# against exim

OURS = ("", "@one.example", "@two.example", "@link.example")
TARGETS = [f"{name}{domain}" for name in "abcd" for domain in OURS]
TARGETS += ["ann", "bob@two.example", "x", "y@two.example", "z@example.org", "\\b"]
SMALL = st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from(TARGETS), max_size=2), max_size=4)


def text(aliases: dict[str, list[str]]) -> str:
    return "".join(f"{name}: {', '.join(targets)}\n" for name, targets in aliases.items())


@pytest.fixture
def host(tmp_path: Path) -> Exim:
    host = Exim.host(tmp_path, MAILBOXES)
    (host.file / "link.example").symlink_to("one.example")
    return host


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(one=SMALL, two=SMALL)
def test_mail_gets_lost_only_where_there_is_an_error(
    host: Exim, one: dict[str, list[str]], two: dict[str, list[str]]
) -> None:
    (host.file / "one.example").write_text(text(one))
    (host.file / "two.example").write_text(text(two))
    problems = found(text(one), text(two), qualify="one.example")
    errors = [one for one in problems if one.severity is Severity.ERROR and "leads nowhere" not in one.what]
    at = [("one.example", one), ("link.example", one), ("two.example", two)]
    addresses = [f"{name}@{domain}" for domain, aliases in at for name, targets in aliases.items() if targets]
    failed = host.fails(addresses) if addresses else []
    assert any(failed) == bool(errors), lines(problems)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=wild())
def test_anything_can_be_looked_at(data: bytes) -> None:
    for problem in found(data):
        assert problem.path
        assert problem.what
        assert problem.todo
        assert str(problem).isprintable()
        assert 0 <= problem.line <= data.count(b"\n") + 1


def test_circles_of_a_long_way_take_no_recursion() -> None:
    size = 20_000
    graph = {n: [n + 1] for n in range(size)} | {size: [size - 2], size + 1: [size + 1]}
    assert set(circles(graph)) == {frozenset({size - 2, size - 1, size}), frozenset({size + 1})}


def test_what_is_wrong_is_told_alike_wherever_it_stands() -> None:
    """Else an edit of another alias looks as if it had made things worse."""
    poor = "ops: ann\nOps: bob\nroot: rot@one.example\n"
    before, after = found(poor), found(f"# T1\nnoc: ann\n{poor}rotx: ann\n")
    assert any("did you mean rotx" in one.todo for one in after), "which is why it was told"
    assert {one.what for one in before} == {one.what for one in after}
