"""SSH public keys: what sshd would take, and what it would silently ignore."""

from __future__ import annotations

import base64

import pytest

from runbooks.registry.keys import Key, parse_key

from .small import ED25519


def blob(*parts: bytes) -> str:
    return base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).decode()


GOOD = {
    "ssh-rsa": blob(b"ssh-rsa", b"\1\0\1", b"\0" + b"\x99" * 256),
    "ssh-dss": blob(b"ssh-dss", *(b"\1" * 20,) * 4),
    "ssh-ed25519": blob(b"ssh-ed25519", b"\7" * 32),
    "ecdsa-sha2-nistp256": blob(b"ecdsa-sha2-nistp256", b"nistp256", b"\4" * 65),
    "ecdsa-sha2-nistp384": blob(b"ecdsa-sha2-nistp384", b"nistp384", b"\4" * 97),
    "ecdsa-sha2-nistp521": blob(b"ecdsa-sha2-nistp521", b"nistp521", b"\4" * 133),
    "sk-ssh-ed25519@openssh.com": blob(b"sk-ssh-ed25519@openssh.com", b"\7" * 32, b"ssh:"),
    "sk-ecdsa-sha2-nistp256@openssh.com": blob(b"sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", b"\4" * 65, b"ssh:"),
}


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("comment", ["", "bob@laptop", "bob at work # 2"])
def test_good_keys(kind: str, comment: str) -> None:
    assert parse_key(f"{kind} {GOOD[kind]} {comment}".strip()) == Key(kind, GOOD[kind], comment)


def test_options_stand_in_front() -> None:
    options = r'from="10.0.0.0/8,::1",command="echo \"ssh-rsa x\" y",no-pty'
    assert parse_key(f"{options} {ED25519}").options == options
    assert parse_key(f"{options} {ED25519}").comment == "bob@laptop"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no known key type"),
        ("hello", "no known key type"),
        ("ssh-rsa", "no key behind its type"),
        ("ssh-foo AAAA", "no known key type"),
        ("ssh-rsa AAA*", "no base64"),
        ("ssh-rsa AAAAB", "no base64"),
        (f"ssh-rsa {GOOD['ssh-ed25519']}", "of another type than ssh-rsa"),
        (f"ssh-ed25519 {GOOD['ssh-ed25519'][:40]}", "cut short"),
        (f"ssh-ed25519 {blob(b'ssh-ed25519', b'7' * 31)}", "ed25519 is malformed"),
        (f"ssh-ed25519 {blob(b'ssh-ed25519', b'7' * 32, b'')}", "has 2 parts"),
        (f"ssh-rsa {blob(b'ssh-rsa', bytes(3), b'')}", "number is malformed"),
        (f"ssh-rsa {blob(b'ssh-rsa', b'3', bytes([0x99]) * 9)}", "number is malformed"),
        (f"ecdsa-sha2-nistp256 {blob(b'ecdsa-sha2-nistp256', b'nistp384', b'4' * 65)}", "curve is malformed"),
        (f"ecdsa-sha2-nistp256 {blob(b'ecdsa-sha2-nistp256', b'nistp256', bytes(65))}", "point is malformed"),
        (f"ssh-rsa {ED25519.split()[1][:30]} {ED25519.split()[1][30:]}", "cut short|no base64|another type"),
    ],
)
def test_bad_keys(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_key(line)
