"""Slow, silent and talkative hosts: what each costs itself, what it costs the others, and what it costs our memory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runbooks.engine import Draft, Engine
from runbooks.errors import Lost, Unreachable
from runbooks.looking import look
from runbooks.model import Batch, Change, Event, Facts, Finding, Run, RunStatus, Status, Step, done, todo
from runbooks.model import Result as Outcome
from runbooks.settings import Settings
from runbooks.settings.layer import Layer
from runbooks.site import Site
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.reads import Read
from runbooks.transport import shell as module
from runbooks.transport.route import CLIENTS, SshSettings
from runbooks.transport.shell import Shell
from runbooks.transport.ssh import SshTransport

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(module, "_LOCKED_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# silence


@dataclass
class Away:
    """An sshd in a network namespace of its own, whose answers can be made to get lost on the way."""

    sshd: Any
    name: str
    us: str

    def answer(self, *, arrives: bool) -> None:
        """Let what it sends arrive, or vanish; nothing tells either side."""
        ip("-n", self.name, "route", "delete" if arrives else "add", "blackhole", f"{self.us}/32")


def ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True, capture_output=True)


@pytest.fixture(scope="module")
def away(start_sshd: Callable[..., Any]) -> Iterator[Away]:
    number = os.getpid() % (1 << 14)
    name, end = f"ops-far-{number}", f"far{number}"
    # 198.18.0.0/15 is for tests (RFC 2544); a network of four addresses for each process that tests.
    net = (198 << 24) + (19 << 16) + 4 * number
    us, them = (socket.inet_ntoa((net + host).to_bytes(4)) for host in (1, 2))
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs network namespaces, and to be root")
    try:
        ip("link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("address", "add", f"{us}/30", "dev", end)
        ip("link", "set", end, "up")
        ip("-n", name, "address", "add", f"{them}/30", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        yield Away(start_sshd(them, prefix=("ip", "netns", "exec", name), port=2222), name, us)
    finally:
        ip("netns", "delete", name)


@pytest.mark.parametrize("sends", [False, True])
def test_a_half_open_connection_is_noticed(away: Away, client: str, sends: bool) -> None:
    config = away.sshd.config()
    transport = SshTransport(SshSettings(config=config, connect_timeout_s=20.0, keepalive_s=1, client=client))
    shell = Shell("h1", transport.open("h1", away.sshd.address, away.sshd.port, None), 300)
    shell.lock("run", 1, 0)
    assert shell.act(("echo", "here"), None, None).stdout == b"here\n"
    started: list[float] = []

    def cut() -> None:
        away.answer(arrives=False)
        started.append(time.monotonic())

    timer = threading.Timer(0 if sends else 0.5, cut)
    timer.start()
    try:
        if sends:
            timer.join()
        with pytest.raises(Lost, match="connection"):
            shell.act(("sleep", "0" if sends else "60"), None, None)
        assert time.monotonic() - started[0] < 15
        assert shell.is_closed
    finally:
        timer.join()
        away.answer(arrives=True)


class Silent:
    """A port that takes connections and says nothing, and counts them."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._listener = socket.create_server((address, 0))
        self.port = self._listener.getsockname()[1]
        self.taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                self.taken.append(self._listener.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        """Hang up on everybody."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for sock in (self._listener, *self.taken):
            sock.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    one = Silent("127.0.55.1")
    yield one
    one.close()


# a fleet


COUNT = 16  # one sshd listens at no more addresses
APART = "127.0.54."
SPACE = "/run/ops-clinic-far"
"""Where each host of this fleet has a directory of its own, and so a lock."""


@pytest.fixture(scope="module")
def fleet(start_sshd: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One sshd at many addresses, which are hosts that share everything but a directory."""
    top = tmp_path_factory.mktemp("hosts")
    Path(SPACE).mkdir(exist_ok=True)
    enter = top / "enter"
    enter.write_text(
        f"#!/bin/sh\nset -- $SSH_CONNECTION\nmkdir -p {top}/$3\n"
        f"exec unshare --mount sh -c 'mount --bind {top}/'$3' {SPACE} && exec /bin/sh'\n"
    )
    enter.chmod(0o755)
    addresses = [f"{APART}{number + 1}" for number in range(COUNT)]
    # SHLVL: a bash that sshd starts would otherwise read this machine's own ~/.bashrc, in each of them.
    return start_sshd(addresses[0], f"ForceCommand {enter}", "SetEnv SHLVL=1", also=addresses[1:])


@contextmanager
def site_of(
    fleet: Any, top: Path, url: str, client: str = "libssh", also: Mapping[str, Silent] | None = None, **ssh: Any
) -> Iterator[Site]:
    """A site whose hosts are the fleet's, and some that are silent."""
    known = f"[{APART}*]:{fleet.port} {(fleet.home / 'host.pub').read_text()}"
    rows = [f"  h{n + 1:02d}: {{address: {APART}{n + 1}, port: {fleet.port}}}\n" for n in range(COUNT)]
    rows += [f"  {name}: {{address: {one.address}, port: {one.port}}}\n" for name, one in (also or {}).items()]
    (top / "inventory").mkdir()
    (top / "inventory/hosts.yaml").write_text("".join(["hosts:\n", *rows]))
    values = {
        "inventory": str(top / "inventory"),
        "journal": url,
        "ssh": {"config": str(fleet.config(known=known)), "client": client, **ssh},
    }
    settings = Settings.of(Layer(values, "test", top), root=top)
    site = Site(settings)
    yield site
    site.close()


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATE_DIR", f"{SPACE}/state")
    monkeypatch.setattr(module, "_LOCKED_DIR", SPACE)


@dataclass(frozen=True)
class Touch(Change[HostReader, HostWriter]):
    """Make a file on a host, or before that hang until there is another."""

    name: str
    until: Path | None = None

    no_inverse = "a test's"

    def check(self, reader: HostReader) -> Finding:
        there = Read(("test", "-e", f"{SPACE}/{self.name}"), lambda result: result.status == 0, ok=(0, 1))
        return done() if reader.ask(there) else todo(f"touch {self.name}")

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        if self.until:
            writer.run("sh", "-c", "while [ ! -e $0 ]; do sleep 0.1; done", str(self.until))
        writer.run("touch", f"{SPACE}/{self.name}")


def steps_of(
    name: str, count: int, hosts: Sequence[str], stuck: Sequence[str] = (), until: Path | None = None
) -> tuple[Step, ...]:
    return tuple(
        Step(
            f"Touch {name}.{n}",
            None,
            tuple(hosts),
            changes={host: Touch(f"{name}.{n}", until if host in stuck else None) for host in hosts},
        )
        for n in range(count)
    )


def apply(site: Site, steps: Sequence[Step], policy: Batch) -> tuple[Run, list[Event]]:
    events: list[Event] = []
    draft = Draft("test", {}, {}, tuple(steps), ("test:far",))
    engine = Engine(site.journal, site.targets, "tester", observer=events.append)
    return engine.apply(engine.plan(draft), draft, policy), events


@pytest.mark.usefixtures("apart")
def test_a_command_has_a_timeout_and_stuck_hosts_hold_up_nobody(
    fleet: Any, tmp_path: Path, url: str, client: str
) -> None:
    stuck = ("h03", "h11")
    with site_of(fleet, tmp_path, url, client, command_timeout_s=6) as site:
        hosts = tuple(site.inventory.hosts)
        steps = steps_of(client, 2, hosts, stuck, tmp_path / "go")
        run, events = apply(site, steps, Batch("5", canary=1, max_failures="2"))
    # What was let go of goes on, and keeps its host's lock.
    (tmp_path / "go").touch()
    assert run.status is RunStatus.INCOMPLETE
    ended = [e for e in events if e.kind == "outcome"]
    unknown = {e.target: str(e.data["note"]) for e in ended if e.data["result"] == str(Outcome.UNKNOWN)}
    assert set(unknown) == set(stuck), [(e.step, e.target, e.data) for e in ended if e.data["result"] != "done"]
    assert all("no answer within 6 s" in note for note in unknown.values())
    assert {(e.step, e.target) for e in ended if e.data["result"] == str(Outcome.DONE)} == {
        (n, host) for n in (0, 1) for host in hosts if host not in stuck
    }
    # The other three of the five places went on meanwhile, with all the hosts that were left.
    begun = {e.target: number for number, e in enumerate(events) if e.kind == "begin" and e.step == 0}
    first = next(n for n, e in enumerate(events) if e.kind == "outcome" and e.target == stuck[0])
    assert sum(begun[host] < first for host in hosts) > 5 + 3


@pytest.mark.usefixtures("apart")
def test_a_silent_host_costs_its_timeout_once_and_holds_up_nobody(
    fleet: Any, silent: Silent, tmp_path: Path, url: str, client: str
) -> None:
    seen: list[str] = []
    with site_of(fleet, tmp_path, url, client, also={"a-silent": silent}, connect_timeout_s=2) as site:
        hosts = ("a-silent", *(host for host in site.inventory.hosts if host != "a-silent"))
        asked = site.hosts_with_account("root", 0)
        assert "a-silent" in asked
        site.targets["a-silent"]._failed_at = 0.0  # type: ignore[attr-defined]
        steps = steps_of("silent", 6, hosts)
        found = look(steps, site.targets, seen=seen.append)
        again = look(steps, site.targets)
    assert seen[-1] == "a-silent" and len(seen) == COUNT + 1
    for findings in (found, again):
        assert {host for (_, host), f in findings.items() if f.status is Status.UNREACHABLE} == {"a-silent"}
    assert len(silent.taken) == 2


@pytest.mark.usefixtures("apart")
def test_a_dead_host_costs_its_timeout_once(fleet: Any, silent: Silent, tmp_path: Path, url: str, client: str) -> None:
    with site_of(fleet, tmp_path, url, client, also={"silent": silent}, connect_timeout_s=1) as site:
        assert "silent" in site.hosts_with_account("root", 0)
        steps = steps_of("dead", 6, ("h01", "silent"))
        for _ in ("planned", "looked at again", "resumed"):
            found = look(steps, site.targets)
            assert [found[n, "silent"].status for n in range(6)] == [Status.UNREACHABLE] * 6
    assert len(silent.taken) == 1


# talk


TALK = """
import sys
from pathlib import Path
from runbooks.errors import Unreachable
from runbooks.transport import shell
from runbooks.transport.route import SshSettings
from runbooks.transport.ssh import SshTransport
place, config, address, port, client, script = sys.argv[1:]
shell.STATE_DIR, shell._LOCKED_DIR = place + "/state", place
transport = SshTransport(SshSettings(config=Path(config), connect_timeout_s=20.0, client=client))
one = shell.Shell("h1", transport.open("h1", address, int(port), None), 120)
def peak_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
one.read([("echo", "x")])
before = peak_kib()
try:
    one.read([("sh", "-c", script)])
except Unreachable as error:
    print(error.why)
print(peak_kib() - before)
"""
BOTH = "head -c 1G /dev/zero & head -c 1G /dev/zero >&2; wait"


@pytest.mark.parametrize("script", ["head -c 1G /dev/zero", "head -c 1G /dev/zero >&2", BOTH])
def test_a_gigabyte_is_not_read(sshd: Any, client: str, tmp_path: Path, script: str) -> None:
    argv = [str(tmp_path), str(sshd.config()), sshd.address, str(sshd.port), client, script]
    ended = subprocess.run([sys.executable, "-c", TALK, *argv], cwd=ROOT, capture_output=True, text=True, timeout=120)
    why, grown_kib = ended.stdout.splitlines()
    assert why == "a command printed more than 4 MiB"
    assert int(grown_kib) < 40 * 1024


def test_an_actions_output_is_kept_to_a_bound_and_the_hosts_disk_has_it_back(
    sshd: Any, client: str, tmp_path: Path
) -> None:
    transport = SshTransport(SshSettings(config=sshd.config(), connect_timeout_s=20.0, client=client))
    shell = Shell("h1", transport.open("h1", sshd.address, sshd.port, None), 60)
    shell.lock("run", 1, 0)
    script = "head -c 64M /dev/zero; head -c 64M /dev/zero >&2"
    assert len(shell.act(("sh", "-c", script), None, None).stdout) == module.KEPT_OUTPUT_BYTES
    held = "stat -Lc %s /proc/$PPID/fd/8"
    assert int(shell.read([("sh", "-c", held)])[0].text) == 128 << 20
    shell.act(("true",), None, None)
    assert int(shell.read([("sh", "-c", held)])[0].text) == 0
    assert [path.name for path in (tmp_path / "state/run").iterdir()] == ["epoch"]
    shell.close()
    with pytest.raises(Unreachable):
        shell.read([("true",)])


def test_much_on_standard_error_alone_comes_as_quickly(sshd: Any, client: str) -> None:
    transport = SshTransport(SshSettings(config=sshd.config(), connect_timeout_s=20.0, client=client))
    shell = Shell("h1", transport.open("h1", sshd.address, sshd.port, None), 60)
    # At a piece for each wait in vain for the other stream it would take a minute.
    result = shell.read([("sh", "-c", "head -c 3500000 /dev/zero >&2")], 25)[0]
    assert (result.stdout, len(result.stderr)) == (b"", 3_500_000)
    shell.close()
