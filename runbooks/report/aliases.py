"""Mail aliases on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from runbooks.model import Json
from runbooks.report.canvas import Canvas, column, padded
from runbooks.report.words import clean, number


def print_aliases(found: Mapping[str, Json], *, file: TextIO) -> None:
    """Print what ``inv alias-show`` found: the domain, its aliases or one of them, and that one's commits."""
    canvas = Canvas(file)
    _print_domain(canvas, found["domain"])
    aliases = found["aliases"]
    names = column((clean(one["name"]) for one in aliases), 32)
    lines = max((len(str(one["line"])) for one in aliases), default=0)
    for one in aliases:
        for comment in one["comments"] if len(aliases) == 1 else ():
            canvas.line("  ", " " * lines, "  ", (clean(comment), "dim"), hang=lines + 4)
        targets = clean(", ".join(one["targets"])) or "nowhere"
        name = padded(clean(one["name"]), names)
        canvas.line("  ", (f"{one['line']:>{lines}}", "dim"), "  ", name, "  → ", targets, hang=lines + names + 8)
    if len(aliases) > 1:
        canvas.line("  ", number(len(aliases), "alias", "aliases"))
    if found["commits"] and not aliases:
        canvas.line("  there is no such alias any more")
    for commit in found["commits"]:
        canvas.line("  ", (commit["date"][:10], "dim"), f"  {commit['id'][:10]}  ", clean(commit["subject"]), hang=26)
    canvas.show()


def print_problems(found: Sequence[Mapping[str, Json]], *, file: TextIO) -> None:
    """Print what ``inv alias-lint`` found, file by file."""
    canvas = Canvas(file)
    for path in dict.fromkeys(one["path"] for one in found):
        canvas.line((clean(path), "bold"))
        for one in found:
            if one["path"] == path:
                line = f"{one['line'] or '':>5}"
                style = "bold red" if one["severity"] == "error" else "yellow"
                word = padded(one["severity"], len("warning"))
                canvas.line((line, "dim"), "  ", (word, style), "  ", clean(f"{one['what']}: {one['todo']}"), hang=16)
    errors = sum(one["severity"] == "error" for one in found)
    canvas.line(f"{number(errors, 'error')}, {number(len(found) - errors, 'warning')}")
    canvas.show()


def _print_domain(canvas: Canvas, domain: Mapping[str, Json]) -> None:
    canvas.line((clean(" → ".join(domain["chain"])), "bold"), f"  {domain['kind']}  ", clean(domain["path"]))
    others = [name for name in domain["together"] if name != domain["chain"][-1]]
    if others:
        canvas.line("  ", ("the same for ", "dim"), clean(", ".join(others)), hang=15)
    for mention in domain["mentions"]:
        canvas.line("  ", (clean(mention), "dim"), hang=4)
    if domain["problem"]:
        canvas.line("  ", (clean(domain["problem"]), "bold red"), hang=4)
