"""What a report finds, and what there is to do about each kind of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runbooks.inventory import fold
from runbooks.inventory.names import natural

KINDS = {
    "not looked at": "nothing is said about these: look again when they can be reached",
    "left behind": "`inv remove-account NAME` takes what is left; a key elsewhere: `inv revoke-key NAME --key TEXT`",
    "unregistered": "find out who it is: `inv grant-ldap` writes it down, `inv revoke-ldap` ends it",
    "groups": "`inv revoke-ldap` from the one, `inv grant-ldap` to the other",
    "shared key": "each needs a key of their own: `inv replace-key`",
    "unknown to the corporate directory": "find out who it is, and whether they still work there: `inv remove-account`",
    "rule": "mend these in the registry",
    "expiry": "ask; then `inv extend-access` or `inv remove-account`",
}
"""Every kind of remark, in the order of telling, and what to do about it."""


@dataclass(frozen=True)
class Remark:
    """What is not as it should be: its ``kind``, whom or what it is about, a sentence for a person, and on which
    ``hosts`` it is so (none: it is not about hosts)."""

    kind: str
    subject: str
    message: str
    hosts: tuple[str, ...] = ()


def together(found: Iterable[Remark]) -> list[Remark]:
    """By kind, subject and message; what is so on several hosts is one remark. One whose subject is nothing but its
    hosts gets them, folded."""
    hosts: dict[Remark, set[str]] = {}
    for one in found:
        hosts.setdefault(Remark(one.kind, one.subject, one.message), set()).update(one.hosts)
    merged = [Remark(one.kind, one.subject or fold(on), one.message, tuple(sorted(on))) for one, on in hosts.items()]
    order = list(KINDS)
    return sorted(merged, key=lambda one: (order.index(one.kind), natural(one.subject), one.message))
