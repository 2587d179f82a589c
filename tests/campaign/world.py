"""What a rename may and may not change on a host, read with the lab's own eyes and not with the tool's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.lab import Lab

# One round per host: each part is named, so that a difference says where it is.
_LOOK = r"""name=$1
part() { printf '\0%s\0' "$1"; }
part passwd; grep "^$name:" /etc/passwd
part shadow; grep "^$name:" /etc/shadow
part groups; grep -E "[:,]$name(,|$)" /etc/group | cut -d: -f1,3 | sort
part own_group; grep "^$name:" /etc/group
part subuid; grep "^$name:" /etc/subuid
part subgid; grep "^$name:" /etc/subgid
part crontab; cat /var/spool/cron/crontabs/$name 2>/dev/null
part mail; sha256sum < /var/mail/$name 2>/dev/null
part keys; cat /etc/ssh/userkeys/$name 2>/dev/null
part leftovers; ls -d /home/*ops-clinic* /run/ops-clinic.* 2>/dev/null
part archive; ls /var/userarchive 2>/dev/null | grep -w -- "$name"
part puppet; cat /var/cache/puppet/state/agent_disabled.lock 2>/dev/null
true"""


@dataclass(frozen=True)
class Person:
    """An account on one host: the parts of it, and its home entry by entry."""

    parts: Mapping[str, str]
    home: Mapping[str, Any]

    def renamed(self, old: str, new: str) -> Person:
        """What it has to look like under another name: nothing else may differ."""
        lines = {"passwd", "shadow", "subuid", "subgid", "own_group"}
        parts = {
            key: text.replace(f"{old}:", f"{new}:", 1).replace(f":/home/{old}:", f":/home/{new}:")
            if key in lines
            else text
            for key, text in self.parts.items()
        }
        return Person(parts, self.home)

    def differences(self, other: Person) -> list[str]:
        """Where two differ, a line each."""
        found = [
            f"{key}: {text!r} is {other.parts.get(key)!r}"
            for key, text in self.parts.items()
            if text != other.parts.get(key)
        ]
        names = {*self.home, *other.home}
        wrong = sorted(name for name in names if self.home.get(name) != other.home.get(name))
        found += [f"home: {name}: {self.home.get(name)} is {other.home.get(name)}" for name in wrong[:5]]
        return found


def look(lab: Lab, host: str, name: str) -> Person:
    """The account as it is."""
    text = lab.run(host, ["sh", "-c", _LOOK, "sh", name]).stdout.decode("utf-8", "surrogateescape")
    fields = text.split("\0")[1:]
    parts = dict(zip(fields[::2], fields[1::2], strict=True))
    return Person(parts, lab.fingerprint(host, f"/home/{name}"))


PARTS = ("passwd", "shadow", "groups", "own_group", "subuid", "subgid", "crontab", "keys")


def gone(person: Person) -> list[str]:
    """What is left of a name that has to be gone."""
    left = [f"{key}: {person.parts[key]!r} is left" for key in PARTS if person.parts[key]]
    return left + ([f"home: {len(person.home)} entries are left"] if person.home else [])
