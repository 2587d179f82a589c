"""Silences in a real Alertmanager: what they silence, whose they are, and the server lost at every moment."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alertmanager_server import PASSWORD, USER, AlertmanagerServer, NoServer
from standins import Life, PowerCut, World, draft

from runbooks.errors import Blocked, CommandFailed, InventoryError, LoginRefused, Lost, SettingsError, Unreachable
from runbooks.model import Change, Finding, Result, Run, RunStatus, Status, Step, done, later
from runbooks.secret import Secret
from runbooks.settings import Settings
from runbooks.settings.layer import Layer
from runbooks.site import Site
from runbooks.systems.alertmanager import AlertReader, AlertTarget, AlertWriter
from runbooks.systems.alertmanager_api import Alertmanager, Matcher
from runbooks.systems.silences import EndSilence, Silence
from tests.waiting import eventually

from .proxy_standin import Answer, ProxyStandIn

HOST, RUN, OTHER_RUN = "db1001", "20261126-030000-aaaaaa", "20261126-030000-bbbbbb"
SILENCE = Silence(7200, "powercycle", "no SSH", "T123")


def _started(top: Path, secured: bool = False) -> AlertmanagerServer:
    try:
        server = AlertmanagerServer(top, secured)
    except NoServer as missing:
        pytest.skip(str(missing))
    server.start()
    return server


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertmanagerServer]:
    server = _started(tmp_path_factory.mktemp("alertmanager"))
    yield server
    server.close()


@pytest.fixture
def server(_server: AlertmanagerServer) -> Iterator[AlertmanagerServer]:
    """Running, and empty."""
    _server.start()
    yield _server
    _server.start()
    _server.thaw()
    _server.clear()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertmanagerServer]:
    """Another, with TLS and a password."""
    server = _started(tmp_path_factory.mktemp("secured"), secured=True)
    yield server
    server.close()


@pytest.fixture
def hasty() -> None:
    """For servers that stand still; a good one may be slow where this machine is busy."""


@pytest.fixture
def client(server: AlertmanagerServer, request: pytest.FixtureRequest) -> Alertmanager:
    return Alertmanager(server.url, "lena", timeout_s=3 if "hasty" in request.fixturenames else 30)


@pytest.fixture
def target(client: Alertmanager) -> AlertTarget:
    return AlertTarget(HOST, client)


@pytest.fixture
def proxy(server: AlertmanagerServer) -> Iterator[ProxyStandIn]:
    with ProxyStandIn(server.url) as standin:
        yield standin


@pytest.fixture
def behind(proxy: ProxyStandIn) -> AlertTarget:
    """The same, with a proxy in between."""
    return AlertTarget(HOST, Alertmanager(proxy.url, "lena", timeout_s=30))


def apply(target: AlertTarget, change: Change[Any, Any], run: str = RUN) -> Finding:
    """Check, do, verify, as the engine does."""
    finding = change.check(target.reader(run))
    assert finding.status is Status.TODO, finding
    with target.writer(run, 1, 1.0) as writer:
        change.do(writer, finding.before)
    return change.verify(target.reader(run), finding.before)


# what is silenced

OURS = ("db1001", "db1001:9100", "db1001.eqiad.wmnet", "db1001.eqiad.wmnet:9104", "db1001.mgmt.eqiad.wmnet")
NOT_OURS = ("db10011", "db10011:9100", "xdb1001", "xdb1001:9100", "db100", "db1001-2", "db1001:9100x", "DB1001",
            "db1001:", "db1001.", "xdb1001.eqiad.wmnet", "x.db1001", "db1001:91:00", "db2001", "db1001 ")  # fmt: skip


def test_the_host_is_silenced_and_no_other(server: AlertmanagerServer, target: AlertTarget) -> None:
    for instance in (*OURS, *NOT_OURS):
        server.fire("HostDown", instance=instance)
    assert set(server.states().values()) == {"active"}
    assert [one.state for one in target.reader().alerts()] == ["active"] * len(OURS)
    assert apply(target, SILENCE).status is Status.DONE
    assert {name for name, state in server.states().items() if state == "suppressed"} == set(OURS)
    assert [one.state for one in target.reader().alerts()] == ["suppressed"] * len(OURS)
    assert apply(target, EndSilence()).status is Status.DONE
    assert set(server.states().values()) == {"active"}


def test_a_name_with_a_domain_is_taken_as_it_is(server: AlertmanagerServer, client: Alertmanager) -> None:
    ours = {"cp-4.esams.example", "cp-4.esams.example:9100"}
    for instance in (*ours, "cp-4", "cp-4.codfw.example", "cp-4.esamsxexample", "cp-4.esams.example.org"):
        server.fire("HostDown", instance=instance)
    apply(AlertTarget("cp-4.esams.example", client), SILENCE)
    assert {name for name, state in server.states().items() if state == "suppressed"} == ours


def test_the_label_is_a_setting(server: AlertmanagerServer, client: Alertmanager) -> None:
    server.fire("HostDown", host="db1001", instance="probe:9115")
    server.fire("HostDown", host="db1002", instance="db1001:9100")
    apply(AlertTarget(HOST, replace(client, label="host")), SILENCE)
    assert server.states("host") == {"db1001": "suppressed", "db1002": "active"}


def test_what_it_says(server: AlertmanagerServer, target: AlertTarget) -> None:
    server.fire("SshDown", instance="db1001:22")
    server.fire("HostDown", instance="db1001:9100")
    planned = SILENCE.check(target.reader())
    assert planned.preview == (f"$ POST {server.url}/api/v2/silences", f"+silence {target.matcher} for 2:00:00")
    assert planned.note == "fires now: HostDown, SshDown"
    assert planned.facts == SILENCE.check(target.reader(RUN)).facts == apply(target, SILENCE).facts
    (made,) = server.silences()
    assert made["comment"] == f"powercycle: no SSH (T123) [ops-clinic run {RUN}, db1001]"
    assert (made["createdBy"], made["startsAt"][:10]) == ("lena", made["updatedAt"][:10])
    again = SILENCE.check(target.reader(RUN))
    assert (again.status, again.note.partition(" ends by itself at ")[0]) == (Status.DONE, f"silence {made['id']}")
    assert made["endsAt"][:19] + "Z" in again.note.replace(" ", "T")


@pytest.mark.parametrize(
    ("change", "comment"),
    [
        (Silence(60, "powercycle"), "powercycle"),
        (Silence(60, "powercycle", ticket="T1"), "powercycle (T1)"),
        (Silence(60, "reboot", 'two\nlines, "ä" \\'), 'reboot: two lines, "ä" \\'),
    ],
)
def test_what_was_not_given_is_not_in_the_comment(
    server: AlertmanagerServer, target: AlertTarget, change: Silence, comment: str
) -> None:
    assert apply(target, change).status is Status.DONE
    assert server.silences()[0]["comment"] == f"{comment} [ops-clinic run {RUN}, db1001]"


def test_another_tool_sees_it_too(server: AlertmanagerServer, target: AlertTarget) -> None:
    """amtool, which comes with the Alertmanager, as a witness."""
    if not shutil.which("amtool"):
        pytest.skip("no amtool here: apt-get install prometheus-alertmanager")
    apply(target, SILENCE)
    argv = ["amtool", f"--alertmanager.url={server.url}", "silence", "query", "-q", str(target.matcher)]
    seen = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert seen == [server.silences()[0]["id"]]


def test_the_reader_has_no_way_to_write(target: AlertTarget) -> None:
    reader = target.reader(RUN)
    assert not [name for name in vars(reader) if isinstance(getattr(reader, name), Alertmanager) and "__" not in name]
    assert not {"create", "expire", "send"} & set(dir(reader))


# whose it is


def test_others_silences_are_noted_and_left_alone(server: AlertmanagerServer, target: AlertTarget) -> None:
    kept = {
        server.silence("db1001"),
        server.silence("db1001:9104"),
        server.silence("db10.*:9100", is_regex=True),
        server.silence("db1001.eqiad.wmnet:9100", comment=f"[ops-clinic run {RUN}, db1001] or so"),
    }
    unrelated = {server.silence("db1002"), server.silence("HostDown", label="alertname"),
                 server.silence("db1001", comment=f"x [ops-clinic run {RUN}, db1002]")}  # fmt: skip
    finding = SILENCE.check(target.reader(RUN))
    assert finding.status is Status.TODO
    assert finding.note.count("silenced by marta, too, until ") == 5
    assert 'instance="db1001": disk swap' in finding.note and "db1002" in finding.note
    assert SILENCE.check(target.reader()).facts == finding.facts
    assert apply(target, SILENCE).status is Status.DONE
    assert "silenced by marta, too" in apply(target, EndSilence()).note
    assert {one["id"] for one in server.silences()} == kept | unrelated


def test_a_regex_that_is_none_here_names_nothing() -> None:
    assert not Matcher("instance", r"db1001\pN*", is_regex=True).takes((HOST,))
    assert [str(Matcher("a", "b", *kind)) for kind in ((False, True), (True, True), (False, False), (True, False))] == [
        'a="b"', 'a=~"b"', 'a!="b"', 'a!~"b"'
    ]  # fmt: skip


def test_each_run_and_host_has_its_own(server: AlertmanagerServer, client: Alertmanager, target: AlertTarget) -> None:
    other = AlertTarget("db1002", client)
    apply(target, SILENCE)
    apply(target, SILENCE, OTHER_RUN)
    apply(other, SILENCE)
    assert len(server.silences()) == 3
    assert "silenced by lena, too" in SILENCE.check(target.reader(RUN)).note
    apply(target, EndSilence())
    assert {one["comment"].rpartition(" [")[2] for one in server.silences()} == {
        f"ops-clinic run {OTHER_RUN}, db1001]", f"ops-clinic run {RUN}, db1002]"
    }  # fmt: skip


def test_one_that_would_end_too_soon_is_made_longer(server: AlertmanagerServer, target: AlertTarget) -> None:
    apply(target, replace(SILENCE, for_s=3000))
    (short,) = server.silences()
    assert SILENCE.check(target.reader(RUN)).note == (
        f"silence {short['id']} would end too soon, at {short['endsAt'][:19].replace('T', ' ')}Z"
    )
    assert apply(target, SILENCE).status is Status.DONE
    (long,) = server.silences()
    assert (long["id"], long["startsAt"]) == (short["id"], short["startsAt"]) and long["endsAt"] > short["endsAt"]
    assert replace(SILENCE, for_s=9000).check(target.reader(RUN)).status is Status.DONE, "more than half of it is left"


def test_one_that_is_over_is_made_anew(server: AlertmanagerServer, target: AlertTarget) -> None:
    apply(target, SILENCE)
    server.clear()
    assert SILENCE.check(target.reader(RUN)).status is Status.TODO
    assert apply(target, SILENCE).status is Status.DONE
    assert (len(server.silences()), len(server.silences("expired"))) >= (1, 1)


def test_the_clock_is_the_servers(server: AlertmanagerServer, proxy: ProxyStandIn, behind: AlertTarget) -> None:
    """One that is an hour slow makes a silence an hour shorter; one that is fast, a silence that has not begun: that
    silences nothing, and is ended like any other."""
    proxy.ahead_s = -3600
    with behind.writer(RUN, 1, 1.0) as writer:
        SILENCE.do(writer, {})
    (made,) = server.silences()
    lasts = datetime.fromisoformat(made["endsAt"]) - datetime.fromisoformat(made["startsAt"])
    assert 3590 < lasts.total_seconds() < 3610
    server.clear()
    proxy.ahead_s = 3600
    assert apply(behind, SILENCE).status is Status.TODO
    assert (len(server.silences()), len(server.silences("pending"))) == (0, 1)
    assert apply(behind, EndSilence()).status is Status.DONE
    assert server.silences("active", "pending") == []


def test_there_is_nothing_left_to_end(target: AlertTarget) -> None:
    assert EndSilence().check(target.reader()).note == ""
    assert EndSilence().check(target.reader(RUN)).note == "no silence of this run's is active"
    assert apply(target, EndSilence()) == done()
    apply(target, SILENCE)
    assert EndSilence().verify(target.reader(RUN), {}).status is Status.TODO
    assert EndSilence().inverse({}) is None
    assert SILENCE.inverse({}) == EndSilence()


# through the engine


@dataclass(frozen=True)
class Hush(Change[AlertReader, AlertWriter]):
    """A gate that only silence opens."""

    looks_only = True
    through = "alerts"

    def check(self, reader: AlertReader) -> Finding:
        """Done where all that fires is silenced."""
        fires = reader.alerts()
        assert fires
        return done() if all(one.state == "suppressed" for one in fires) else later(note="it is loud")


STEPS = (
    Step("Silence the host", SILENCE, (HOST, "db1002")),
    Step("Hear nothing", Hush(), (HOST, "db1002")),
    Step("End the silence", EndSilence(), (HOST, "db1002")),
)


class Hooked(AlertTarget):
    """Tells the world when something was done, before the journal knows."""

    world: Hosts

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[AlertWriter]:
        with super().writer(run_id, epoch, wait_s) as writer:
            self.world.tell("begin", self.name, "")
            yield writer
        self.world.tell("end", self.name, "")


@dataclass
class Hosts(World):
    """What a fleet gives of hosts under ``alerts:``."""

    client: Alertmanager | None = None
    targets: dict[str, Hooked] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Hooked:  # type: ignore[override]
        way, _, host = name.rpartition(":")
        assert way == "alerts"
        if host not in self.targets:
            assert self.client
            self.targets[host] = Hooked(host, self.client)
            self.targets[host].world = self
        return self.targets[host]


@pytest.fixture
def hosts(server: AlertmanagerServer, client: Alertmanager) -> Hosts:
    for host in (HOST, "db1002"):
        server.fire("HostDown", instance=f"{host}:9100")
    return Hosts(client=client)


def results(run: Run) -> list[str]:
    return [f"{run.outcomes()[n, host].result}" for n in range(3) for host in (HOST, "db1002")
            if (n, host) in run.outcomes()]  # fmt: skip


def test_a_run_and_its_undo(url: str, server: AlertmanagerServer, hosts: Hosts) -> None:
    life = Life(url, hosts)
    run = life.apply(draft(*STEPS))
    assert run.status is RunStatus.DONE, run.outcomes()
    assert (server.silences(), set(server.states().values())) == ([], {"active"})
    assert len({one["comment"] for one in server.silences("expired") if run.id in one["comment"]}) == 2
    run = life.apply(draft(*STEPS[:2]))
    assert (run.status, len(server.silences())) == (RunStatus.DONE, 2)
    life.undo(run.id, draft(*STEPS[:2]))
    assert server.silences() == []
    assert life.journal.run(run.id).status is RunStatus.UNDONE


@pytest.mark.parametrize("point", [0, 1, 2, 3, 4, 5, 6, 7])
def test_killed_before_or_after_a_write(url: str, server: AlertmanagerServer, hosts: Hosts, point: int) -> None:
    """Each time between begin and outcome: what was made is found, and no second one is made."""
    with pytest.raises(PowerCut):
        Life(url, hosts, points=point).apply(draft(*STEPS))
    hosts.targets.clear()
    life = Life(url, hosts)
    run = life.resume(life.unfinished().id, draft(*STEPS))
    assert run.status is RunStatus.DONE, run.outcomes()
    assert server.silences() == []
    ours = [one for one in server.silences("expired") if run.id in one["comment"]]
    assert len(ours) == 2


@pytest.mark.parametrize(("number", "kept"), [(signal.SIGTERM, 1), (signal.SIGKILL, 0)])
def test_the_server_is_restarted_between(
    url: str, server: AlertmanagerServer, hosts: Hosts, number: int, kept: int
) -> None:
    """Where it lost a silence that the run had begun to make, that is made again. What others had ended is back, too:
    the server is as it was when it last wrote down what it holds."""
    life = Life(url, hosts)
    hosts.hooks.append(lambda point, host, _key: point == "end" and host == HOST and server.stop(number))
    run = life.apply(draft(*STEPS))
    assert (run.status, run.outcomes()[0, HOST].result) == (RunStatus.INCOMPLETE, Result.UNKNOWN)
    hosts.hooks.pop()
    server.start()
    for host in (HOST, "db1002"):
        server.fire("HostDown", instance=f"{host}:9100")
    assert len([one for one in server.silences() if run.id in one["comment"]]) == kept
    run = life.resume(run.id, draft(*STEPS[:2]))
    assert run.outcomes()[0, HOST].result is Result.DONE
    assert len([one for one in server.silences() if f"{run.id}, {HOST}" in one["comment"]]) == 1


@pytest.mark.usefixtures("hasty")
def test_a_server_that_stands_still_during_the_write(
    url: str, server: AlertmanagerServer, hosts: Hosts, before_write: list[Callable[[], object]]
) -> None:
    """The silence comes when it wakes up, and is found."""
    before_write.append(server.freeze)
    run = Life(url, hosts).apply(draft(*STEPS))
    outcome = run.outcomes()[0, HOST]
    assert outcome.result is Result.UNKNOWN
    assert outcome.note == f"timed out; alertmanager: unreachable: {server.url}: timed out"
    life = Life(url, hosts)
    assert life.engine.remaining(run, STEPS)[0, HOST].status is Status.UNREACHABLE
    server.thaw()
    eventually(lambda: len(server.silences()) == 1)
    run = life.resume(run.id, draft(*STEPS))
    assert run.status is RunStatus.DONE
    assert [e.data.get("note") for e in run.events if (e.step, e.target, e.kind) == (0, HOST, "outcome")] == [
        outcome.note, "found done when looked at again"
    ]  # fmt: skip
    assert len([one for one in server.silences("expired") if f"{run.id}, {HOST}" in one["comment"]]) == 1


def test_nobody_there_is_a_finding_of_its_own(url: str, server: AlertmanagerServer, hosts: Hosts) -> None:
    server.stop()
    plan = Life(url, hosts).engine.plan(draft(STEPS[0], STEPS[2]))
    findings = [step.findings[HOST] for step in plan.steps]
    assert {finding.status for finding in findings} == {Status.UNREACHABLE}
    refused = f"{server.url}: Connection refused"
    assert {finding.note for finding in findings} == {f"{refused}; --no-silence goes on without"}


@dataclass(frozen=True)
class PullPlug(Change[AlertReader, AlertWriter]):
    """The server is gone once this run has silenced the host."""

    looks_only = True
    through = "alerts"
    server: AlertmanagerServer

    def check(self, reader: AlertReader) -> Finding:
        """Done."""
        if self.server.process and reader.silences().own:
            self.server.stop()
        return done()


def test_at_the_end_nobody_there(url: str, server: AlertmanagerServer, hosts: Hosts) -> None:
    """What could not be ended ends by itself, and that is said."""
    steps = [replace(step, on=(HOST,)) for step in (STEPS[0], replace(STEPS[1], change=PullPlug(server)), STEPS[2])]
    run = Life(url, hosts).apply(draft(*steps))
    note = run.outcomes()[2, HOST].note
    assert run.outcomes()[2, HOST].result is Result.PENDING
    server.start()
    ends = server.silences()[0]["endsAt"][:19].replace("T", " ") + "Z"
    refused = f"unreachable: {server.url}: Connection refused; what this run has silenced ends by itself"
    assert note == f"{refused} at {ends}"
    server.stop()
    hosts.targets.clear()
    run = Life(url, hosts).resume(run.id, draft(*steps))
    assert run.outcomes()[2, HOST].note == f"{refused} at the time that its step tells in `inv show`"
    assert run.outcomes()[0, HOST].note.endswith(f" ends by itself at {ends}")
    server.start()
    server.fire("HostDown", instance=HOST)
    steps[1] = replace(STEPS[1], on=(HOST,))
    assert Life(url, hosts).resume(run.id, draft(*steps)).status is RunStatus.DONE
    assert server.silences() == []


# the server


@pytest.fixture
def before_write(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What is done to the server when we are about to write, once."""
    todo: list[Callable[[], object]] = []
    real = Alertmanager.send

    def send(self: Alertmanager, method: str, path: str, **what: Any) -> Any:
        if method != "GET" and todo:
            todo.pop()()
        return real(self, method, path, **what)

    monkeypatch.setattr(Alertmanager, "send", send)
    return todo


@pytest.mark.usefixtures("hasty")
def test_a_write_that_a_frozen_server_carries_out_later(
    server: AlertmanagerServer, target: AlertTarget, before_write: list[Callable[[], object]]
) -> None:
    before_write.append(server.freeze)
    with target.writer(RUN, 1, 1.0) as writer, pytest.raises(Lost, match="timed out; what became of the command is"):
        SILENCE.do(writer, {})
    assert (writer.transcript[0]["status"], writer.transcript[0]["output"]) == (None, "timed out")
    server.thaw()
    eventually(lambda: bool(server.silences()))
    assert SILENCE.check(target.reader(RUN)).status is Status.DONE
    (made,) = server.silences()
    before_write.append(server.freeze)
    ends = made["endsAt"][:19].replace("T", " ")
    with target.writer(RUN, 1, 1.0) as writer, pytest.raises(Lost, match=f"ends by itself at {ends}Z; what became"):
        EndSilence().do(writer, {})
    server.thaw()
    eventually(lambda: not server.silences())
    assert EndSilence().verify(target.reader(RUN), {}).status is Status.DONE


@pytest.mark.usefixtures("hasty")
def test_a_frozen_server_is_sent_nothing(server: AlertmanagerServer, target: AlertTarget) -> None:
    server.freeze()
    with pytest.raises(Unreachable, match="timed out"), target.writer(RUN, 1, 1.0):
        pass
    with pytest.raises(Unreachable, match="timed out"):
        target.reader().alerts()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_is_gone_before_the_write(
    server: AlertmanagerServer, target: AlertTarget, before_write: list[Callable[[], object]], number: int
) -> None:
    before_write.append(lambda: server.stop(number))
    with target.writer(RUN, 1, 1.0) as writer, pytest.raises(Lost, match="Connection refused"):
        SILENCE.do(writer, {})
    server.start()
    assert server.silences() == []
    assert apply(target, SILENCE).status is Status.DONE


BAD_GATES: dict[str, Answer] = {
    "hung up": (0, "", ""),
    "502": (502, "text/html", "<html>Bad Gateway</html>"),
    "504": (504, "text/plain", "upstream timed out"),
}


@pytest.mark.parametrize("case", BAD_GATES)
def test_an_answer_that_was_lost_on_the_way(
    server: AlertmanagerServer, proxy: ProxyStandIn, behind: AlertTarget, case: str
) -> None:
    """It was carried out, and looking again shows it; or it was not, and that is unknown."""
    proxy.after = lambda method: BAD_GATES[case] if method != "GET" else None
    assert apply(behind, SILENCE).status is Status.DONE
    assert len(server.silences()) == 1
    assert apply(behind, EndSilence()).status is Status.DONE
    assert server.silences() == []
    proxy.before = proxy.after
    with behind.writer(RUN, 1, 1.0) as writer, pytest.raises(Lost, match="it is not so now, and may yet come"):
        SILENCE.do(writer, {})
    server.silence("db1001", comment=f"x [ops-clinic run {RUN}, db1001]")
    with behind.writer(RUN, 1, 1.0) as writer, pytest.raises(Lost, match=r"yet come; what .* ends by itself at 20"):
        EndSilence().do(writer, {})
    assert len(server.silences()) == 1


def test_what_the_server_refuses(server: AlertmanagerServer, target: AlertTarget, proxy: ProxyStandIn) -> None:
    with (
        target.writer(RUN, 1, 1.0) as writer,
        pytest.raises(CommandFailed, match=r"silences: 400 .*start time must"),
    ):
        writer.create(-60, "over before it began")
    assert writer.transcript[0]["status"] == 400
    apply(target, SILENCE)
    proxy.before = lambda method: (403, "text/plain", "read only") if method != "GET" else None
    behind = AlertTarget(HOST, Alertmanager(proxy.url, "lena"))
    with (
        behind.writer(RUN, 1, 1.0) as writer,
        pytest.raises(CommandFailed, match=r"403 read only; .*ends by itself"),
    ):
        EndSilence().do(writer, {})
    assert len(server.silences()) == 1


def test_one_that_somebody_else_has_ended_meanwhile(
    server: AlertmanagerServer, target: AlertTarget, before_write: list[Callable[[], object]]
) -> None:
    apply(target, SILENCE)
    before_write.append(server.clear)
    assert apply(target, EndSilence()).status is Status.DONE
    apply(target, replace(SILENCE, for_s=60))
    before_write.append(server.clear)
    assert apply(target, SILENCE).status is Status.DONE, "it was to be made longer, and is made anew"
    assert len(server.silences()) == 1


STRANGERS: dict[str, tuple[Answer, type[Exception], str]] = {
    "a page": ((200, "text/html", "<html>Hello</html>"), Blocked, "as an Alertmanager does .200 <html>Hello"),
    "not found": ((404, "text/plain", "404 page not found"), Blocked, "(404 404 page not found): look at"),
    "elsewhere": ((302, "https://sso.example/login", ""), Blocked, "302 https://sso.example/login"),
    "something else": ((200, "application/json", '{"status":"success"}'), Blocked, '200 {"status":"success"}'),
    "nothing": ((200, "application/json", "{}"), Blocked, "does not answer as an Alertmanager does"),
    "null": ((200, "application/json", "null"), Blocked, "200 null"),
    "other rows": ((200, "application/json", '[{"id": 7}]'), Blocked, '200 [{"id": 7}]'),
    "no rows": ((200, "application/json", '["x", 7]'), Blocked, "look at alertmanager.url"),
    "no dates": ((200, "application/json", '[{"id": "x", "matchers": [], "startsAt": "soon", "endsAt": ""}]'), Blocked,
                 "look at alertmanager.url"),
    "closed": ((503, "text/plain", "no\nbackend"), Unreachable, "503 no backend"),
    "hung up": ((0, "", ""), Unreachable, "closed connection without response"),
    "not allowed": ((403, "text/plain", "Forbidden"), LoginRefused, "refuses us, who give no password: 403 Forbidden"),
}  # fmt: skip


@pytest.mark.parametrize("case", STRANGERS)
def test_what_is_no_alertmanager(proxy: ProxyStandIn, behind: AlertTarget, case: str) -> None:
    answer, kind, why = STRANGERS[case]
    proxy.before = lambda _method: answer
    for look in (behind.reader(RUN).silences, behind.reader(RUN).alerts):
        with pytest.raises(kind) as raised:
            look()
        assert proxy.url in str(raised.value) and "\n" not in str(raised.value)
        assert why.replace(".200", "(200") in str(raised.value)
    with pytest.raises(kind), behind.writer(RUN, 1, 1.0):
        pass
    assert not [asked for asked in proxy.asked if not asked.startswith("GET")]


def test_what_is_below_another_path(server: AlertmanagerServer) -> None:
    target = AlertTarget(HOST, Alertmanager(f"{server.url}/alerts", "lena"))
    with pytest.raises(Blocked, match="404 404 page not found"):
        SILENCE.check(target.reader())


# who it is, and who we are


@pytest.fixture
def known(secured: AlertmanagerServer) -> Alertmanager:
    """A client that knows the CA and the password."""
    return Alertmanager(secured.url, "lena", user=USER, password=Secret(PASSWORD), ca=secured.ca, timeout_s=30)


def test_secured(secured: AlertmanagerServer, known: Alertmanager, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own CA and a password; what this machine's environment says of proxies and bundles goes for nothing."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    target = AlertTarget(HOST, known)
    assert apply(target, SILENCE).status is Status.DONE
    assert apply(target, EndSilence()).status is Status.DONE
    secured.clear()


NOT_TALKED_TO: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no CA of ours": ({"ca": None}, Unreachable, "certificate verify failed"),
    "another name": ({"url": "https://localhost:{port}"}, Unreachable, "(?i)certificate|match"),
    "no TLS": ({"url": "http://127.0.0.1:{port}"}, Blocked, "does not answer as an Alertmanager does .400"),
    "a wrong password": ({"password": Secret("wrong-one")}, LoginRefused, "refuses ops: 401 Unauthorized"),
    "another user": ({"user": "root"}, LoginRefused, "refuses root: 401"),
    "no password": ({"user": "", "password": None}, LoginRefused, "refuses us, who give no password: 401"),
    "a token": ({"user": "", "password": None, "token": Secret("wrong-one")}, LoginRefused, "refuses our token: 401"),
    "nobody there": ({"url": "https://127.0.0.1:1"}, Unreachable, "Connection refused"),
    "no such name": ({"url": "https://nohost.invalid"}, Unreachable, "(?i)name"),
}


@pytest.mark.parametrize("case", NOT_TALKED_TO)
def test_whom_we_do_not_talk_to(secured: AlertmanagerServer, known: Alertmanager, case: str) -> None:
    values, kind, why = NOT_TALKED_TO[case]
    values = {name: v.format(port=secured.port) if isinstance(v, str) else v for name, v in values.items()}
    with pytest.raises(kind, match=why) as raised:
        SILENCE.check(AlertTarget(HOST, replace(known, **values)).reader(RUN))
    assert not [word for word in (PASSWORD, "wrong-one") if word in str(raised.value)]
    assert "\n" not in str(raised.value)


def test_a_token(server: AlertmanagerServer) -> None:
    with ProxyStandIn(server.url, token="geheim-token") as proxy:
        target = AlertTarget(HOST, Alertmanager(proxy.url, "lena", token=Secret("geheim-token")))
        assert apply(target, SILENCE).status is Status.DONE
        with pytest.raises(LoginRefused, match="401 Unauthorized"):
            AlertTarget(HOST, Alertmanager(proxy.url, "lena")).reader().silences()


def test_a_secret_shows_itself_nowhere(secured: AlertmanagerServer, known: Alertmanager, url: str) -> None:
    secured.fire("HostDown", instance=HOST)
    life = Life(url, Hosts(client=known))
    run = life.apply(draft(*(replace(step, on=(HOST,)) for step in STEPS)))
    assert run.status is RunStatus.DONE
    assert PASSWORD not in repr(run) + repr(known) + str(known)
    assert PASSWORD.encode() not in Path(url.removeprefix("sqlite:///")).read_bytes()
    assert "***" in repr(known)
    secured.clear()


# the site


def site(tmp_path: Path, **values: Any) -> Site:
    (tmp_path / "hosts.yaml").write_text("hosts: {db1001: {}}\n")
    layer = Layer({"inventory": str(tmp_path), "alertmanager": values}, "invoke.yaml", tmp_path)
    return Site(Settings.of(layer, root=tmp_path), "lena")


@pytest.mark.parametrize("place", ["environment", "file"])
def test_the_fleet_has_it_under_the_host(
    tmp_path: Path, secured: AlertmanagerServer, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    more = {}
    if place == "environment":
        monkeypatch.setenv("OPS_CLINIC_ALERTMANAGER_PASSWORD", PASSWORD)
    else:
        (tmp_path / "secret").touch(mode=0o600)
        (tmp_path / "secret").write_text(PASSWORD)
        more = {"password_file": "secret"}
    made = site(tmp_path, url=secured.url, ca=str(secured.ca), user=USER, label="host", timeout_s=7, **more)
    target = made.targets["alerts:db1001"]
    assert isinstance(target, AlertTarget)
    assert target is made.targets["alerts:db1001"] and target is not made.targets["db1001"]
    assert (target.name, target.client.operator, target.matcher.name, target.client.timeout_s) == (
        HOST,
        "lena",
        "host",
        7,
    )
    assert SILENCE.check(target.reader()).status is Status.TODO
    for unknown in ("alerts:db9999", "alerts:", "alarms:db1001"):
        with pytest.raises(InventoryError):
            made.targets[unknown]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({}, "alertmanager.url is not set"),
    "no password": ({"url": "https://a", "user": "ops"}, "alertmanager.user and a password go together: OPS_CLINIC_"),
    "no user": ({"url": "https://a", "password_file": "kept"}, "alertmanager.user and a password go together"),
    "everybody's file": ({"url": "https://a", "token_file": "open"}, "chmod 600"),
    "no such CA": ({"url": "https://a", "ca": "none.pem"}, "alertmanager.ca: .*none.pem: no such file"),
    "two ways": (
        {"url": "https://a", "user": "ops", "password_file": "kept", "token_file": "kept"},
        "leave one",
    ),
    "in the open": ({"url": "http://a", "user": "ops", "password_file": "kept"}, "http://a: .* only sent over https"),
    "a token in the open": ({"url": "http://a", "token_file": "kept"}, "only sent over https"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_cannot_be_used(tmp_path: Path, case: str) -> None:
    for name, mode in (("open", 0o644), ("kept", 0o600)):
        (tmp_path / name).write_text("geheim\n")
        (tmp_path / name).chmod(mode)
    values, why = REFUSED[case]
    with pytest.raises(SettingsError, match=why) as raised:
        _ = site(tmp_path, **values).alertmanager
    assert "geheim" not in str(raised.value)


def test_a_token_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_CLINIC_ALERTMANAGER_TOKEN", "geheim")
    token = site(tmp_path, url="https://a").alertmanager.token
    assert token and token.reveal() == "geheim"
