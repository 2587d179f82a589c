"""A plan as a picture of a terminal, for a README."""

from __future__ import annotations

import io
import re

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from runbooks.model import Plan
from runbooks.report.canvas import UNBROKEN, Canvas
from runbooks.report.plan import draw_plan
from runbooks.report.words import title

THEME = TerminalTheme(
    (22, 27, 34),
    (214, 221, 230),
    [
        (22, 27, 34),
        (240, 97, 107),
        (78, 190, 128),
        (224, 178, 80),
        (122, 170, 255),
        (192, 132, 240),
        (86, 194, 214),
        (214, 221, 230),
    ],
)
# Rich's frame fetches a font from elsewhere; a picture in a README must not, and the reader has a fixed-width font.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
_FORMAT = _FORMAT.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace")


def plan_svg(plan: Plan) -> str:
    """The plan as an SVG of a terminal window. The same plan always gives the same picture."""
    canvas = Canvas(io.StringIO(), color=True)
    draw_plan(canvas, plan)
    console = Console(
        record=True, width=canvas.width + 2, file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    for line in canvas.lines():
        line.plain = line.plain.replace(UNBROKEN, " ")
        console.print(line, highlight=False, soft_wrap=True)
    return console.export_svg(title=title(plan.procedure), theme=THEME, code_format=_FORMAT, unique_id="plan")
