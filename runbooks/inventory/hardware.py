"""What is known of a machine's hardware, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hardware:
    """What one source, or all together, know of a machine; empty: not told. ``bmc`` is an address."""

    vendor: str = ""
    model: str = ""
    bmc: str = ""
    rack: str = ""
    asset_tag: str = ""
    serial: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class LookedUp:
    """One machine, field by field from the first source that tells, and what the sources contradict each other in."""

    hardware: Hardware
    told_by: Mapping[str, str] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()
