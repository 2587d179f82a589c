"""pyghmi's IPMI session, made fit for many threads: its own socket, clock and bound, and no second power cycle.

pyghmi has two kinds of session. The usual one keeps all of its state in the class: one thread does the I/O of all, the
same user on the same BMC gets the same session (who logs out first logs the other out), sockets are never closed, and
a request without an answer is sent again, after a new log-in if need be: a machine could be cycled twice. The simple
one shares nothing, but waits for ever. So this is the simple one, with the waiting written anew. Seen in pyghmi 1.6.19.
"""

from __future__ import annotations

import random
import struct
import time
from contextlib import suppress
from typing import Any

from pyghmi.exceptions import IpmiException
from pyghmi.ipmi.private import simplesession
from pyghmi.ipmi.private.constants import rmcp_codes

#: What the BMC says in the handshake when user or password are wrong (IPMI 2.0, table 13-15), or pyghmi of its answer.
_REFUSED = ("Incorrect password", *(rmcp_codes[code] for code in (0x9, 0xA, 0xC, 0xD, 0xF)), "privelege level")
_FIRST_PAUSE_S = 1.0


class Silent(Exception):
    """No answer came in time; says whether there was anything else instead."""


class Refused(IpmiException):  # type: ignore[misc]
    """User or password are wrong, in the BMC's words."""


class Session(simplesession.Session):  # type: ignore[misc]
    """One session with one BMC, from log-in to ``close``; a socket is all that it holds. ``timeout_s`` bounds the
    log-in, and each question, ``connect_s`` the wait for a first word. Raises Refused, Silent, IpmiException, OSError.

    Cipher suite 17 is asked for, and 3 in the same breath where the BMC refuses it: a packet more, of about ten."""

    attemptedhash: int

    def __init__(self, place: tuple[str, int], user: str, password: str, timeout_s: float, connect_s: float) -> None:
        self.timeout_s = timeout_s
        self.errormsg = ""
        self.allsockaddrs: list[tuple[Any, ...]] = []
        self._nonsense = 0
        self._again = True
        self._begin()
        self._until, self._latest = time.monotonic() + connect_s, self._until
        try:
            super().__init__(place[0], user, password, place[1], keepalive=False)
        except BaseException as error:
            self._hang_up()
            if any(text in str(error) for text in _REFUSED):
                raise Refused(str(error)) from error
            raise

    def ask(self, netfn: int, command: int, data: tuple[int, ...] = (), again: bool = True) -> bytes:
        """The answer's bytes, without the completion code. ``again``: a question may be sent a second time when no
        answer comes. Raises IpmiException (``ipmicode``: what the BMC completed it with) and Silent."""
        self._again = again
        try:
            answer = self.raw_command(netfn, command, data=data)
        finally:
            self._again = True
        if "error" in answer:
            raise IpmiException(answer["error"], answer["code"])
        return bytes(answer["data"])

    def raw_command(self, *args: Any, **options: Any) -> dict[str, Any]:
        """pyghmi's own, each with a bound of its own."""
        if not self.logging:
            self._begin()
        try:
            found: dict[str, Any] = super().raw_command(*args, **options)
        except Silent:
            # Else logging out would wait for the answer first.
            self.incommand, self.lastpayload = False, None
            raise
        return found

    def close(self) -> None:
        """Log out, without waiting for an answer, and give the socket back."""
        with suppress(OSError, IpmiException):
            self.logout()
        self._hang_up()

    def _hang_up(self) -> None:
        simplesession.Session.keepalive_sessions.pop(self, None)
        if self.socket is not None:
            self.socket.close()

    def _begin(self) -> None:
        self._until = self._latest = time.monotonic() + self.timeout_s
        self._pause_s = _FIRST_PAUSE_S
        self._repeat_at = time.monotonic() + self._pause_s

    def _initsession(self) -> None:
        """Each attempt has numbers of its own, so that a late answer to an earlier one is not taken for its own:
        pyghmi would start from the same, and call the password wrong."""
        super()._initsession()
        self.localsid, self.rmcptag, self.remseqnumber = random.getrandbits(31), random.randrange(200), 0

    def _got_rmcp_response(self, data: bytearray) -> None:
        """Some take suite 17, and answer with the algorithm of 3 (byte 16 of table 13-10; pyghmi's own BMC)."""
        if self.attemptedhash == 256 and data[0] == self.rmcptag and data[1] == 0 and data[16] != 3:
            self.attemptedhash = 1
            self._open_rmcpplus_request()
        else:
            super()._got_rmcp_response(data)

    def _get_session_challenge(self) -> None:
        self.onlogon({"error": "speaks IPMI 1.5 alone, not 2.0"})

    def wait_for_rsp(self, timeout: float | None = None, callout: bool = True) -> None:  # noqa: ARG002 - pyghmi's
        """Take one packet, or say it once more, or give up. No select here: it fails from 1024 open files on."""
        wait_s = min(self._repeat_at, self._until) - time.monotonic()
        self.socket.settimeout(max(wait_s, 0.001))
        try:
            data, sender = self.socket.recvfrom(3000)
        except TimeoutError:
            return self._nothing_came()
        if sender[:2] not in {address[:2] for address in self.allsockaddrs}:
            return None
        try:
            if data[0] != 6 or data[2:4] != b"\xff\x07":
                raise ValueError
            self._handle_ipmi_packet(bytearray(data), sockaddr=sender)
        except (IndexError, ValueError, TypeError, AttributeError, struct.error):
            # pyghmi takes a packet apart as it comes.
            self._nonsense += 1
        else:
            self._repeat_at, self._until = time.monotonic() + self._pause_s, self._latest
        return None

    def awaitresponse(self, retry: bool) -> None:
        """Until the answer is there; ``retry`` False: nobody waits for one."""
        while retry and self.lastresponse is None and self.logged:
            self.wait_for_rsp()

    def _nothing_came(self) -> None:
        now = time.monotonic()
        if now >= self._until:
            raise Silent("what it answers makes no sense" if self._nonsense else "no answer")
        if now < self._repeat_at:
            return
        self._pause_s *= 2
        self._repeat_at = now + self._pause_s
        if self.sessioncontext != "ESTABLISHED":
            self._relog()
        elif self._again:
            self.hasretried = 1
            self.send_payload()
