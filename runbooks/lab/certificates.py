"""A CA of the lab's own, and a certificate that it has signed, for its servers that speak TLS."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any


def make(top: Path, address: str, days: int = 365) -> None:
    """``ca.pem``, and ``server.pem`` with ``server.key`` for an address: valid from yesterday, for so many days."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    pem = serialization.Encoding.PEM
    ca = _certificate("lab CA", ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=0), 365)
    (top / "ca.pem").write_bytes(ca.public_bytes(pem))
    (top / "server.pem").write_bytes(_certificate(address, key, ca_key, names, days).public_bytes(pem))
    (top / "server.key").touch(mode=0o600)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (top / "server.key").write_bytes(private)


def _certificate(subject: str, key: Any, ca_key: Any, extension: Any, days: int) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    def named(words: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, words)])

    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named("lab CA"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(ca_key, hashes.SHA256())
    )
