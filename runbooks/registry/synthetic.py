"""A made-up registry of the field's size, in every style that the field's own has; it breaks no rule.

For tests, benchmarks and the lab. Nobody in it exists; the keys are random bytes in the right format.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterable, Sequence

from runbooks.registry.lists import CONTINUATION, WIDEST

_SYLLABLES = re.findall("[a-z]+", "an be cor da el fi gu ha iro jo ka lu ma ni ol pe qui ra sa to ul vi wa xe yo zu")
_REALNAMES = ("Zoë Müller", "Søren Ångström", "Anna Example", "José Núñez", "李 明", "Ada O'Neil", "Kim 🦊 Fox")
_SHARES = {"absent": 260 / 629, "bare": 68 / 629, "one_line": 40 / 629, "folded": 13 / 629, "system": 15 / 629}


def synthetic(users: int = 629, groups: int = 126, ldap_only: int = 228, seed: int = 1) -> str:
    """A registry's text with so many entries; the same arguments give the same text.

    The default is about 7,300 lines and 270 KB. At least 20 users, 4 groups and 4 LDAP-only users are sensible.
    """
    return _Maker(random.Random(f"{seed} {users} {groups} {ldap_only}"), users, groups, ldap_only).text()


class _Maker:
    def __init__(self, rng: random.Random, users: int, groups: int, ldap_only: int) -> None:
        self.rng = rng
        names = _names(rng, users + ldap_only)
        absent, system = round(users * _SHARES["absent"]), max(1, round(users * _SHARES["system"]))
        self.absent, self.system = names[:absent], names[absent : absent + system]
        self.people = names[absent + system : users]
        self.ldap_only = names[users:]
        self.ldap_absent = self.ldap_only[: ldap_only // 2]
        self.group_count = groups
        self.uid_of = dict(zip(names, rng.sample(range(1000, 49999), users), strict=False))

    def text(self) -> str:
        lines = ["---", "groups:", *self._groups(), "users:", *self._users(), "ldap_only_users:", *self._ldap_only()]
        return "\n".join(lines) + "\n"

    def _groups(self) -> Iterable[str]:
        yield from self._group("absent", ["description: people who had an account"], self.absent)
        yield from self._group("absent_ldap", ["description: people who had LDAP access"], self.ldap_absent)
        anchors: list[str] = []
        for number in range(self.group_count - 2):
            gid, name = f"gid: {700 + number}", f"team-{number}"
            if number % 40 == 39:
                yield from self._group(name, [gid, "deprecated: true"], [])
                continue
            members: list[str] = self.rng.sample(self.people, min(len(self.people), self.rng.choice((2, 3, 5, 9, 40))))
            if anchors and number % 3 == 0:
                members.insert(self.rng.randrange(2), f"*{self.rng.choice(anchors)}")
            if number % 17 == 5:
                members[-2:] = [f"[{', '.join(members[-2:])}]"]
            anchor = f"team_{number}" if number % 6 == 0 else ""
            anchors += [anchor] if anchor else []
            yield from self._group(name, [gid, *self._group_fields(number)], members, anchor)

    def _group_fields(self, number: int) -> list[str]:
        fields = [self.rng.choice((f"description: people of team {number}", f"description: 'team {number}: deploys'"))]
        if number % 2:
            lines = [f"'ALL = NOPASSWD: /usr/sbin/tool-{number} *'", "'ALL = (www-data) NOPASSWD: ALL'"]
            fields.append(f"privileges: [{lines[0]},\n                 {lines[1]}]")
        if number % 3:
            fields.append("approval:\n      - Anna Example\n      - Jean-René Example")
        if number % 20 == 7:
            fields.append("system_members: [mwbuilder, mwpresync]  # made by packages")
        return fields

    def _group(self, name: str, fields: list[str], members: Sequence[str], anchor: str = "") -> Iterable[str]:
        if self.rng.random() < 0.5:
            yield f"  # {name}: ask before you add {self.rng.choice(self.people)} or anyone else"
        yield f"  {name}:" + self._trailing(0.05)
        for field in fields:
            yield from f"    {field}".split("\n")
        yield from self._members(members, f"&{anchor} " if anchor else "")

    def _members(self, members: Sequence[str], anchor: str) -> Iterable[str]:
        plain = not any(name[0] in "*[" for name in members)
        if members and plain and not anchor and len(members) < 6 and self.rng.random() < 0.15:
            yield "    members:"
            yield from (f"      - {name}" for name in members)
            return
        spelled = [f"'{name}'" if name[0] not in "*[" and self.rng.random() < 0.02 else name for name in members]
        line = f"    members: {anchor}["
        margin = WIDEST - self.rng.choice((0, 4, 12, 25))
        for number, name in enumerate(spelled):
            piece = name + (", " if number < len(spelled) - 1 else "]")
            if len(line) + len(piece.rstrip()) > margin:
                yield line.rstrip()
                line = " " * CONTINUATION
            line += piece
        yield (line if spelled else line + "]") + self._trailing(0.1)

    def _users(self) -> Iterable[str]:
        stubs = len(self.absent) // 30
        entries = [(name, "stub" if number < stubs else "absent") for number, name in enumerate(self.absent)]
        entries += [(name, "system") for name in self.system]
        styles = [style for style in ("bare", "one_line", "folded") for _ in range(self._share(style))]
        styles = (styles + ["block"] * len(self.people))[: len(self.people)]
        entries += zip(self.people, styles, strict=True)
        self.rng.shuffle(entries)
        for number, (name, style) in enumerate(entries):
            if number % 3 == 0:
                yield f"  # {self.rng.choice(('uid 1234 is reserved', 'moved from the old list'))}: see {name}"
            if number % 90 == 45:
                yield ""
            yield f"  {self._key(name)}:" + self._trailing(0.02)
            yield from (f"    {line}" for field in self._user_fields(name, style) for line in field.split("\n"))

    def _share(self, style: str) -> int:
        return max(1, round(_SHARES[style] * (len(self.people) + len(self.absent) + len(self.system))))

    def _user_fields(self, name: str, style: str) -> list[str]:
        if style == "system":
            uid = 900 + self.system.index(name)
            return [
                "ensure: present",
                "system: true",
                f"uid: {uid}",
                f"gid: {uid}",
                "home_dir: none",
                "shell: /bin/false",
            ]
        if style == "stub":
            uid = self.uid_of[self.people[self.absent.index(name)]]
            return ["ensure: absent", f"uid: {uid}", "gid: 500", f"rename: true  # T{uid}"]
        fields = [f"uid: {self.uid_of[name]}", "gid: 500", f"realname: {self._realname()}"]
        fields += [f"name: {name}"] if self.rng.random() < 0.6 else []
        if style == "absent":
            fields += ["ssh_keys: []"] if self.absent.index(name) % 26 else []
        else:
            fields += [self._keys(style), f"email: {name}@wikimedia.example"]
            fields += ["krb: present"] if self.rng.random() < 0.6 else []
            fields += ["comment: >\n  works on\n  # not a comment\n  things"] if self.rng.random() < 0.01 else []
        if name.endswith("-ctr") and style != "absent":
            fields += ['expiry_date: "2099-12-31"', "expiry_contact: anna@wikimedia.example"]
        if self.rng.random() < 0.4:
            self.rng.shuffle(fields)
        return ["ensure: " + (style if style == "absent" else "present"), *fields]

    def _keys(self, style: str) -> str:
        keys = [self._ssh_key() for _ in range(self.rng.choice((1, 1, 1, 2)))]
        if style == "bare":
            return "ssh_keys: []"
        if style == "one_line":
            return f"ssh_keys: [{', '.join(keys)}]"
        if style == "folded":
            return "ssh_keys: [" + ",\n    ".join(key.replace(" ", "\n    ") for key in keys) + "]"
        quote = self.rng.choice(("", "", "'", '"'))
        return "ssh_keys:" + "".join(f"\n  - {quote}{key}{quote}" for key in keys)

    def _ssh_key(self) -> str:
        kind, *parts = self.rng.choice(
            (
                (b"ssh-ed25519", self.rng.randbytes(32)),
                (b"ssh-ed25519", self.rng.randbytes(32)),
                (b"ssh-rsa", b"\1\0\1", b"\0\x80" + self.rng.randbytes(255)),
                (b"ssh-rsa", b"\1\0\1", b"\0\x80" + self.rng.randbytes(511)),
                (b"ecdsa-sha2-nistp256", b"nistp256", b"\4" + self.rng.randbytes(64)),
                (b"sk-ssh-ed25519@openssh.com", self.rng.randbytes(32), b"ssh:"),
            )
        )
        blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, *parts))
        return f"{kind.decode()} {base64.b64encode(blob).decode()} someone@laptop"

    def _ldap_only(self) -> Iterable[str]:
        for number, name in enumerate(self.ldap_only):
            state = "absent" if name in self.ldap_absent else "present"
            yield f"  {self._key(name)}:"
            yield from (f"    ensure: {state}", f"    realname: {self._realname()}", f"    email: {name}@example.org")
            if number % 5 == 0 or name.endswith("-ctr"):
                yield f'    expiry_date: "2099-12-31"{self._trailing(0.2)}'
                yield "    expiry_contact: anna@wikimedia.example"

    def _key(self, name: str) -> str:
        quote = self.rng.choice(("",) * 18 + ("'", '"'))
        return f"{quote}{name}{quote}"

    def _realname(self) -> str:
        name = self.rng.choice(_REALNAMES)
        quote = self.rng.choice(("", "", '"', "'"))
        return f"{quote}{name.replace(quote, quote * 2) if quote == chr(39) else name}{quote}"

    def _trailing(self, share: float) -> str:
        return f"  # {self.rng.choice(self.people)} asked for it" if self.rng.random() < share else ""


def _names(rng: random.Random, count: int) -> list[str]:
    """Different names, many of which begin with or hold another (bob, bobby, bob-ctr)."""
    names: dict[str, None] = {}
    while len(names) < count:
        stem = "".join(rng.choices(_SYLLABLES, k=rng.choice((2, 3, 3))))
        for ending in ("", rng.choice(("", "by", "s", "-ctr", "-wmde", "2", "an"))):
            if len(names) < count:
                names[stem + ending] = None
    shuffled = list(names)
    rng.shuffle(shuffled)
    return shuffled
