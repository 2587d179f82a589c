"""What every driver can be asked, and what it answers: power, event log, boot device, identify light."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from runbooks.errors import CommandFailed
from runbooks.secret import Secret


class Power(StrEnum):
    """What a chassis says of itself; ``unknown`` where it says neither."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What can be asked of a chassis. ``cycle`` is off, then on; ``reset`` starts the machine anew without taking its
    power; ``shutdown`` asks its operating system to end."""

    ON = "on"
    OFF = "off"
    CYCLE = "cycle"
    RESET = "reset"
    SHUTDOWN = "shutdown"


class Ability(StrEnum):
    """What some drivers can, besides turning a machine on and off; the first three are as ``Action`` has them."""

    CYCLE = "cycle"
    RESET = "reset"
    SHUTDOWN = "shutdown"
    LOG = "log"
    BOOT_DEVICE = "boot device"
    IDENTIFY = "identify"
    PROGRESS = "progress"
    SERIAL = "serial"


class BootDevice(StrEnum):
    """What a machine boots from; ``none`` is what its own set-up says."""

    NONE = "none"
    DISK = "disk"
    NETWORK = "network"
    CDROM = "cdrom"
    SETUP = "setup"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the event log. ``id`` is the BMC's own, ``at`` as ``2026-01-31T03:04:05Z``, empty where the BMC knew
    no time; ``severity`` is its own word, in small letters, or empty."""

    id: str
    at: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Bmc:
    """How a BMC is reached, without its password. ``host`` is whose it is. ``port`` 0: the driver's own. ``ca`` is a
    file of certificates, ``fingerprint`` pins one certificate or host key instead (SHA-256, as hexadecimal digits, or
    as ssh writes it: ``SHA256:...``); ``insecure``: whoever answers is believed. ``console`` is the command that opens
    the machine's console, where the driver's own is not it."""

    host: str
    driver: str
    address: str
    user: str
    port: int = 0
    ca: str = ""
    fingerprint: str = ""
    insecure: bool = False
    console: str = ""


CONNECT_S = 5.0
"""How long a BMC may say nothing at all before it is taken for dead."""


class Driver(ABC):
    """A conversation with one BMC, which begins with the first question. Not for two threads at once. ``timeout_s``
    bounds each answer, ``connect_s`` the first sign of life.

    Raises ``Unreachable`` where it cannot be had, or a question gets no answer; ``LoginRefused`` (one of those) where
    the BMC says that user or password are wrong; ``Lost`` where a command was sent and its answer did not come;
    ``CommandFailed`` where the BMC refuses, or says what makes no sense. Each message says what it said.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    port: ClassVar[int]
    abilities: ClassVar[frozenset[Ability]]
    """What this kind of BMC can; one of them may still refuse."""

    def __init__(self, bmc: Bmc, password: Secret, timeout_s: float = 10.0) -> None:
        self.bmc = bmc
        self.password = password
        self.timeout_s = timeout_s
        self.connect_s = min(timeout_s, CONNECT_S)
        self.place = (bmc.address, bmc.port or self.port)

    @abstractmethod
    def power(self) -> Power:
        """Whether the machine has power."""

    @abstractmethod
    def set_power(self, action: Action) -> None:
        """Ask for it, and return when the BMC has taken it: ``power`` tells whether it happened, and when. On when it
        is on, and off or shutdown when it is off, are nothing; cycle and reset of a machine that is off turn it on."""

    def log(self, limit: int) -> Sequence[LogEntry]:  # noqa: ARG002 - part of the interface
        """The newest entries of the event log, the newest first."""
        raise self.cannot(Ability.LOG)

    def boot_device(self) -> BootDevice:
        """What the next boot is from."""
        raise self.cannot(Ability.BOOT_DEVICE)

    def set_boot_device(self, device: BootDevice) -> None:  # noqa: ARG002 - part of the interface
        """Boot from it, once."""
        raise self.cannot(Ability.BOOT_DEVICE)

    def identify(self, on: bool) -> None:  # noqa: ARG002 - part of the interface
        """Switch the light by which somebody finds the machine."""
        raise self.cannot(Ability.IDENTIFY)

    def progress(self) -> str:
        """How far a boot has come, in the BMC's words; empty where it does not tell."""
        return ""

    def serial(self) -> str:
        """The machine's serial number, or service tag; empty where the BMC does not tell."""
        return ""

    def console(self) -> str:
        """The command line that opens the machine's console, for a person to type; no password in it."""
        return ""

    def close(self) -> None:  # noqa: B027 - some hold nothing open
        """Log out."""

    def cannot(self, what: str) -> CommandFailed:
        """The error (not raised) for what this driver cannot."""
        return CommandFailed(f"{self.bmc.host}: {self.title} has no {what}")
