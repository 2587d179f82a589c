"""docs/extending.md is true: its files are there, and its example works."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runbooks.model import RunStatus
from tests.lists.pretended import DOMAIN, Server, site_of
from tests.standins import Life

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
PROCEDURE, TASK = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PATHS = sorted(set(re.findall(r"`((?:runbooks|tests)/[\w/.]+|tasks\.py|invoke\.yaml)`", PAGE)))


@pytest.mark.parametrize("path", PATHS)
def test_each_file_that_the_page_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = ModuleType("runbooks.procedures.list_hide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(PROCEDURE, module.__dict__)
    return module


def test_the_example_is_done_and_taken_back(example: Any, tmp_path: Path) -> None:
    server, url = Server(), f"sqlite:///{tmp_path}/journal.db"
    server.of("cats")
    draft = example.PROCEDURE.draft(site_of(server, url), {"list": f"cats@{DOMAIN}"})
    run = Life(url, server).apply(draft)
    assert (run.status, server.lists["cats"]["advertised"]) == (RunStatus.DONE, False)
    assert Life(url, server).undo(run.id, draft).status is RunStatus.DONE
    assert server.lists["cats"]["advertised"] is True


def test_the_example_is_a_task() -> None:
    scope: dict[str, Any] = {}
    # Not as this file, in which annotations are text.
    text = (ROOT / "tasks.py").read_text(encoding="utf-8") + TASK
    exec(compile(text, "tasks.py", "exec", dont_inherit=True), scope)
    assert scope["ns"]["list-hide"].__doc__ == "Mail: advertise a mailing list no longer."
