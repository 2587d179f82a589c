"""What config_list prints and takes, without a server; and with a real Python 2, where there is one."""

from __future__ import annotations

import os
import pty
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.lists import mailman2_reads, mailman2_writer
from runbooks.lists.mailman2_rules import closed, reopened
from runbooks.lists.mailman2_text import decoded, encoded, literal, parse, source

HEAD = b"# -*- python -*-\n# -*- coding: %s -*-\n## settings\n\n"


def python2() -> str:
    """A Python 2, wherever it is."""
    found = [str(path) for path in Path.home().glob(".pyenv/versions/2.7*/bin/python2.7")]
    for name in (*found, shutil.which("python2.7") or "", shutil.which("python2") or ""):
        if name and subprocess.run([name, "-c", "0"], capture_output=True, check=False).returncode == 0:
            return name
    pytest.skip("no Python 2 here")


def printed(text: bytes, charset: str) -> bytes:
    """A description as config_list prints it (bin/config_list, do_list_categories)."""
    lines = text.splitlines()
    is_other = not text.isascii()
    if not lines:
        return b"''"
    if len(lines) == 1 and charset != "us-ascii" and is_other:
        return b'"' + lines[0].replace(b'"', b'\\"') + b'"'
    if len(lines) == 1 or (charset == "us-ascii" and is_other):
        return repr(b"\n".join(lines))[1:].encode()
    return b'"""' + b"\n".join(lines).replace(b'"', b'\\"') + b'"""'


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))
TRICKY = st.lists(st.sampled_from(['"', "\\", "\n", "é", "a", "'", " = ", "#", "&#233;", '"""', "\\n"])).map("".join)


@given(TEXTS | TRICKY, st.sampled_from(["us-ascii", "iso-8859-1", "utf-8", "euc-jp"]))
def test_a_text_is_read_as_it_is_whatever_is_in_it(text: str, charset: str) -> None:
    raw = encoded(text, charset)
    line = b"description = " + printed(raw, charset) + b"\n\n# another\nemergency = 0\n"
    found = parse(HEAD % charset.encode() + line)
    lines = raw.splitlines()
    assert found.settings == {"description": decoded(b"\n".join(lines), charset), "emergency": 0}


@pytest.mark.parametrize("line", ["coding: koi8-r", "coding: utf-8", "codage: iso-8859-1", "кодировка: koi8-r", "?: x"])
def test_what_texts_are_in_is_read_whatever_the_word_for_it_is(line: str) -> None:
    text = f"# -*- python -*-\n# -*- {line} -*-\n## settings\n\nemergency = 0\n"
    if line == "?: x":
        with pytest.raises(ValueError, match="no character set x"):
            parse(text.encode())
    else:
        assert parse(text.encode("koi8-r" if "к" in line else "utf-8")).charset == line.split()[-1].replace(
            "iso-", "iso"
        )


@given(st.binary(), st.sampled_from(["us-ascii", "iso-8859-1", "utf-8", "euc-jp", "koi8-r"]))
def test_bytes_go_back_as_they_came(raw: bytes, charset: str) -> None:
    assert encoded(decoded(raw, charset), charset) == raw


@pytest.mark.parametrize(
    ("text", "charset", "raw"),
    [
        ("café", "us-ascii", b"caf&#233;"),
        ("café", "iso-8859-1", b"caf\xe9"),
        ("日本 é", "euc-jp", "日本 é".encode("euc-jp")),
        ("naïve €", "iso-8859-1", b"na\xefve &#8364;"),
        ("&#65; &#233;", "utf-8", b"&#65; &#233;"),
        ("¥\\", "euc-jp", b"&#165;\\"),
    ],
)
def test_what_a_character_set_does_not_have_is_written_as_browsers_send_it(text: str, charset: str, raw: bytes) -> None:
    assert encoded(text, charset) == raw
    assert decoded(raw, charset) == text


def test_values_of_every_kind_are_read_and_code_is_not() -> None:
    text = b"""digestable = True
moderator = []
owner = ['a@b.c', u'\\xe9@b.c', '\\xc3\\xa9']
header_filter_rules = [('to: .*\\n', 3, False)]
bounce_score_threshold = 5.0
delta = -1
nothing = None
info = "it's"
"""
    assert parse(HEAD % b"utf-8" + text).settings == {
        "digestable": 1,
        "moderator": [],
        "owner": ["a@b.c", "é@b.c", "é"],
        "header_filter_rules": [["to: .*\n", 3, 0]],
        "bounce_score_threshold": 5.0,
        "delta": -1,
        "nothing": None,
        "info": "it's",
    }
    for code in ("__import__('os')", "f'{1}'", "b'x'", "1 + 1", "{1: 2}", "(", "[" * 5000):
        with pytest.raises(ValueError, match="no "):
            literal(code, "utf-8")
    for bad in (b"", b"No such list\n", HEAD % b"no-such-set" + text, b"description = 'a\n"):
        with pytest.raises(ValueError, match="no "):
            parse(bad)


VALUES = st.recursive(st.text() | st.integers() | st.booleans(), st.lists, max_leaves=6)


@given(VALUES)
def test_what_is_written_is_one_literal_in_ascii_and_means_the_same(value: object) -> None:
    text = source({"description": value}, "utf-8")
    assert text.isascii() and text.count(b"\n") == 1 and text.startswith(b"description = ")
    assert literal(text.decode().partition(" = ")[2].strip(), "utf-8") == plain(value)


def plain(value: object) -> object:
    """Truth values are numbers, and references are what they stand for, in what comes back."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str):
        return decoded(encoded(value, "utf-8"), "utf-8")
    return int(value) if isinstance(value, bool) else value


def test_a_name_that_is_no_setting_is_not_written() -> None:
    for name in ("mlist", "x = 1; y", "__class__", "Ünicode", ""):
        with pytest.raises(ValueError, match="no setting"):
            source({name: 1}, "utf-8")
    with pytest.raises(ValueError, match="no value"):
        source({"description": {"a": 1}}, "utf-8")


def test_python_2_means_the_same_by_it() -> None:
    values = {
        "description": 'a "b" \'c\' \\n é \udcff\n__import__("os").system("false")#',
        "header_filter_rules": [[".*", 3, 0]],
        "owner": ["a@b.c"],
        "emergency": True,
    }
    program = source(values, "utf-8") + b"print([repr(description), header_filter_rules, owner, emergency])\n"
    said = subprocess.run([python2(), "-"], input=program, capture_output=True, check=True).stdout
    raw = b'a "b" \'c\' \\n \xc3\xa9 \xff\n__import__("os").system("false")#'
    assert said.decode().strip() == f"[{repr(raw)[1:]!r}, [('.*', 3, 0)], ['a@b.c'], 1]"


def test_a_password_is_taken_from_standard_input_even_where_there_is_a_terminal() -> None:
    """As newlist asks for it (bin/newlist: getpass), started as the driver starts it, on a terminal of its own."""
    program = "import getpass, sys; print(repr(getpass.getpass('Initial password: '))); sys.exit(3)"
    outer = 'printf "secret\\nmore\\n" | sh -c "$@"'
    inner = (mailman2_writer._NO_TERMINAL, "sh", python2(), "-c", program)
    here, there = pty.openpty()
    try:
        argv = ["setsid", "--ctty", "--wait", "sh", "-c", outer, "sh", *inner]
        done = subprocess.run(argv, stdin=there, capture_output=True, timeout=30, check=False)
    finally:
        os.close(here)
        os.close(there)
    assert done.stdout.decode().strip().endswith("'secret'") and done.returncode == 3, done


@pytest.mark.parametrize("program", ["_LISTS_PROGRAM", "_STATE_PROGRAM"])
def test_the_programs_run_under_python_2(program: str, tmp_path: Path) -> None:
    """With as little of Mailman around them as they look at."""
    (tmp_path / "Mailman").mkdir()
    (tmp_path / "Mailman/__init__.py").write_text("")
    (tmp_path / "Mailman/mm_cfg.py").write_text(
        f"LOCK_DIR = {str(tmp_path)!r}\nVIRTUAL_HOSTS = {{'www': 'a.b'}}\n"
        "DEFAULT_URL_HOST, DEFAULT_EMAIL_HOST = 'web', 'a.b'\n"
    )
    (tmp_path / "Mailman/Utils.py").write_text("def list_names(): return ['ops', 'cat']\n")
    (tmp_path / "Mailman/MailList.py").write_text("class MailList:\n  def __init__(s, n, lock): s.host_name = 'A.B'\n")
    setting = f"""
import os, pickle, socket, sys, time
sys.path.insert(0, {str(tmp_path)!r})
class List:
    password, post_id = u'abc', 3.0
    def fullpath(self): return {str(tmp_path)!r}
    def ArchiveFileName(self): return {str(tmp_path / "Mailman/mm_cfg.py")!r}
    def getMembers(self): return ['a', 'b']
    def internal_name(self): return 'ops'
    host_name = 'A.B'
mlist = List()
held = (1, (2.5, u'\\xe9@b.c', '=?utf-8?q?caf=C3=A9?=', 'why', 'file', {{}}))
requests = {{'version': (0, 1), 7: held, 9: (1, (1.5, 'a@b.c', 'first', '', '', {{}})), 8: (2, ())}}
pickle.dump(requests, open({str(tmp_path / "request.pck")!r}, 'wb'), 1)
for name, pid, age in (('ops', 4194305, -60), ('cat', os.getpid(), -60), ('old', 4194305, 60)):
    lock = {str(tmp_path)!r} + '/' + name + '.lock'
    open(lock, 'w').write('%s.%s.%d.%d' % (lock, socket.gethostname(), pid, 0))
    os.utime(lock, (time.time() - age, time.time() - age))
open({str(tmp_path)!r} + '/odd.lock', 'w').write('odd')
print(os.getpid())
"""
    script = setting + getattr(mailman2_reads, program)
    said = subprocess.run([python2(), "-"], input=script.encode(), capture_output=True, check=True).stdout
    pid, _, told = said.decode().partition("\n")
    found = literal(told.removeprefix("ops-clinic: ").strip(), "utf-8")
    host = socket.gethostname()
    dead = ["ops", str(tmp_path / "ops.lock"), host, 4194305, "0", 1]
    if program == "_LISTS_PROGRAM":
        lists, hosts, locks = found  # type: ignore[misc]
        assert (lists, hosts) == ([["cat", "A.B"], ["ops", "A.B"]], [["web", "a.b"], ["www", "a.b"]])
        assert sorted(locks) == [["cat", str(tmp_path / "cat.lock"), host, int(pid), "0", 0], dead]
    else:
        size = (tmp_path / "Mailman/mm_cfg.py").stat().st_size
        digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        held = [[1.5, 9, "a@b.c", "first"], [2.5, 7, "é@b.c", "=?utf-8?q?caf=C3=A9?="]]
        assert found == [held, [1, 2, 2, size], digest, "A.B", [dead]]


OPEN = {
    "header_filter_rules": [["^subject: spam", 7, 0]],
    "ban_list": ["eve@example.org"],
    "emergency": 0,
    "generic_nonmember_action": 2,
    "member_moderation_action": 2,
    "send_reminders": 0,
    "digest_send_periodic": 1,
    "admin_notify_mchanges": 1,
    "bounce_you_are_disabled_warnings_interval": 14,
    "dmarc_moderation_action": 3,
}


def test_closing_adds_to_what_is_there_and_says_nothing_twice() -> None:
    wanted = closed(OPEN)
    assert wanted == {
        "header_filter_rules": [[".*", 3, 0], ["^subject: spam", 7, 0]],
        "ban_list": ["eve@example.org", "^.*@.*"],
        "digest_send_periodic": 0,
        "admin_notify_mchanges": 0,
        "bounce_you_are_disabled_warnings_interval": 36500,
        "dmarc_moderation_action": 4,
    }
    assert closed(OPEN | wanted) == {}
    munges = OPEN | {"dmarc_moderation_action": 2}
    assert "dmarc_moderation_action" not in closed(munges), "that changes mails, and sends none"
    later = [["^subject: spam", 7, 0], [".*", 3, 0]]
    assert closed(OPEN | wanted | {"header_filter_rules": later})["header_filter_rules"] == [[".*", 3, 0], *later]


def test_opening_takes_off_what_closing_adds_and_leaves_an_open_list_alone() -> None:
    assert reopened(OPEN) == {}
    assert reopened(OPEN | {"emergency": 1}) == {}
    assert reopened(OPEN | closed(OPEN)) == {
        "header_filter_rules": [["^subject: spam", 7, 0]],
        "ban_list": ["eve@example.org"],
        "send_reminders": 1,
        "digest_send_periodic": 1,
        "bounce_you_are_disabled_warnings_interval": 7,
        "dmarc_moderation_action": 3,
    }
    by_script = OPEN | {"emergency": 1, "ban_list": ["^.*@.*"], "send_reminders": 1}
    assert reopened(by_script) == {
        "emergency": 0,
        "generic_nonmember_action": 1,
        "member_moderation_action": 0,
        "ban_list": [],
    }
