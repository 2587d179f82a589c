"""Certificates for the HTTPS servers of these tests, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbooks.lab import certificates
from tests.oob.https_server import ADDRESS


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ca.pem``, ``server.pem`` and ``server.key``."""
    top = tmp_path_factory.mktemp("tls")
    certificates.make(top, ADDRESS)
    return top
