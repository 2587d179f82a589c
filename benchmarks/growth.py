"""How the engine's figures grow with the fleet, as a table and as a picture (SVG, both axes logarithmic)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
SERIES = (
    ("plan", "#1f6f8b", ("plan",)),
    ("print the plan", "#8a5a9e", ("plan id", "print plan")),
    ("apply", "#c0392b", ("apply",)),
    ("load and look, to resume", "#3f7d3a", ("load", "look")),
)
_LABEL = 15
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 420, 64, 200, 24, 48


def cpu_s(row: Row, names: Sequence[str]) -> float:
    """Seconds of CPU that some parts of a row took together."""
    return float(sum((row.get(name) or row["resume"][name])["cpu_s"] for name in names))


def table(rows: Sequence[Row]) -> str:
    """A line for each number of hosts: CPU by host and step, seconds of wall time, memory."""
    head = (
        "hosts",
        "apply µs",
        "of it transport",
        "plan s",
        "print s",
        "apply s",
        "resume: goes on after s",
        "peak MiB",
    )
    lines = [head]
    for row in rows:
        each, again = row["us_per_host_step"], row["resume"]
        ready = again["load"]["wall_s"] + again["look"]["wall_s"] + again["goes on after"]["wall_s"]
        wall = [
            row["plan"]["wall_s"],
            row["print plan"]["wall_s"] + row["print summary"]["wall_s"],
            row["apply"]["wall_s"],
        ]
        peak = max(part["peak_mib"] for part in (row["plan"], row["apply"], row["print summary"]))
        numbers = (each["apply"], each["transport"], *(f"{some:.2f}" for some in (*wall, ready)), f"{peak:.0f}")
        lines.append((f"{row['hosts']:,}", *map(str, numbers)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)) for line in lines)


def picture(rows: Sequence[Row]) -> str:
    """CPU seconds over hosts; a grey line shows what linear growth is."""
    hosts = [row["hosts"] for row in rows]
    taken = {label: [cpu_s(row, names) for row in rows] for label, _, names in SERIES}
    low = math.floor(math.log10(max(1e-3, min(map(min, taken.values())))))
    high = math.ceil(math.log10(max(map(max, taken.values()))))
    first, last = math.log10(hosts[0]), math.log10(hosts[-1])

    def x(count: float) -> float:
        return _LEFT + (math.log10(count) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(seconds: float) -> float:
        part = (math.log10(max(seconds, 10**low)) - low) / (high - low)
        return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_frame(), *_axes(hosts, low, high, x, y)]
    start = taken["apply"][0]
    parts.append(_line([(x(n), y(start * n / hosts[0])) for n in (hosts[0], hosts[-1])], "#aaa", "4 4"))
    labels = [(y(start * hosts[-1] / hosts[0]), "linear", "#888")]
    for label, colour, _ in SERIES:
        points = [(x(n), y(s)) for n, s in zip(hosts, taken[label], strict=True)]
        parts.append(_line(points, colour))
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        labels.append((points[-1][1], f"{label}: {taken[label][-1]:.1f} s", colour))
    parts += [_text(_WIDTH - _RIGHT + 8, level + 4, words, colour) for level, words, colour in _apart(labels)]
    return "\n".join([*parts, "</svg>\n"])


def _apart(labels: list[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Each where its line ends, or below the one above it."""
    placed: list[tuple[float, str, str]] = []
    for level, words, colour in sorted(labels):
        placed.append((max(level, placed[-1][0] + _LABEL) if placed else level, words, colour))
    return placed


def _frame() -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
    )


def _axes(hosts: Sequence[int], low: int, high: int, x: Any, y: Any) -> list[str]:
    parts = []
    for power in range(low, high + 1):
        level = y(10**power)
        parts.append(_line([(_LEFT, level), (_WIDTH - _RIGHT, level)], "#eee"))
        parts.append(_text(_LEFT - 8, level + 4, f"{10**power:g} s", "#555", "end"))
    for count in hosts:
        parts.append(_text(x(count), _HEIGHT - _BOTTOM + 18, f"{count:,}", "#555", "middle"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, "hosts, six steps each", "#555", "middle"))
    parts.append(_text(_LEFT, _TOP - 8, "CPU seconds", "#555"))
    return parts


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str = "none") -> str:
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-dasharray="{dashes}"/>'


def _text(x: float, y: float, words: str, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'
