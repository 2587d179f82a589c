"""The machine behind a BMC in the conformance suite: what was really done to it is written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Chassis:
    """A machine that is a folder; a BMC acts on it by ``command`` and the words that ipmi_sim appends."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.turn(True)
        self.forget()

    @property
    def command(self) -> tuple[str, ...]:
        """What a BMC calls, with ``get power``, ``set power 0``, ``set reset 1`` or ``set shutdown 1`` behind it."""
        return ("/bin/sh", str(Path(__file__).with_name("chassis.sh")), str(self.folder))

    def is_on(self) -> bool:
        return (self.folder / "power").read_text().strip() == "1"

    def turn(self, on: bool) -> None:
        (self.folder / "power").write_text(f"{int(on)}\n")

    def happened(self) -> list[str]:
        return (self.folder / "happened").read_text().split()

    def forget(self) -> None:
        (self.folder / "happened").write_text("")

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        (self.folder / "late").write_text(f"{seconds}\n")
        try:
            yield
        finally:
            (self.folder / "late").unlink()


class OnChassis:
    """What every World says of the machine behind its BMC."""

    chassis: Chassis

    def is_on(self) -> bool:
        return self.chassis.is_on()

    def turn(self, on: bool) -> None:
        self.chassis.turn(on)

    def happened(self) -> list[str]:
        return self.chassis.happened()

    def forget(self) -> None:
        self.chassis.forget()

    def late(self, seconds: float) -> AbstractContextManager[None]:
        return self.chassis.late(seconds)
