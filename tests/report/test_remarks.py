"""Reports: remarks by kind, on a terminal and as a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TextIO

import pytest

from runbooks.procedures.remark import KINDS, Remark, together
from runbooks.report.remarks import Report, print_report, report_html

FOUND = together(
    [
        *(Remark("left behind", "mallory", "has an account", (f"mw{n}",)) for n in range(1300, 1340)),
        *(Remark("not looked at", "", "no answer within 10 s", (f"db{n}",)) for n in (1, 2, 3)),
        Remark("rule", "line 1000", "a rule"),
        Remark("rule", "line 99", "a rule"),
        Remark("shared key", "alice, bob, somebody-with-a-very-long-name, zoe", "SHA256:x is the key of all of them"),
        Remark("expiry", "<script>alert(1)</script>", "\x1b[31mred\u202e"),
    ]
)


def report(remarks: list[Remark]) -> Report:
    return Report("Access", remarks, "registry, 43 hosts", KINDS, "rosa", 1772323200.0)


def shown(remarks: list[Remark], stream: TextIO) -> str:
    print_report(report(remarks), file=stream)
    return stream.getvalue()  # type: ignore[attr-defined]


def test_what_is_so_on_many_hosts_is_one_remark() -> None:
    assert [(one.kind, one.subject) for one in FOUND] == [
        ("not looked at", "db[1-3]"),
        ("left behind", "mallory"),
        ("shared key", "alice, bob, somebody-with-a-very-long-name, zoe"),
        ("rule", "line 99"),
        ("rule", "line 1000"),
        ("expiry", "<script>alert(1)</script>"),
    ]
    assert len(FOUND[1].hosts) == 40


def test_on_a_terminal_by_kind_with_counts_and_folded_hosts(pipe: TextIO) -> None:
    text = shown(FOUND, pipe)
    assert "rule (2)\n" in text
    assert re.search(r"^  mallory +has an account on mw\[1300-1339\] \(40\)$", text, re.MULTILINE)
    assert re.search(r"^  db\[1-3\] +no answer within 10 s$", text, re.MULTILINE)
    assert "\n  alice, bob, somebody-with-a-very-long-name, zoe\n" in text, "a subject is never cut"
    assert "\x1b" not in text and "\u202e" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert text.endswith("registry, 43 hosts: 6 found\n")


@pytest.mark.parametrize("stream", ["pipe", "tty", "ascii_pipe"])
def test_nothing_found(stream: str, request: pytest.FixtureRequest) -> None:
    assert "registry, 43 hosts: all is as it should be" in shown([], request.getfixturevalue(stream))


class Tags(HTMLParser):
    """Every element closed that was opened, in order; those that have no end left out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script" and not {name for name, _ in attrs} & {"src", "href", "onload"}
        self.rows += tag == "tr"
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_harmless() -> None:
    page = report_html(report(FOUND))
    tags = Tags(page)
    assert (tags.open, tags.rows) == ([], 6)
    assert "default-src 'none'" in page
    assert "&lt;script&gt;alert(1)" in page and "\x1b" not in page and "\u202e" not in page
    assert "<span><i>rule</i> 2</span>" in page
    assert '<td class="mono">mw[1300-1339] (40)</td>' in page
    assert "<code>inv extend-access</code>" in page
    assert "2026-03-01 00:00:00Z" in page and "6 found" in page


def test_a_page_of_nothing() -> None:
    page = report_html(report([]))
    assert '<span class="pill done">all is as it should be</span>' in page
    assert Tags(page).rows == 0
