"""The recorded transport: what a real shell answered is played again, in its order, with faults that were asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbooks.errors import Lost, UsageError
from runbooks.systems.host import HostTarget
from runbooks.systems.reads import Read
from runbooks.transport import shell as module
from runbooks.transport.local import LocalChannel
from runbooks.transport.recorded import Faults, RecordedTransport, Recorder, Recording
from runbooks.transport.shell import Shell

RUN = "20261123-220000-abcdef"


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(module, "_LOCKED_DIR", str(tmp_path))


def there(place: Path) -> Read[bool]:
    return Read(("test", "-e", str(place)), lambda result: result.status == 0, ok=(0, 1))


def walk(target: HostTarget, place: Path, run_id: str = RUN, epoch: int = 1) -> list[bool]:
    """Look, act, look again."""
    seen = []
    reader = target.reader(run_id)
    seen.append(reader.ask(there(place)))
    with target.writer(run_id, epoch, 5) as writer:
        writer.run("touch", str(place))
    reader = target.reader(run_id)
    seen.append(reader.ask(there(place)))
    return seen


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    made = Recording()
    target = HostTarget("h1", lambda: Shell("h1", Recorder(LocalChannel(), made), 20))
    assert walk(target, tmp_path / "done") == [False, True]
    target.close()
    return made


def played(transport: RecordedTransport, name: str) -> HostTarget:
    return HostTarget(name, lambda: Shell(name, transport.open(name), 20))


def test_every_host_answers_as_the_recorded_one_did(recording: Recording, tmp_path: Path) -> None:
    (tmp_path / "done").unlink()
    transport = RecordedTransport(Recording.from_text(recording.to_text()))
    for number in range(3):
        # Another run, epoch and token: no answer rests on them.
        target = played(transport, f"h{number}")
        assert walk(target, tmp_path / "done", f"20270101-00000{number}-123456", number + 1) == [False, True]
    assert not (tmp_path / "done").exists(), "nothing was done here"


def test_what_was_never_recorded_is_an_error(recording: Recording) -> None:
    with pytest.raises(LookupError, match="holds no answer to"):
        played(RecordedTransport(recording), "h1").reader().ask(there(Path("/elsewhere")))


def test_a_round_trip_takes_its_time(recording: Recording, tmp_path: Path) -> None:
    slept: list[float] = []
    transport = RecordedTransport(recording, latency_s=0.08, sleep=slept.append)
    walk(played(transport, "h1"), tmp_path / "done")
    assert set(slept) == {0.08} and len(slept) == 3


def test_faults_follow_from_the_seed(recording: Recording, tmp_path: Path) -> None:
    faults = Faults(seed=1, lost=0.5)
    assert [faults.of(f"h{n}", 0) for n in range(50)] == [Faults(1, 0.5).of(f"h{n}", 0) for n in range(50)]
    transport = RecordedTransport(recording, faults=faults)
    lost = 0
    for number in range(20):
        try:
            walk(played(transport, f"h{number}"), tmp_path / "done")
        except Lost:
            lost += 1
    assert lost == sum(faults.of(f"h{n}", 0) == "lost" for n in range(20)) > 0


def test_what_is_no_recording_is_refused() -> None:
    with pytest.raises(UsageError, match="not a recording"):
        Recording.from_text('{"answers": [{"what": 1}]}')
