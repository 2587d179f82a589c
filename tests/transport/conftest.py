"""A real sshd on this machine for what is between us and a host."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sshd import Sshd, start_sshd

__all__ = ["Sshd", "start_sshd"]


@pytest.fixture(scope="session")
def sshd(start_sshd: Callable[..., Sshd]) -> Sshd:
    """One daemon for the session."""
    return start_sshd("127.0.53.1")
