"""What a report found: by kind, alike ones side by side, on a terminal or as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from runbooks.report.canvas import Canvas, column, padded
from runbooks.report.groups import folded
from runbooks.report.words import clean, stamp


class Remark(Protocol):
    """One line of a report."""

    @property
    def kind(self) -> str:
        """What sort of thing it is."""
        ...

    @property
    def subject(self) -> str:
        """Whom or what it is about."""
        ...

    @property
    def message(self) -> str:
        """A sentence."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where it is so, if that is on hosts."""
        ...


@dataclass(frozen=True)
class Report:
    """What was found, and how it came to be: ``looked_at`` is a few words, ``advice`` what to do about each kind of
    remark, ``made`` the time."""

    title: str
    remarks: Sequence[Remark]
    looked_at: str
    advice: Mapping[str, str]
    operator: str
    made: float

    def by_kind(self) -> dict[str, list[Remark]]:
        """The remarks of each kind, in their order."""
        kinds: dict[str, list[Remark]] = {}
        for remark in self.remarks:
            kinds.setdefault(remark.kind, []).append(remark)
        return kinds

    @property
    def end(self) -> str:
        """What came of it, in a few words."""
        return f"{len(self.remarks):,} found" if self.remarks else "all is as it should be"


def where(remark: Remark) -> str:
    """The hosts of a remark, folded, unless they are its subject."""
    hosts = folded(remark.hosts)
    if hosts == clean(remark.subject):
        return ""
    return f"{hosts} ({len(remark.hosts):,})" if len(remark.hosts) > 1 else hosts


def report_html(report: Report) -> str:
    """One self-contained page: nothing is fetched, and no script runs."""
    from runbooks.report.html_parts import esc
    from runbooks.report.html_style import STYLE

    kinds = report.by_kind()
    state = "incomplete" if kinds else "done"
    facts = {"Looked at": report.looked_at, "Made": stamp(report.made), "By": report.operator}
    rows = "".join(f"<div><dt>{name}</dt><dd>{esc(value)}</dd></div>" for name, value in facts.items())
    counts = "".join(f"<span><i>{esc(kind)}</i> {len(some):,}</span>" for kind, some in kinds.items())
    sections = "".join(_section(kind, some, report.advice.get(kind, "")) for kind, some in kinds.items())
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{esc(report.title)}</title>'
        f'<style>{STYLE}</style></head><body><main><header><div class="top"><h1>{esc(report.title)}</h1>'
        f'<span class="pill {state}">{report.end}</span></div><div class="args">{counts}</div><dl>{rows}</dl></header>'
        f"{sections}</main></body></html>\n"
    )


def _section(kind: str, remarks: Sequence[Remark], advice: str) -> str:
    from runbooks.report.html_parts import esc

    has_hosts = any(map(where, remarks))
    rows = "".join(
        f'<tr><th scope="row">{esc(one.subject)}</th><td>{esc(one.message)}</td>'
        + (f'<td class="mono">{esc(where(one))}</td>' if has_hosts else "")
        + "</tr>"
        for one in remarks
    )
    # Every other piece stands between backquotes.
    words = "".join(f"<code>{esc(w)}</code>" if n % 2 else esc(w) for n, w in enumerate(advice.split("`")))
    note = f'<p class="advice">{words}</p>' if advice else ""
    return (
        f"<section><h2>{esc(kind.capitalize())} <small>{len(remarks):,}</small></h2>{note}"
        f'<div class="steps"><table class="remarks">{rows}</table></div></section>'
    )


def print_report(report: Report, *, file: TextIO) -> None:
    """Print remarks by kind, and what was looked at."""
    canvas = Canvas(file)
    width = column((clean(remark.subject) for remark in report.remarks), 24)
    for kind, some in report.by_kind().items():
        canvas.line((f"{clean(kind)} ({len(some):,})", "bold yellow"))
        for remark in some:
            subject, on = clean(remark.subject), where(remark)
            text = clean(remark.message) + (f" on {on}" if on else "")
            if len(subject) > width:
                canvas.line((subject, "bold"), indent=2)
                subject = ""
            canvas.line((padded(subject, width), "bold"), "  ", text, indent=2, hang=width + 2)
        if advice := report.advice.get(kind):
            canvas.line((advice, "dim"), indent=2)
        canvas.line("")
    canvas.line((f"{report.looked_at}: {report.end}", "" if report.remarks else "green"))
    canvas.show()
