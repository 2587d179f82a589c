"""What a report found, as a table: alike ones side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TextIO

from runbooks.report.canvas import Canvas, column, padded
from runbooks.report.words import clean


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


def remarks_html(remarks: Sequence[Remark], title: str, looked_at: str) -> str:
    """One self-contained page: nothing is fetched, and no script runs."""
    from runbooks.report.html_parts import esc
    from runbooks.report.html_style import STYLE

    parts = []
    for kind in dict.fromkeys(remark.kind for remark in remarks):
        some = [remark for remark in remarks if remark.kind == kind]
        rows = "".join(f"<tr><th>{esc(one.subject)}</th><td>{esc(one.message)}</td></tr>" for one in some)
        parts.append(
            f'<h2>{esc(kind.capitalize())} <small>{len(some):,}</small></h2><table class="remarks">{rows}</table>'
        )
    end = f"{len(remarks):,} found" if remarks else "all is as it should be"
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{esc(title)}</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{esc(title)}</h1>"
        f"<p>{esc(looked_at)}: {end}</p>{''.join(parts)}</main></body></html>\n"
    )


def print_remarks(remarks: Sequence[Remark], looked_at: str, *, file: TextIO) -> None:
    """Print remarks by kind, and what was looked at."""
    canvas = Canvas(file)
    width = column((remark.subject for remark in remarks), 40)
    last = ""
    for remark in remarks:
        if remark.kind != last:
            count = sum(other.kind == remark.kind for other in remarks)
            canvas.line((f"{clean(remark.kind)} ({count:,})", "bold yellow"))
            last = remark.kind
        canvas.line(
            (padded(clean(remark.subject), width), "bold"), "  ", clean(remark.message), indent=2, hang=width + 2
        )
    end = f"{len(remarks):,} found" if remarks else "all is as it should be"
    canvas.line((f"{looked_at}: {end}", "" if remarks else "green"))
    canvas.show()
