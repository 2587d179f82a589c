"""The shell's protocol over a real sh, with real locks and real processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import Busy, CommandFailed, Fenced, Lost, Unreachable, Unwritable
from runbooks.systems.host import HostTarget
from runbooks.transport import quoting, streams
from runbooks.transport import shell as module
from runbooks.transport.local import LocalChannel
from runbooks.transport.quoting import command_line, quote
from runbooks.transport.route import SshSettings
from runbooks.transport.shell import Shell
from runbooks.transport.ssh import SshTransport
from runbooks.transport.streams import Channel
from runbooks.walker import BRIEFLY_S
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(module, "_LOCKED_DIR", str(tmp_path))
    # However slow this machine is: what was told stays fresh.
    monkeypatch.setattr(module, "_FRESH_S", 3600.0)
    return tmp_path


@pytest.fixture(params=["local", "libssh", "fabric"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Shell]]:
    """Makes shells over one of the transports; what starts with commands of a test's own is local."""
    made = []
    if request.param != "local":
        sshd = request.getfixturevalue("sshd")
        transport = SshTransport(SshSettings(sshd.config(), connect_timeout_s=20.0, client=request.param))

    def make(*argv: str, timeout_s: float = 20.0) -> Shell:
        if argv or request.param == "local":
            channel: Channel = LocalChannel(argv or ("/bin/sh",))
        else:
            channel = transport.open("h1", sshd.address, sshd.port, None)
        made.append(Shell("h1", channel, timeout_s))
        return made[-1]

    yield make
    for shell in made:
        shell.close()


@pytest.fixture
def shell(make: Callable[..., Shell]) -> Shell:
    return make()


def take(shell: Shell, *arguments: Any) -> Shell:
    """Hold the lock, or raise why not."""
    shell.lock(*arguments)
    shell.granted()
    return shell


def python(code: str, *arguments: str | bytes) -> tuple[str | bytes, ...]:
    return (sys.executable, "-c", code, *arguments)


OUTPUTS = [
    b"",
    b"one\n",
    b"no newline",
    b"\n\n\n",
    b"nul \0 and \xff\xfe bytes \x80\n\r\n",
    bytes(range(256)) * 7,
    bytes(range(1, 256)) * 3,
    b"x" * 1023 + b"\n",
    b"x" * 1025,
    b"-n \\ trailing \\\n \t",
    b"\n0123456789abcdef012345671 0\n",
    b"%s %d \\n $? `id` 'quotes\"\n",
]


@pytest.mark.parametrize("both", [b"", b"error\0\xff without newline"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_output_of_any_bytes_comes_back_whole(shell: Shell, tmp_path: Path, output: bytes, both: bytes) -> None:
    take(shell, "run", 1, 5)
    (tmp_path / "out").write_bytes(output)
    (tmp_path / "err").write_bytes(both)
    argv = ("sh", "-c", 'cat "$1"; cat "$2" >&2; exit 3', "sh", f"{tmp_path}/out", f"{tmp_path}/err")
    first, second = shell.read([argv, ("echo", "next")])
    assert (first.status, first.stdout, first.stderr) == (3, output, both)
    assert (second.status, second.stdout, second.stderr) == (0, b"next\n", b"")
    acted = shell.act(argv, None, None)
    assert (acted.status, acted.stdout) == (3, output + both)


def test_a_token_of_an_earlier_command_is_only_output(shell: Shell) -> None:
    token = f"{shell._token}1"
    assert shell.read([("printf", f"\\n{token} 7\\n")])[0].stdout == f"\n{token} 7\n".encode()
    assert shell.read([("echo", "next")])[0].stdout == b"next\n"


def test_a_megabyte_on_both_streams_at_once(shell: Shell) -> None:
    code = (
        "import sys; [ (sys.stdout.write('o' * 1024), sys.stderr.write('e' * 1024)) for _ in range(1024) ]; sys.exit(1)"
    )
    result = shell.read([python(code)])[0]
    assert (len(result.stdout), len(result.stderr)) == (1 << 20, 1 << 20)


def test_every_exit_status(shell: Shell) -> None:
    results = shell.read([("sh", "-c", f"exit {status}") for status in range(256)])
    assert [result.status for result in results] == list(range(256))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGPIPE])
def test_a_command_killed_by_a_signal(shell: Shell, number: int) -> None:
    take(shell, "run", 1, 5)
    argv = ("sh", "-c", f"kill -{int(number)} $$")
    assert shell.read([argv])[0].status == 128 + number
    assert shell.act(argv, None, None).status == 128 + number
    assert shell.read([("echo", "alive")])[0].stdout == b"alive\n"


def test_a_command_that_reads_its_input_does_not_eat_the_script(shell: Shell) -> None:
    take(shell, "run", 1, 5)
    results = shell.read([("cat",), ("sh", "-c", "read x; echo got $x"), ("echo", "next")])
    assert [result.stdout for result in results] == [b"", b"got\n", b"next\n"]
    assert shell.act(("cat",), None, None).stdout == b""
    assert shell.act(("cat",), b"fed \0\xff\n'quoted'", None).stdout == b"fed \0\xff\n'quoted'"
    assert shell.act(("true",), b"x" * 200_000, None).status == 0
    assert shell.act(("sh", "-c", "cat; exit 4"), b"x", None).status == 4


ARGUMENTS: list[str | bytes] = [
    "", " ", "a\nb", "'", '"', "$(id)", "`id`", "$HOME", "\\", "*", "~", "-n", "a;b", "a|b&", "#", "{a,b}", "!x", "é",
    b"\xff\xfe", "\udcff", "\t", "%s", "x" * 100_000,
]  # fmt: skip


def test_arguments_arrive_as_they_are(shell: Shell) -> None:
    code = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))"
    expected = [a if isinstance(a, bytes) else a.encode("utf-8", "surrogateescape") for a in ARGUMENTS]
    assert shell.read([python(code, *ARGUMENTS)])[0].stdout.split(b"\0") == expected
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")
    assert command_line(["rm", "-f", "a b"]) == "rm -f 'a b'"


WORDS = ["if", "{", "}", "!", "while", "done", "case", "A=b", "fi", "exit", b"exit", "exec", "return", "unset", "set"]


@pytest.mark.parametrize("word", WORDS)
def test_words_of_the_shells_own_language_are_only_names(shell: Shell, word: str | bytes) -> None:
    take(shell, "run", 1, 5)
    argument = "-Z" if word in ("unset", "set") else "3"
    result, after = shell.read([(word, argument), ("pwd",)])
    assert result.status != 0
    assert after.stdout == b"/\n"
    assert shell.act((word, argument), None, None).status != 0
    assert shell.read([("echo", "alive")])[0].stdout == b"alive\n"


def test_nothing_that_a_command_does_changes_the_shell(shell: Shell) -> None:
    results = shell.read([("cd", "/tmp"), ("umask", "0"), ("pwd",), ("sh", "-c", "umask")])
    assert results[2].stdout == b"/\n"
    assert results[3].stdout != b"0000\n"


def test_what_a_shell_does_itself_is_known() -> None:
    names = subprocess.run(["bash", "-c", "compgen -b"], check=True, capture_output=True, text=True).stdout.split()
    assert len(names) > 50
    assert [name for name in names if not quoting.fed((name,), None).startswith(b"(")] == []


def test_what_a_log_in_script_prints_is_no_answer(make: Callable[..., Shell]) -> None:
    shell = make("/bin/sh", "-c", "echo welcome; echo beware >&2; exec /bin/sh")
    result = shell.read([("echo", "answer")])[0]
    assert (result.stdout, result.stderr) == (b"answer\n", b"")


def test_a_shell_that_ends_at_once_is_unreachable(make: Callable[..., Shell]) -> None:
    with pytest.raises(Unreachable, match="sudo: no"):
        make("/bin/sh", "-c", "echo sudo: no >&2; exit 1").read([("true",)])
    with pytest.raises(Unreachable, match="sudo: no"):
        shell = make("/bin/sh", "-c", "read first; echo sudo: no >&2; exit 1")
        eventually(lambda: shell._streams._channel._process.poll() is not None)  # type: ignore[attr-defined]
        shell.read([("true",)])


def test_many_commands_and_much_output_do_not_wait_for_each_other(shell: Shell) -> None:
    results = shell.read([("printf", "%s", "x" * 2000)] * 200, 20.0)
    assert {result.stdout for result in results} == {b"x" * 2000}


def test_silence_is_lost_and_the_shell_is_not_used_again(shell: Shell) -> None:
    take(shell, "run", 1, 5)
    with pytest.raises(Lost, match="no answer within 0 s"):
        shell.act(("sleep", "30"), None, 0.2)
    assert shell.is_closed
    with pytest.raises(Lost, match="closed"):
        shell.act(("true",), None, None)


def test_a_shell_that_dies_under_a_command(shell: Shell) -> None:
    take(shell, "run", 1, 5)
    with pytest.raises(Lost, match="connection ended"):
        shell.act(("sh", "-c", "kill -9 $(cut -d' ' -f4 /proc/$$/stat); sleep 0.1"), None, None)


def test_too_much_output_is_bounded(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_OUTPUT_BYTES", 1 << 20)
    with pytest.raises(Unreachable, match="printed more than 1 MiB"):
        shell.read([("head", "-c", "3000000", "/dev/zero")])


def test_what_an_action_prints_is_kept_to_a_bound(shell: Shell) -> None:
    take(shell, "run", 1, 5)
    assert len(shell.act(("head", "-c", "300000", "/dev/zero"), None, None).stdout) == module.KEPT_OUTPUT_BYTES


# the lock


def test_nothing_acts_without_the_lock(shell: Shell, tmp_path: Path) -> None:
    assert shell.act(("touch", f"{tmp_path}/done"), None, None).status == 1
    take(shell, "run", 1, 5)
    shell.unlock()
    assert shell.act(("touch", f"{tmp_path}/done"), None, None).status == 1
    assert not (tmp_path / "done").exists()


def test_a_lock_that_is_refused_is_told_with_the_next_command_which_does_not_run(
    make: Callable[..., Shell], tmp_path: Path
) -> None:
    one, other = take(make(), "run", 1, 0), make()
    other.lock("run", 1, 0)
    with pytest.raises(Busy):
        other.act(("touch", f"{tmp_path}/done"), None, None)
    assert other.read([("echo", "goes on")])[0].stdout == b"goes on\n"
    other.lock("run", 1, 0)
    with pytest.raises(Busy):
        other.read([("true",)])
    one.unlock()
    one.read([("true",)])
    other.lock("run", 1, 5)
    assert other.act(("touch", f"{tmp_path}/done"), None, None).status == 0
    assert (tmp_path / "done").exists()


def test_a_lock_that_nothing_needed_is_not_asked_for(make: Callable[..., Shell], tmp_path: Path) -> None:
    one, other = make(), make()
    one.lock("run", 1, 5)
    one.unlock()
    assert one.read([("echo", "here")])[0].stdout == b"here\n"
    assert not (tmp_path / "state").exists()
    take(other, "other", 1, 0)
    one.lock("run", 1, 0)
    with pytest.raises(Busy):
        one.granted()


class Counting:
    """A channel that notes what is sent over another one."""

    def __init__(self, channel: Channel) -> None:
        self.sent: list[bytes] = []
        self._channel = channel
        self.receive, self.close = channel.receive, channel.close

    def send(self, data: bytes) -> None:
        """Pass on."""
        self.sent.append(data)
        self._channel.send(data)


@pytest.fixture
def sent(shell: Shell) -> list[bytes]:
    """What ``shell`` sends from here on."""
    counting = Counting(shell._streams._channel)
    shell._streams._channel = counting
    return counting.sent


def test_a_lock_that_was_not_let_go_of_yet_is_kept(
    make: Callable[..., Shell], shell: Shell, sent: list[bytes], tmp_path: Path
) -> None:
    take(shell, "run", 1, 5)
    shell.unlock()
    shell.lock("run", 1, 0)
    assert shell.act(("touch", f"{tmp_path}/done"), None, None).status == 0
    assert b"flock" not in sent[-1]
    with pytest.raises(Busy):
        take(make(), "run", 1, 0)
    shell.unlock()
    shell.rest()
    take(make(), "other", 1, 5)


def test_a_lock_of_another_run_or_epoch_is_not_kept(shell: Shell, sent: list[bytes], tmp_path: Path) -> None:
    for run, epoch in (("run", 1), ("run", 2), ("other", 2)):
        shell.lock(run, epoch, 5)
        assert shell.act(("touch", f"{tmp_path}/{run}"), None, None).status == 0
        assert b"flock" in sent[-1]
        assert (tmp_path / f"state/{run}/epoch").read_text() == f"{epoch}\n"
        shell.unlock()


# what is asked along with a command


def test_what_is_asked_along_with_a_command_is_answered_when_it_has_ended(
    shell: Shell, sent: list[bytes], tmp_path: Path
) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    other.write_text("other")
    take(shell, "run", 1, 5)
    then = [("cat", str(file)), ("cat", str(other)), ("touch", str(tmp_path / "seen"))]
    assert shell.act(("sh", "-c", f"sleep 0.1; printf new > {file}"), None, None, then).status == 0
    eventually((tmp_path / "seen").exists)
    file.write_text("newer")
    del then[2]
    del sent[:]
    assert [said.stdout for said in shell.read(then[::-1])] == [b"other", b"new"]
    assert sent == []
    # Only once: who asks again wants to know what is there now.
    assert shell.read(then)[0].stdout == b"newer"


def test_answers_that_nobody_asks_for_are_passed_over(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "file"
    take(shell, "run", 1, 5)
    then = [("sh", "-c", f"cat {file}; echo complains >&2"), ("cat", str(file)), ("false",)]
    shell.act(("sh", "-c", f"printf 1 > {file}"), None, None, then)
    assert shell.read([("false",), ("cat", str(file))])[1].stdout == b"1"
    shell.act(("sh", "-c", f"printf 1 > {file}"), None, None, then)
    # Something else first: what was answered before that is gone.
    assert shell.read([("echo", "else")])[0].stdout == b"else\n"
    file.write_text("live")
    assert shell.read([("cat", str(file)), ("echo", "more")])[0].stdout == b"live"
    shell.act(("sh", "-c", f"printf 2 > {file}"), None, None, then)
    assert shell.act(("sh", "-c", f"printf 3 > {file}; echo out; exit 3"), None, None, then[1:]).stdout == b"out\n"
    assert shell.read([("cat", str(file))])[0].stdout == b"3"
    assert shell.read([("sh", "-c", "echo error >&2; exit 4")]) == [module.Result(4, b"", b"error\n")]


def test_answers_of_before_are_none(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"

    def put(text: str) -> None:
        seen = tmp_path / f"seen{text}"
        shell.act(("sh", "-c", f"printf {text} > {file}"), None, None, [("cat", str(file)), ("touch", str(seen))])
        eventually(seen.exists)
        file.write_text("else")

    def now() -> bytes:
        return shell.read([("cat", str(file))])[0].stdout

    take(shell, "run", 1, 5)
    put("1")
    assert now() == b"1"
    put("2")
    shell.rest()
    assert now() == b"else"
    put("3")
    with monkeypatch.context() as impatient:
        impatient.setattr(module, "_FRESH_S", 0.0)
        assert now() == b"else"
    # Another command may have changed it.
    shell.act(("sh", "-c", f"printf 4 > {file}"), None, None, [("cat", str(file))])
    shell.act(("sh", "-c", f"printf 5 > {file}"), None, None)
    assert now() == b"5"


def test_where_the_lock_is_refused_what_was_asked_along_is_answered_all_the_same(
    make: Callable[..., Shell], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    one, other = take(make(), "run", 1, 0), make()
    other.lock("run", 1, 0)
    with pytest.raises(Busy):
        other.act(("sh", "-c", f"printf new > {file}"), None, None, [("cat", str(file))])
    assert other.read([("cat", str(file))])[0].stdout == b"as it was"
    assert not one.is_closed


def test_one_holds_the_lock_and_others_wait(make: Callable[..., Shell]) -> None:
    one, other = make(), make()
    take(one, "run", 1, 0)
    with pytest.raises(Busy):
        take(other, "run", 1, 0)
    with pytest.raises(Busy):
        other.wait_for_lock(0)
    one.unlock()
    one.read([("true",)])
    other.wait_for_lock(0)
    take(other, "run", 1, 0)


def test_another_process_holds_the_lock(shell: Shell, tmp_path: Path) -> None:
    holder = subprocess.Popen(
        ["flock", str(tmp_path), "sh", "-c", "echo held; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout and holder.stdout.readline() == b"held\n"
    with pytest.raises(Busy):
        take(shell, "run", 1, 0.2)
    holder.communicate(b"\n")
    take(shell, "run", 1, 5)


def test_an_older_driver_is_shut_out(make: Callable[..., Shell], tmp_path: Path) -> None:
    new, old = make(), make()
    take(new, "run", 3, 0)
    new.unlock()
    new.read([("true",)])
    with pytest.raises(Fenced):
        take(old, "run", 2, 5)
    take(old, "other", 1, 0)
    old.unlock()
    take(old, "run", 3, 0)
    assert (tmp_path / "state/run/epoch").read_text() == "3\n"
    assert (tmp_path / "state/run").stat().st_mode & 0o777 == 0o700


def test_an_empty_epoch_counts_as_none(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "state/run").mkdir(parents=True)
    (tmp_path / "state/run/epoch").touch()
    take(shell, "run", 2, 0)
    assert (tmp_path / "state/run/epoch").read_text() == "2\n"


def test_a_host_that_cannot_be_written_says_so(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(Unwritable, match="cannot write"):
        take(shell, "run", 1, 0)
    shell.wait_for_lock(0)


def test_what_a_daemon_goes_on_printing_does_not_hide_the_next_output(shell: Shell, tmp_path: Path) -> None:
    take(shell, "run", 1, 5)
    daemon = "(i=0; while [ $i -lt 300 ]; do echo noise; : > $0; i=$((i + 1)); sleep 0.01; done) &"
    begun = "while [ ! -e $0 ]; do sleep 0.01; done"
    assert b"noise\n" in shell.act(("sh", "-c", f"{daemon} {begun}", f"{tmp_path}/begun"), None, None).stdout
    for number in range(50):
        said = shell.act(("echo", str(number)), None, None).stdout
        assert said.replace(b"noise\n", b"") == f"{number}\n".encode()


def test_a_daemon_that_a_command_leaves_does_not_keep_the_lock(make: Callable[..., Shell], tmp_path: Path) -> None:
    one, other = make(), make()
    take(one, "run", 1, 0)
    started = one.act(("sh", "-c", f"setsid sleep 300 & echo $! > {tmp_path}/pid"), None, None)
    assert started.status == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        one.unlock()
        one.read([("true",)])
        take(other, "run", 1, 0)
        assert Path(f"/proc/{pid}").exists()
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_client_that_goes_away_kills_no_command_which_keeps_the_lock(
    make: Callable[..., Shell], tmp_path: Path
) -> None:
    one, other = make(), make()
    take(one, "run", 1, 0)
    script = "echo begun; : > $0/begun; while [ ! -e $0/go ]; do sleep 0.05; done; echo more; : > $0/end"
    with pytest.raises(Lost):
        one.act(("sh", "-c", script, str(tmp_path)), None, 0.3)
    eventually((tmp_path / "begun").exists)
    with pytest.raises(Busy):
        take(other, "run", 2, 0)
    (tmp_path / "go").touch()
    take(other, "run", 2, 20)
    assert (tmp_path / "end").exists()


CLIENT = """
import sys
from runbooks.transport import shell
from runbooks.transport.local import LocalChannel
shell.STATE_DIR, shell._LOCKED_DIR = sys.argv[1] + "/state", sys.argv[1]
one = shell.Shell("h1", LocalChannel(), 60)
one.lock("run", 1, 0)
script = "echo begun; : > $0/begun; while [ ! -e $0/go ]; do sleep 0.05; done; : > $0/end"
one.act(("sh", "-c", script, sys.argv[1]), None, 60)
"""


def test_a_client_that_is_killed_kills_no_command(shell: Shell, tmp_path: Path) -> None:
    client = subprocess.Popen([sys.executable, "-c", CLIENT, str(tmp_path)], cwd=Path(__file__).parents[2])
    eventually((tmp_path / "begun").exists)
    client.kill()
    client.wait()
    with pytest.raises(Busy):
        take(shell, "run", 2, 0)
    (tmp_path / "go").touch()
    take(shell, "run", 2, 20)
    assert (tmp_path / "end").exists()


def test_a_descriptor_above_1024(make: Callable[..., Shell]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        assert make().read([("echo", "high")])[0].stdout == b"high\n"
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# the host above it


def test_a_writer_notes_what_it_sent_and_what_came_back(make: Callable[..., Shell]) -> None:
    target = HostTarget("h1", make)
    with target.writer("run", 1, 0) as writer:
        writer.run("sh", "-c", "echo out; echo err >&2")
        with pytest.raises(CommandFailed, match="returned 3: it said why"):
            writer.run("sh", "-c", "echo it said why >&2; exit 3")
        writer.run("cat", feed=b"secret")
    assert [entry["status"] for entry in writer.transcript] == [0, 3, 0]
    assert writer.transcript[0]["output"] == "out\nerr\n"
    assert "secret" not in writer.transcript[2]["command"]
    target.close()
    assert not target.is_open
    with target.writer("run", 1, BRIEFLY_S):
        pass  # the connection that was closed may just let go of the lock
    target.close()
    target.settle(BRIEFLY_S)
