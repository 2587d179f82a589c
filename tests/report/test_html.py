"""The page: one file, valid, harmless, complete, and of bearable size."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

from runbooks.model import Plan, PlannedStep, Run, RunStatus, todo
from runbooks.report.html import run_html
from runbooks.report.svg import plan_svg

from . import samples
from .test_terminal import EVIL, evil_run

VOID = {"meta"}
OPTIONAL_END = {"td", "th", "tr"}


class Page(HTMLParser):
    """Reads a page strictly: what is opened has to be closed; text, tags and attributes are kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and tag not in OPTIONAL_END:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in OPTIONAL_END:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_says_everything() -> None:
    page = Page(run_html(samples.troubled_run()))
    for word in ("Rename user", "incomplete", "marta", "2026-11-23 03:37:12Z", "26s", "lab[01-02,04-06]", "(5)"):
        assert word in page.text
    assert "userdel: user alice is currently used by process 4711" in page.text
    assert "inv resume --run 20261123-033712-80ba4b" in page.text
    assert "$ userdel alice exit 8" in page.text
    assert "- members: [mallory]" in page.text
    assert len([a for a in page.all("details") if a.get("class") == "step"]) == 13


def test_only_steps_in_trouble_are_open() -> None:
    page = Page(run_html(samples.troubled_run()))
    assert [n for n, a in enumerate(page.all("details"), 0) if "open" in a and a["class"] == "step"] != []
    assert sum("open" in a for a in page.all("details")) == 1
    assert sum("open" in a for a in Page(run_html(samples.done_run())).all("details")) == 0


def test_a_cell_for_each_host() -> None:
    page = Page(run_html(samples.troubled_run()))
    cells = [a for a in page.all("i") if "title" in a]
    assert len(cells) == 13 * 12 - 3 * 11
    assert {a["class"] for a in cells if str(a["title"]).startswith("lab03:")} == {"ok", "done", "failed", "not"}


def test_nothing_is_fetched_and_no_foreign_script_runs() -> None:
    text = run_html(samples.done_run())
    page = Page(text)
    assert not re.search(r"https?://|url\(|@import", text)
    assert not {"src", "href", "onclick"} & {name for _, attrs in page.tags for name in attrs}
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "script-src 'sha256-" in policy


def test_other_peoples_text_is_text() -> None:
    text = run_html(evil_run())
    page = Page(text)
    assert not page.all("b") or all(not a for a in page.all("b"))
    assert "ok <b>&" in page.text
    assert "<b>&" not in text
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    assert EVIL not in text
    quoted = Run('"><script>x', samples.plan(), RunStatus.DONE, "'\"><script>alert(1)</script>", 1.0)
    assert len(Page(run_html(quoted)).all("script")) == 1


def test_two_thousand_hosts_stay_usable() -> None:
    hosts = tuple(f"r{n // 40:03}-n{n % 40:02}" for n in range(2_000))
    step = PlannedStep("Do it", "hosts", hosts, dict.fromkeys(hosts, todo("$ true")))
    plan, tape = Plan("p", {}, (step,) * 13), samples.Tape()
    for number in range(13):
        for n, host in enumerate(hosts):
            tape.did(number, host, commands=[samples.command("puppet", 0, f"took {n} s\n" * 10)])
    run = Run(samples.RUN_ID, plan, RunStatus.DONE, "marta", samples.STARTED, None, None, tape.events)
    started = time.process_time()
    text = run_html(run)
    assert time.process_time() - started < 8
    assert len(text) < 2_000_000
    assert "2,000 done" in text
    assert "… and 1,800 others on" in text


def test_a_run_that_has_not_begun() -> None:
    run = Run(samples.RUN_ID, samples.plan(), RunStatus.RUNNING, "marta", samples.STARTED)
    page = Page(run_html(run))
    assert "Not begun." in page.text or "not begun" in page.text
    assert Page(run_html(Run("r", Plan("p", {}, ()), RunStatus.DONE, "m", 1.0))).text


def test_svg_is_whole_and_fetches_nothing() -> None:
    text = plan_svg(samples.plan())
    assert text == plan_svg(samples.plan())
    root = ElementTree.parse(io.StringIO(text)).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = "".join(root.itertext()).replace("\u00a0", " ")
    assert "Prepare the registry patch, unmerged but mergeable" in words
    assert "cdnjs" not in text
    assert "@font-face" not in text


def test_a_page_offers_only_what_can_be_done() -> None:
    waiting = Page(run_html(samples.waiting_run())).text
    assert f"inv resume --confirmed WHERE --run {samples.RUN_ID}" in waiting
    assert "inv undo" not in waiting
    undo = replace(samples.troubled_run(), plan=replace(samples.plan(), procedure="undo"))
    assert "inv undo" not in Page(run_html(undo)).text
    assert "inv undo" in Page(run_html(samples.troubled_run())).text


def test_of_a_long_output_the_end_is_kept() -> None:
    tape = samples.Tape()
    tape.did(1, "@git", commands=[samples.command("cat", 0, "\n".join(f"line {n}." for n in range(1_000)))])
    run = Run(samples.RUN_ID, samples.plan(), RunStatus.DONE, "marta", samples.STARTED, None, None, tape.events)
    text = Page(run_html(run)).text
    assert "line 599." not in text
    assert text.index("… the first 600 lines are left out") < text.index("line 600.") < text.index("line 999.")


def test_the_line_of_times_stays_inside_its_cell() -> None:
    for run in (samples.troubled_run(), replace(samples.done_run(), finished=samples.STARTED + 20)):
        places = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", run_html(run))
        assert places
        assert max(float(left) + float(width) for left, width in places) <= 100.01
