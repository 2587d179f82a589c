"""A host's Reader, over a real shell: what it asks, and what it takes from the one before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.systems import host as module
from runbooks.systems.host import FRESH_S, HostReader, HostTarget
from runbooks.systems.reads import Read
from runbooks.transport import shell as shell_module
from runbooks.transport.local import LocalChannel
from runbooks.transport.shell import Shell


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostTarget]:
    monkeypatch.setattr(shell_module, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(shell_module, "_LOCKED_DIR", str(tmp_path))
    made = HostTarget("h1", lambda: Shell("h1", LocalChannel(("/bin/sh",)), 20.0))
    yield made
    made.close()


def held(path: Path) -> Read[str]:
    return Read(("cat", str(path)), lambda result: result.text)


def one(target: HostTarget) -> HostReader:
    return target.reader()


def test_readers_know_nothing_of_each_other_unless_told(target: HostTarget, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = one(target)
    assert first.ask(held(tmp_path / "a")) == "1"
    (tmp_path / "a").write_text("2")
    assert first.ask(held(tmp_path / "a")) == "2"
    assert one(target).ask(held(tmp_path / "a")) == "2"


def test_what_was_just_seen_is_not_asked_again_unless_asked_twice(target: HostTarget, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("1")
    first, second = one(target), one(target)
    first.ask(held(tmp_path / "a"))
    for name in "ab":
        (tmp_path / name).write_text("2")
    second.recall(first.seen())
    assert second.ask_all([held(tmp_path / "a"), held(tmp_path / "b")]) == ["1", "2"]
    third = one(target)
    third.recall(second.seen())
    assert third.ask(held(tmp_path / "a")) == "1"
    assert third.ask(held(tmp_path / "a")) == "2"


def test_what_was_seen_a_while_ago_is_asked_again(
    target: HostTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("1")
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    readers = [one(target) for _ in range(3)]
    readers[0].ask(held(tmp_path / "a"))
    (tmp_path / "a").write_text("2")
    now[0] += FRESH_S
    readers[1].recall(readers[0].seen())
    assert readers[1].ask(held(tmp_path / "a")) == "1"
    # Passed on, it is as old as it was.
    now[0] += 0.1
    readers[2].recall(readers[1].seen())
    assert readers[2].ask(held(tmp_path / "a")) == "2"


def test_a_picture_holds_still(target: HostTarget, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    reader = one(target)
    reader.hold_still()
    assert reader.ask(held(tmp_path / "a")) == "1"
    (tmp_path / "a").write_text("2")
    assert reader.ask(held(tmp_path / "a")) == "1"


@pytest.fixture
def sent(target: HostTarget) -> list[bytes]:
    """What is sent to the host from here on."""
    channel = target._open()._streams._channel
    told: list[bytes] = []
    send = channel.send
    channel.send = lambda data: (told.append(data), send(data))[1]  # type: ignore[method-assign]
    return told


def test_what_is_likely_asked_is_asked_along_with_the_first(
    target: HostTarget, sent: list[bytes], tmp_path: Path
) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    slow = Read(("cat", str(tmp_path / "c")), lambda result: result.text, timeout_s=60.0)
    first = one(target)
    assert first.ask_all([held(tmp_path / "a"), held(tmp_path / "b"), slow]) == ["a", "b", "c"]
    del sent[:]
    other = one(target)
    other.hold_still(first.seen())
    assert [other.ask(held(tmp_path / name)) for name in "ba"] == ["b", "a"]
    assert len(sent) == 1
    assert other.ask(slow) == "c", "what takes long is asked where it has to be"
    assert len(sent) == 2
    third = one(target)
    third.hold_still(other.seen())
    assert third.ask(held(tmp_path / "a")) == "a"
    assert len(sent) == 3
    # What was only likely, and is not asked any more, is forgotten.
    fourth = one(target)
    fourth.hold_still(third.seen())
    assert fourth.ask(held(tmp_path / "a")) == "a"
    assert b"/b" not in sent[-1] and b"/c" not in sent[-1]


def test_the_last_command_is_followed_by_what_was_looked_at_elsewhere(
    target: HostTarget, sent: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("0")
    elsewhere = one(target)
    elsewhere.ask(held(tmp_path / "a"))
    del sent[:]
    with target.writer("run", 1, 5.0) as writer:
        writer.foresee([elsewhere.seen()], 2)
        writer.run("sh", "-c", f"printf 1 > {tmp_path}/a")
        writer.run("sh", "-c", f"printf 2 > {tmp_path}/a")
    assert [data.count(b"'cat'") for data in sent] == [0, 1]
    assert one(target).ask(held(tmp_path / "a")) == "2"
    assert len(sent) == 2
    with target.writer("run", 1, 5.0) as writer:
        # More commands than foreseen: what was looked at between them is of no use.
        writer.foresee([elsewhere.seen()], 1)
        writer.run("sh", "-c", f"printf 3 > {tmp_path}/a")
        writer.run("sh", "-c", f"printf 4 > {tmp_path}/a")
    assert one(target).ask(held(tmp_path / "a")) == "4"
