"""Whom the HTTPS client believes, and what it says of whom it does not."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import LoginRefused, Lost, RunbookError, Unreachable
from runbooks.lab import certificates
from runbooks.oob import https
from runbooks.oob.https import Https
from runbooks.oob.model import Action, Bmc, Power
from runbooks.oob.redfish import Redfish
from tests.oob.https_server import ADDRESS
from tests.oob.redfish_standin import PASSWORD, StandIn, running, standin


def digest(folder: Path) -> bytes:
    der = ssl.PEM_cert_to_DER_cert((folder / "server.pem").read_text())
    return hashlib.sha256(der).digest()


@contextmanager
def asked(folder: Path, **trust: Any) -> Iterator[tuple[Redfish, StandIn]]:
    service = standin("ilo5")
    with running(service, folder) as port:
        driver = Redfish(service.bmc(port, **trust), PASSWORD, 20.0)
        yield driver, service
        driver.close()


def refused(folder: Path, **trust: Any) -> str:
    """What is said; nothing was sent."""
    with asked(folder, **trust) as (driver, service):
        with pytest.raises(Unreachable) as told:
            driver.power()
        assert not isinstance(told.value, LoginRefused)
        with pytest.raises(Unreachable):
            driver.set_power(Action.OFF)
        assert not service.asked
    text = str(told.value)
    assert text.startswith("db1001: unreachable: ") and "\n" not in text and PASSWORD.reveal() not in text
    return text


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A CA that has signed nothing here, and a server's certificate."""
    certificates.make(tmp_path, ADDRESS)
    return tmp_path


def test_the_right_authority(tls: Path) -> None:
    with asked(tls, ca=str(tls / "ca.pem")) as (driver, _):
        assert driver.power() is Power.ON


def test_a_server_s_own_certificate_as_authority(tls: Path) -> None:
    with asked(tls, ca=str(tls / "server.pem")) as (driver, _):
        assert driver.power() is Power.ON


def test_the_system_s_authorities_do_not_know_it(tls: Path) -> None:
    said = refused(tls)
    assert "its certificate proves nothing: unable to get local issuer certificate" in said
    assert f"its SHA-256 is {digest(tls).hex()}: if that is right, pin it" in said
    assert "--insecure" in said and " ca" in said


def test_another_authority(tls: Path, other: Path) -> None:
    assert "proves nothing" in refused(tls, ca=str(other / "ca.pem"))


def test_the_system_s_authorities_count(tls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls / "ca.pem"))
    https._context.cache_clear()
    with asked(tls) as (driver, _):
        assert driver.power() is Power.ON
    https._context.cache_clear()


@pytest.mark.parametrize("pinned", [True, False])
def test_a_certificate_for_another_name(tmp_path: Path, pinned: bool) -> None:
    certificates.make(tmp_path, "127.0.0.9")
    if pinned:
        with asked(tmp_path, fingerprint=digest(tmp_path).hex()) as (driver, _):
            assert driver.power() is Power.ON
        return
    assert "certificate is not valid for '127.0.0.1'; its SHA-256 is" in refused(tmp_path, ca=str(tmp_path / "ca.pem"))


@pytest.mark.parametrize("pinned", [True, False])
def test_an_expired_certificate(tmp_path: Path, pinned: bool) -> None:
    certificates.make(tmp_path, ADDRESS, days=0)
    if pinned:
        with asked(tmp_path, fingerprint=digest(tmp_path).hex()) as (driver, _):
            assert driver.power() is Power.ON
        return
    assert "proves nothing: certificate has expired" in refused(tmp_path, ca=str(tmp_path / "ca.pem"))


def written(digest: bytes) -> list[str]:
    return [
        digest.hex(),
        digest.hex(":").upper(),
        "SHA256:" + base64.b64encode(digest).decode(),
        "SHA256:" + base64.b64encode(digest).decode().rstrip("="),
    ]


@pytest.mark.parametrize("form", range(4))
def test_a_pinned_certificate(tls: Path, other: Path, form: int) -> None:
    with asked(tls, fingerprint=written(digest(tls))[form], ca=str(other / "ca.pem")) as (driver, _):
        assert driver.power() is Power.ON
    said = refused(tls, fingerprint=written(digest(other))[form], ca=str(tls / "ca.pem"))
    assert f"its certificate is not the pinned one: its SHA-256 is {digest(tls).hex()}" in said


def test_whoever_answers_is_believed_where_that_is_wanted(tls: Path, other: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with asked(tls, ca=str(other / "ca.pem"), fingerprint=digest(other).hex(), insecure=True) as (driver, _):
            assert driver.power() is Power.ON


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_of_authorities_that_is_none(tls: Path, tmp_path: Path, text: str | None) -> None:
    if text:
        (tmp_path / "ca.pem").write_text(text)
    assert f"{tmp_path / 'ca.pem'}: no file of certificates: " in refused(tls, ca=str(tmp_path / "ca.pem"))


def no_answer(bmc: Bmc, timeout_s: float = 10.0) -> str:
    client = Https(bmc, (bmc.address, bmc.port), timeout_s)
    with pytest.raises(Unreachable) as told:
        client.ask("POST", "/", {})
    return str(told.value)


def test_nobody_there() -> None:
    with socket.create_server((ADDRESS, 0)) as held:
        port = held.getsockname()[1]
    assert no_answer(Bmc("db1001", "redfish", ADDRESS, "root", port)).endswith(f"{ADDRESS}:{port}: Connection refused")


@pytest.mark.parametrize("name", ["nowhere.invalid", "two..dots", "a blank"])
def test_no_such_name(name: str) -> None:
    assert f"{name}:443: " in no_answer(Bmc("db1001", "redfish", name, "root", 443))


@contextmanager
def saying(words: bytes) -> Iterator[int]:
    """A server without TLS that says that, and nothing more."""
    with socket.create_server((ADDRESS, 0)) as server:

        def serve() -> None:
            held = []
            try:
                while True:
                    held.append(server.accept()[0])
                    held[-1].sendall(words)
            except OSError:
                for one in held:
                    one.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("words", "why"), [(b"", "no answer within 0.3 s"), (b"SSH-2.0-x\r\n", "no TLS that we speak: ")]
)
def test_no_tls_there(words: bytes, why: str) -> None:
    with saying(words) as port:
        timeout_s = 10.0 if words else 0.3
        assert why in no_answer(Bmc("db1001", "redfish", ADDRESS, "root", port, insecure=True), timeout_s)


@pytest.mark.parametrize(("method", "kind"), [("GET", Unreachable), ("POST", Lost), ("PATCH", Lost)])
def test_an_answer_that_does_not_come(tls: Path, method: str, kind: type[RunbookError]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "server.pem", tls / "server.key")
    heard: list[bytes] = []
    with socket.create_server((ADDRESS, 0)) as server:

        def serve() -> None:
            for silent in (True, False):
                with context.wrap_socket(server.accept()[0], server_side=True) as made:
                    heard.append(made.recv(10_000))
                    while silent and made.recv(10_000):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        client = Https(Bmc("db1001", "redfish", ADDRESS, "root", port, str(tls / "ca.pem")), (ADDRESS, port), 3.0)
        for why in ("no answer within 3 s", "the connection broke"):
            with pytest.raises(kind, match=why):
                client.ask(method, "/x", {}, b"{}")
        thread.join()
    assert [one.split()[0].decode() for one in heard] == [method] * 2


def test_an_ipv6_address_is_written_as_one() -> None:
    bmc = Bmc("db1001", "redfish", "::1", "root", 443)
    assert Https(bmc, ("::1", 443), 1.0).where == "[::1]:443"
