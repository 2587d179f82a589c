"""The house: imports point down, a dry run is no flag, nothing goes through a shell by accident, modules stay small."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "runbooks").rglob("*.py"))
    if "files" not in path.parts
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}

# What each part of the house may import of the rest of it; what is not listed here may import nothing.
BASE = {"errors", "model"}
ENGINE = BASE | {
    "batch",
    "database",
    "driver",
    "fibres",
    "glance",
    "history",
    "journal",
    "lease",
    "looking",
    "record",
    "schema",
    "walker",
    "window",
}
SYSTEMS = BASE | {"fibres", "secret", "transport", "registry", "systems", "inventory"}
MAY_IMPORT = {
    "errors": set(),
    "model": BASE,
    "secret": {"errors"},
    "batch": BASE,
    "driver": set(),
    "fibres": set(),
    "window": {"fibres"},
    "postgresql": set(),
    "schema": {"errors", "postgresql"},
    "database": {"errors", "schema"},
    "lease": BASE | {"fibres", "journal"},
    "glance": BASE,
    "history": BASE | {"glance", "schema"},
    "journal": BASE | {"database", "history", "schema", "driver", "lease"},
    "looking": BASE | {"window"},
    "record": BASE | {"lease"},
    "walker": ENGINE,
    "verdicts": BASE | {"walker"},
    "engine": ENGINE | {"verdicts"},
    "transport": {"errors", "fibres", "transport"},
    "inventory": BASE | {"inventory", "transport", "secret"},
    "registry": BASE | {"registry"},
    "oob": SYSTEMS | {"oob"},
    "machine": SYSTEMS | {"oob", "machine"},
    "lists": SYSTEMS | {"lists", "settings.sections"},
    "aliases": SYSTEMS | {"aliases", "settings.sections"},
    "systems": SYSTEMS,
    "settings.layer": {"errors"},
    "settings.sections": set(),
    "settings.kinds": {"inventory", "settings.layer"},
    "settings.list_domains": {"inventory", "settings.kinds", "settings.layer", "settings.sections"},
    "settings.keys": {"settings.kinds", "settings.list_domains"},
    "settings.invoke_config": {"errors", "inventory", "settings.keys", "settings.layer"},
    "settings": BASE | {"inventory", "settings.invoke_config", "settings.keys", "settings.layer", "settings.sections"},
    "fleet": SYSTEMS | {"site", "machine", "lists"},
    "sources": BASE | {"inventory", "secret", "settings"},
    "site": SYSTEMS | ENGINE | {"fleet", "settings", "oob", "sources", "lists"},
    "report": BASE | {"report", "inventory", "batch"},
    "procedure": BASE | {"engine", "walker"},
    "procedures": SYSTEMS | {"looking", "procedure", "procedures", "site", "oob", "machine", "lists", "aliases"},
    "cli": SYSTEMS | ENGINE | {"cli", "engine", "procedure", "procedures", "report", "settings", "site", "verdicts"},
    # The lab stands alone: it builds a fleet for the rest, with the registry's own synthetic data.
    "lab": {"errors", "lab", "registry", "secret"},
}
# Modules and functions beyond the bounds, each with its reason.
LONG_MODULES = {
    "runbooks.systems.reads": "every read command on one page, for a reviewer",
}
LONG_FUNCTIONS = {
    "runbooks.lab.host.boot": "a machine's boot, in its order",
    "runbooks.procedures.rename_user.steps": "a procedure reads like its page, from top to bottom",
    "runbooks.procedures.rename_user.look": "one field of the case a line",
}


def part(module: str) -> str:
    """The part of the house that a module belongs to: a room that the table names, or else a whole package."""
    inside = module.partition(".")[2]
    return inside if inside in MAY_IMPORT else inside.partition(".")[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """What it imports, also inside functions and for type checkers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports say where they come from"
            if node.module == "runbooks":
                yield from (f"runbooks.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


@pytest.mark.parametrize("module", [name for name in MODULES if part(name)])
def test_imports_point_down(module: str) -> None:
    allowed = MAY_IMPORT[part(module)]
    used = {part(name) for name in imports(TREES[module]) if name.startswith("runbooks.")} - {"__version__"}
    assert used <= allowed, f"{module} must not import {used - allowed}"


def test_the_model_does_no_io_and_needs_nothing_but_the_standard_library() -> None:
    for module in MODULES:
        if part(module) in ("model", "errors", "window"):
            names = {name.partition(".")[0] for name in imports(TREES[module])}
            assert names <= sys.stdlib_module_names | {"runbooks"}
            assert not names & {"os", "pathlib", "socket", "subprocess", "sqlite3"}


def test_a_dry_run_is_no_flag() -> None:
    found = {name for name, path in MODULES.items() if "dry_run" in path.read_text()}
    assert found == {"runbooks.cli.options", "runbooks.cli.surface"}


def test_nothing_goes_through_a_local_shell() -> None:
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name.startswith("subprocess."):
                    assert not any(k.arg == "shell" for k in node.keywords), module
                assert name not in ("os.system", "os.popen", "subprocess.getoutput", "eval", "exec"), (module, name)


def public(tree: ast.Module, module: str) -> Iterator[tuple[str, ast.AST]]:
    """Modules, classes, functions and methods that others may use."""
    yield module, tree
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield f"{module}.{node.name}", node
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                        yield f"{module}.{node.name}.{inner.name}", inner


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) != "lab"])
def test_every_public_thing_says_what_it_is(module: str) -> None:
    for name, node in public(TREES[module], module):
        assert ast.get_docstring(node), f"{name} has no docstring"  # type: ignore[arg-type]


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_functions_stay_small(module: str) -> None:
    lines = MODULES[module].read_text(encoding="utf-8").count("\n")
    assert lines <= 300 or module in LONG_MODULES, f"{module}: {lines} lines"
    for outer in ast.walk(TREES[module]):
        for node in getattr(outer, "body", []) if isinstance(outer, ast.Module | ast.ClassDef) else []:
            if isinstance(node, ast.FunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                length = int(node.end_lineno or 0) - first.lineno + 1
                assert length <= 30 or f"{module}.{node.name}" in LONG_FUNCTIONS, (
                    f"{module}.{node.name}: {length} lines"
                )


def test_no_reason_is_given_for_what_is_small() -> None:
    for module in LONG_MODULES:
        assert MODULES[module].read_text(encoding="utf-8").count("\n") > 300


HEAVY = {"sqlalchemy", "psycopg", "fabric", "paramiko", "ssh", "cryptography", "rich", "cumin", "ClusterShell"}
HEAVY |= {"ldap3", "tenacity", "mailmanclient", "requests"}


def loaded(*words: str, **environment: str) -> set[str]:
    """The modules that ``inv`` has loaded when it ends."""
    code = (
        f"import sys; sys.argv = ['inv', *{words}]\n"
        "try:\n    from invoke.main import program; program.run(exit=False)\n"
        "finally:\n    print('LOADED', *sys.modules, file=sys.stderr)\n"
    )
    ours = {key: value for key, value in os.environ.items() if not key.startswith("INVOKE_")} | environment
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=ours, capture_output=True, text=True)
    assert "LOADED" in found.stderr and ("rename-user" in found.stdout or words == ("runs",)), found.stderr
    return set(found.stderr.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("words", [("--list",), ("--help", "rename-user")])
def test_what_inv_says_of_itself_imports_nothing_heavy_and_nothing_of_ours(words: tuple[str, ...]) -> None:
    modules = loaded(*words)
    assert not {name.partition(".")[0] for name in modules} & (HEAVY | {"runbooks"})


def test_a_list_of_runs_imports_nothing_that_hosts_are_reached_or_chosen_with(url: str) -> None:
    modules = loaded("runs", INVOKE_OPS_CLINIC_JOURNAL=url)
    assert not {name.partition(".")[0] for name in modules} & (HEAVY - {"sqlalchemy", "rich"})
    ours = {part(name) for name in modules if name.startswith("runbooks.")}
    if {name for name in modules if "runbooks.transport." in name} == {"runbooks.transport.hops"}:
        ours.discard("transport")  # how a jump host is written is no way to reach it
    assert "history" in ours and not ours & {"engine", "procedures", "registry", "systems", "transport", "walker"}


def test_nothing_hangs_on_a_task_that_invoke_would_copy_at_each_start() -> None:
    code = "import tasks; print(*(key for _, task in tasks.ns.tasks.items() for key in vars(task)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "body" in found.stdout.split() and "__signature__" not in found.stdout
