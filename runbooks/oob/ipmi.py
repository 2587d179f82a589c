"""IPMI 2.0 over the network, by pyghmi.

Intelligent Platform Management Interface Specification 2.0, revision 1.1: chassis commands (28), system event log (31,
32), FRU (34). Tried with Debian's ipmi_sim (OpenIPMI 2.0.33) and pyghmi's own BMC (1.6.19).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runbooks.errors import CommandFailed, LoginRefused, Lost, Unreachable
from runbooks.oob.ipmi_common import SELECTORS, IpmiDriver, boot_device, entry, older
from runbooks.oob.model import Action, BootDevice, LogEntry, Power

if TYPE_CHECKING:
    from runbooks.oob.ipmi_session import Session

_CHASSIS, _STORAGE = 0x00, 0x0A
_CONTROL = {Action.OFF: 0, Action.ON: 1, Action.CYCLE: 2, Action.RESET: 3, Action.SHUTDOWN: 5}
_NOT_THERE = 0xCB
# A BMC forgets a session after 60 s without a word (6.12.15); some do sooner, ipmi_sim after 30.
_IDLE_S = 20.0


class Ipmi(IpmiDriver):
    """Any BMC that speaks IPMI 2.0: one session, kept from the first question to ``close``."""

    name, title = "ipmi", "IPMI"
    _session: Session | None = None
    _used_at = 0.0

    def power(self) -> Power:
        """Get Chassis Status (28.2)."""
        with self._asked("power status") as session:
            return Power.ON if session.ask(_CHASSIS, 1)[0] & 1 else Power.OFF

    def _control(self, action: Action) -> None:
        with self._asked(f"power {action}", changes=True) as session:
            session.ask(_CHASSIS, 2, (_CONTROL[action],), again=False)

    def log(self, limit: int) -> Sequence[LogEntry]:
        """Get SEL Entry (31.5), from the last one backwards."""
        with self._asked("event log") as session:
            if limit < 1 or not (last := self._record(session, 0xFFFF)):
                return []
            ids = older(self._record(session, 0), last, limit)
            found = [last]
            while len(found) < limit and ids:
                found += filter(None, [self._record(session, ids[0])])
                ids = ids[1:]
            return [entry(record[2:]) for record in found]

    @staticmethod
    def _record(session: Session, number: int) -> bytes:
        """The next one's number, and a record; nothing where it has been deleted."""
        from pyghmi.exceptions import IpmiException

        try:
            return session.ask(_STORAGE, 0x43, tuple(struct.pack("<HHBB", 0, number, 0, 0xFF)))
        except IpmiException as error:
            if error.ipmicode == _NOT_THERE:
                return b""
            raise

    def boot_device(self) -> BootDevice:
        """Get System Boot Options (28.13); nothing where the BMC calls its flags invalid."""
        with self._asked("boot device") as session:
            return boot_device(session.ask(_CHASSIS, 9, (5, 0, 0))[2:])

    def set_boot_device(self, device: BootDevice) -> None:
        """Set System Boot Options (28.12), for the next boot alone."""
        valid = 0x80 if device is not BootDevice.NONE else 0
        with self._asked(f"boot device {device}") as session:
            # Else a BMC may forget it when the machine is not restarted within a minute (28.12, parameter 3).
            session.ask(_CHASSIS, 8, (3, 8))
            session.ask(_CHASSIS, 8, (5, valid, SELECTORS[device] << 2, 0, 0, 0))

    def identify(self, on: bool) -> None:
        """Chassis Identify (28.5), until it is switched off."""
        with self._asked("identify light") as session:
            session.ask(_CHASSIS, 4, (0, int(on)))

    def serial(self) -> str:
        """The product's, the chassis's or the board's, whichever the FRU has first."""
        from pyghmi.ipmi.fru import FRU

        try:
            with self._asked("serial number") as session:
                said = FRU(rawdata=self._fru(session)).info or {}
        except CommandFailed:
            return ""
        found = (said.get(key) for key in ("Serial Number", "Chassis serial number", "Board serial number"))
        return next((text for text in found if text and isinstance(text, str)), "")

    @staticmethod
    def _fru(session: Session) -> bytes:
        """The beginning of the FRU, where the serial numbers are; in pieces that every BMC can give."""
        size, found = int.from_bytes(session.ask(_STORAGE, 0x10, (0,))[:2], "little"), b""
        while len(found) < min(size, 1024):
            where = (0, len(found) & 0xFF, len(found) >> 8, min(size - len(found), 16))
            piece = session.ask(_STORAGE, 0x11, where)[1:]
            if not piece:
                break
            found += piece
        return found

    def close(self) -> None:
        """Close Session (22.19), without waiting for an answer."""
        session, self._session = self._session, None
        if session:
            session.close()

    @contextmanager
    def _asked(self, what: str, changes: bool = False) -> Iterator[Session]:
        """A session to ask in, and what goes wrong in our words."""
        from pyghmi.exceptions import PyghmiException

        from runbooks.oob.ipmi_session import Silent

        session = self._logged_in()
        try:
            yield session
        except (Silent, OSError) as error:
            self.close()
            raise (Lost if changes else Unreachable)(self.bmc.host, f"{what}: {error}") from error
        except PyghmiException as error:
            raise CommandFailed(f"{self.bmc.host}: {what}: {error}") from error
        except (IndexError, ValueError, struct.error) as error:
            raise CommandFailed(f"{self.bmc.host}: {what}: the answer makes no sense") from error
        self._used_at = time.monotonic()

    def _logged_in(self) -> Session:
        from pyghmi.exceptions import PyghmiException

        from runbooks.oob.ipmi_session import Refused, Session, Silent

        if self._session and (self._session.broken or time.monotonic() - self._used_at > _IDLE_S):
            self.close()
        if self._session is None:
            self._need_fit()
            try:
                bounds = (self.timeout_s, self.connect_s)
                self._session = Session(self.place, self.bmc.user, self.password.reveal(), *bounds)
            except (Silent, OSError, PyghmiException) as error:
                kind = LoginRefused if isinstance(error, Refused) else Unreachable
                raise kind(self.bmc.host, f"{self.bmc.address}: {error}") from error
        return self._session
