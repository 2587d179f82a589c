"""The world of the driver ``ipmi``."""

from __future__ import annotations

from contextlib import AbstractContextManager

from tests.oob.ipmi_world import IpmiWorld, world_of


def world() -> AbstractContextManager[IpmiWorld]:
    return world_of("ipmi")
