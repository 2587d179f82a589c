"""A site with a real repository and a real directory, and no hosts: what an operator does there, by the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runbooks.engine import Engine
from runbooks.lab.directory import GROUPS, PEOPLE, TOOL, DirectoryServer, Entry
from runbooks.model import Batch, Run
from runbooks.procedure import find
from runbooks.registry import AccountRegistry, registry_of
from runbooks.registry.manifest.registry import PATH as ADMINS
from runbooks.settings import Settings
from runbooks.settings.layer import Layer
from runbooks.site import LDAP_PASSWORD, Site
from tests.registry.manifests import OLD
from tests.systems.repositories import DATA, REGISTRY, Remote

LISTS = "  absent_ldap:\n    members: [old]\nusers:"
MORE = """\
ldap_only_users:
  old:
    ensure: absent
  lynn:
    ensure: present
    realname: Lynn
    email: lynn@elsewhere.example
"""


@pytest.fixture(scope="module")
def server(quick_place: Path) -> Iterator[DirectoryServer]:
    server = DirectoryServer(quick_place)
    server.start()
    people = {"alice": 1001, "bob": 1002, "zoe": 9999, "nova": 1010, "lynn": 1011, "old": 1012, "zora": 1013}
    server.fill({name: Entry(uid, f"{name}@example.org") for name, uid in people.items()}, {"wmf": [], "nda": []})
    yield server
    server.kill()


@dataclass
class World:
    """A site, its remote, and what an operator does there."""

    site: Site
    remote: Remote
    server: DirectoryServer

    def engine(self) -> Engine:
        return Engine(self.site.journal, self.site.targets, "operator", patience_s=0)

    def run(self, procedure: str, /, **arguments: Any) -> Run:
        draft = find(procedure).draft(self.site, arguments)
        return self.engine().apply(self.engine().plan(draft), draft, Batch())

    def resume(self, run: Run) -> Run:
        draft = find(run.plan.procedure).again(run.plan.case, run.plan.arguments)
        self.engine().remaining(run, draft.steps)
        return self.engine().resume(run, draft.steps)

    def undo(self, run: Run) -> Run:
        original = find(run.plan.procedure).again(run.plan.case, run.plan.arguments)
        draft = self.engine().undo(run, original, {})
        return self.engine().apply(self.engine().plan(draft), draft, Batch())

    def resume_undo(self, undo: Run, run: Run) -> Run:
        original = find(run.plan.procedure).again(run.plan.case, run.plan.arguments)
        steps = self.engine().undo(self.site.journal.run(run.id), original, {}).steps
        self.engine().remaining(undo, steps)
        return self.engine().resume(undo, steps)

    def members(self, group: str) -> set[str]:
        found = self.site.targets["@ldap"].reader().members(group)
        return set(found) - {TOOL}

    def registry(self) -> AccountRegistry:
        path = self.site.settings.repository.registry
        return registry_of(path, self.remote.show(path).encode())


def world_of(server: DirectoryServer, top: Path, remote: Remote, registry: str, hosts: str) -> World:
    """A site with that registry in its repository."""
    server.start()
    server.thaw()
    for group in ("wmf", "nda"):
        server.modify(f"dn: cn={group},{GROUPS}\nchangetype: modify\nreplace: member\nmember: {TOOL}\n")
    (top / "inventory").mkdir()
    (top / "inventory/hosts.yaml").write_text(f"hosts: {hosts}\n")
    values = {
        "inventory": str(top / "inventory"),
        "journal": f"sqlite:///{top}/journal.db",
        "repository": {"url": str(remote.bare), "cache": str(top / "cache"), "registry": registry},
        "ldap": {"url": server.url, "ca": str(server.ca), "bind_dn": TOOL, "people": PEOPLE, "groups": GROUPS,
                 "domains": ["example.org"], "answer_timeout_s": 15},
    }  # fmt: skip
    return World(Site(Settings.of(Layer(values, "test", top), root=top), "operator"), remote, server)


@pytest.fixture
def no_deploying(server: DirectoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deploying is tested where there are hosts."""
    monkeypatch.setattr(Site, "puppet_servers", lambda _site: ())
    monkeypatch.setenv(LDAP_PASSWORD, server.password.reveal())


@pytest.fixture
def world(server: DirectoryServer, quick_dir: Path, no_deploying: None) -> Iterator[World]:  # noqa: ARG001
    remote = Remote.make(quick_dir, REGISTRY.replace("users:", LISTS, 1) + MORE)
    made = world_of(server, quick_dir, remote, DATA, "{h1: {}}")
    yield made
    made.site.close()


@pytest.fixture
def old_world(server: DirectoryServer, quick_dir: Path, no_deploying: None) -> Iterator[World]:  # noqa: ARG001
    """One whose registry is of the old style; its host is down."""
    remote = Remote.make(quick_dir)
    remote.push({DATA: None, ADMINS: OLD}, "The registry of the old style")
    made = world_of(server, quick_dir, remote, ADMINS, "{h1: {address: 127.0.0.1, port: 1}}")
    yield made
    made.site.close()
