"""Key exchange: what ssh_config and the settings ask for is what a real sshd is offered, whichever client it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from runbooks.errors import SettingsError, Unreachable
from runbooks.transport.route import CLIENTS, SshSettings
from runbooks.transport.ssh import SshTransport
from tests.waiting import eventually

CURVE, GEX = "curve25519-sha256", "diffie-hellman-group-exchange-sha256"
P256, P384, P521 = (f"ecdh-sha2-nistp{bits}" for bits in (256, 384, 521))
SHA1 = "diffie-hellman-group14-sha1"


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def telling(start_sshd: Callable[..., Any]) -> Any:
    """An sshd that writes down what it is offered."""
    return start_sshd("127.0.53.3", LogLevel="DEBUG2")


def agreed(sshd: Any, client: str, line: str = "", *setting: str) -> str:
    transport = SshTransport(SshSettings(sshd.config(*([line] if line else [])), client=client, key_exchange=setting))
    channel = transport.open("h1", sshd.address, sshd.port, None)
    channel.close()
    assert dict(transport.key_exchanges) == {channel.key_exchange: 1}
    return channel.key_exchange.removesuffix("@libssh.org")


def offered(sshd: Any, client: str, line: str) -> list[str]:
    """What the daemon says it was offered, signals that are no algorithms left out."""
    log = sshd.home / "log"
    before = log.stat().st_size
    agreed(sshd, client, line)

    def found() -> list[str]:
        said = log.read_bytes()[before:].decode("utf-8", "replace")
        return re.findall(r"peer client KEXINIT.*?KEX algorithms: (\S+)", said, re.S)

    eventually(found)
    names = (name.removesuffix("@libssh.org") for name in found()[-1].split(","))
    return [name for name in dict.fromkeys(names) if not name.startswith(("ext-info", "kex-strict"))]


@pytest.mark.parametrize("name", [CURVE, f"{CURVE}@libssh.org", P256, P521, GEX, "diffie-hellman-group16-sha512"])
def test_one_by_the_settings_or_by_ssh_config(telling: Any, client: str, name: str) -> None:
    assert agreed(telling, client, "", name) == name.removesuffix("@libssh.org")
    assert agreed(telling, client, f"KexAlgorithms {name}") == name.removesuffix("@libssh.org")


def test_a_list_is_in_order_of_preference_and_settings_go_first(telling: Any, client: str) -> None:
    assert agreed(telling, client, f"KexAlgorithms {P384},{CURVE}") == P384
    assert agreed(telling, client, f"KexAlgorithms {P384},{CURVE}", P521, P384) == P521
    assert offered(telling, client, f"KexAlgorithms {P384},{CURVE},{P256}") == [P384, CURVE, P256]


def test_plus_appends(telling: Any, client: str) -> None:
    own = offered(telling, client, "")
    assert own[0] in (CURVE, "mlkem768x25519-sha256")
    if client == "libssh":
        assert offered(telling, client, f"KexAlgorithms +{SHA1}") == [*own, SHA1]
    assert offered(telling, client, f"KexAlgorithms +{P384},{P521}") == own


def test_caret_prepends(telling: Any, client: str) -> None:
    own = offered(telling, client, "")
    ours = offered(telling, client, f"KexAlgorithms ^{P384},{P256}")
    assert ours == [P384, P256, *(name for name in own if name not in (P384, P256))]


@pytest.mark.parametrize("names", [f"{P256},{P384},{P521}", "ecdh-sha2-nistp*", "ecdh-*,bogus", "ecdh-sha2-nistp???"])
def test_minus_leaves_out(telling: Any, client: str, names: str) -> None:
    own = offered(telling, client, "")
    ours = offered(telling, client, f"KexAlgorithms -{names}")
    assert ours == [name for name in own if not name.startswith("ecdh")]


def test_leaving_out_what_the_client_does_not_have_changes_nothing(telling: Any, client: str) -> None:
    line = "KexAlgorithms -sntrup761x25519-sha512@openssh.com"
    assert offered(telling, client, line) == offered(telling, client, "")


@pytest.mark.parametrize(
    "line", ["bogus", f"{P256},bogus", f"bogus,{P256}", "+bogus", f"^{P256},bogus", f"{P256},+bogus"]
)
def test_one_that_the_client_does_not_have(sshd: Any, client: str, line: str) -> None:
    with pytest.raises(
        SettingsError, match=r"^key exchange \+?bogus: (libssh|paramiko) here does not have it: [^\n]*$"
    ):
        agreed(sshd, client, f"KexAlgorithms {line}")
    if line[0] not in "+^":
        with pytest.raises(SettingsError, match="bogus"):
            agreed(sshd, client, "", *line.split(","))


@pytest.mark.parametrize("names", [f"{P256},+{P384}", "*"])
def test_a_sign_inside_and_a_pattern_that_is_to_be_used_are_no_names(sshd: Any, client: str, names: str) -> None:
    with pytest.raises(SettingsError, match="does not have it"):
        agreed(sshd, client, f"KexAlgorithms {names}")


def test_leaving_out_all(sshd: Any, client: str) -> None:
    with pytest.raises(SettingsError, match=r"^key exchange -\*: leaves none to use"):
        agreed(sshd, client, "KexAlgorithms -*")


def test_none_in_common(start_sshd: Callable[..., Any], client: str) -> None:
    narrow = start_sshd("127.0.53.4", KexAlgorithms=P384)
    with pytest.raises(Unreachable, match=r"no algorithm in common \([^\n]*\): ssh.key_exchange and KexAlgorithms"):
        agreed(narrow, client, f"KexAlgorithms {P521}")
