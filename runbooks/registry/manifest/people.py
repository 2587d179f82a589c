"""The accounts and groups that a manifest's classes stand for.

An account is a class in ``accounts`` that sets ``$username`` or inherits ``baseaccount``; a group is a class in
``admins`` that includes accounts. Somebody has access while ``$enabled`` is true or one key is ensured present: puppet
deploys a key that is, whatever ``$enabled`` says. Somebody without stays included, since that is what has puppet take
the keys away; so members are those who have access.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from runbooks.registry.manifest.statements import ACCOUNT, KEY, Block, Body, Class, Entry, Include, Resource, body_of
from runbooks.registry.manifest.tokens import Source, Token
from runbooks.registry.model import User

ACCOUNTS, GROUPS, BASE = "accounts::", "admins::", "baseaccount"
_SWITCH = {"true": True, "false": False}
_TYPES = {"rsa": "ssh-rsa", "dsa": "ssh-dss", "ed25519": "ssh-ed25519"}
_TYPES |= {f"ecdsa-sha2-nistp{bits}": f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521)}


@dataclass(frozen=True)
class Fault:
    """What keeps somebody from being edited, and its line."""

    line: int
    why: str


@dataclass(frozen=True)
class KeyEntry:
    """A key where it stands: ``ensure`` is the index of its value, ``title`` what Puppet calls it."""

    resource: Resource
    entry: Entry
    ensure: int
    present: bool
    title: str
    text: str


@dataclass(frozen=True)
class Account:
    """Somebody's class, read. ``switch`` is the index of the value of their own ``$enabled``, None without."""

    owner: Class
    body: Body
    user: User
    enabled: bool
    switch: int | None
    keys: tuple[KeyEntry, ...]
    faults: tuple[Fault, ...]

    @property
    def passes_enabled(self) -> int | None:
        """The index of ``enabled`` among what the account is made with: puppet then deletes it, and what home it
        manages, once ``$enabled`` is false. None where it is not given."""
        for resource in self.body.resources:
            for entry in resource.entries if resource.kind == ACCOUNT else ():
                if "enabled" in entry.attributes:
                    return entry.attributes["enabled"].first
        return None


@dataclass(frozen=True)
class Membership:
    """A name in an include of a group's class: the index of the token."""

    member: str
    include: Include
    token: int


@dataclass(frozen=True)
class GroupClass:
    """A group's class, read: the accounts and the groups that it includes itself."""

    owner: Class
    body: Body
    accounts: tuple[Membership, ...]
    groups: tuple[str, ...]
    faults: tuple[Fault, ...]


def accounts_of(source: Source, found: list[Class]) -> dict[str, Account]:
    """Every account by its name, in the file's order."""
    base = next((one for one in found if one.name == BASE), None)
    on = _Person(source, base).enabled() if base else (True, None, [])
    twice = Counter(one.name for one in found)
    accounts: dict[str, Account] = {}
    for owner in found:
        if not owner.name.startswith(ACCOUNTS) or "::" in owner.name.removeprefix(ACCOUNTS):
            continue
        person = _Person(source, owner)
        if owner.inherits == BASE or "username" in {one.name for one in person.body.assignments}:
            more = [Fault(source.line(source.tokens[owner.first].start), "another class has the same name")]
            inherited = on if owner.inherits == BASE else (True, None, [])
            accounts[owner.short] = person.account(inherited, more if twice[owner.name] > 1 else [])
    return accounts


class _Person:
    def __init__(self, source: Source, owner: Class) -> None:
        self.source, self.owner, self.body = source, owner, body_of(source, owner)

    def account(self, inherited: tuple[bool, int | None, list[Fault]], more: list[Fault]) -> Account:
        enabled, switch, faults = self.enabled()
        if switch is None and not faults:
            enabled, _, faults = inherited
        keys, key_faults = self._keys()
        faults = sorted([*more, *faults, *self._own_faults(), *key_faults], key=lambda fault: fault.line)
        # Of whom that is not sure, access is not denied.
        access = enabled or bool(faults) or any(key.present for key in keys)
        user = User(
            self.owner.short,
            self._line(self.owner.first),
            ensure="present" if access else "absent",
            uid=self._number("uid"),
            gid=self._number("gid"),
            realname=self._said("realname"),
            ssh_keys=tuple(key.text for key in keys if key.present),
        )
        return Account(self.owner, self.body, user, enabled, switch, tuple(keys), tuple(faults))

    def _line(self, index: int) -> int:
        return self.source.line(self.source.tokens[index].start)

    def enabled(self) -> tuple[bool, int | None, list[Fault]]:
        """Whether ``$enabled`` is set to true (it is where it is not set), where, and what is unsure about it."""
        found = [one for one in self.body.assignments if one.name == "enabled"]
        if not found:
            return True, None, []
        said = self.source.tokens[found[0].value].value if found[0].value is not None else None
        if len(found) > 1 or found[0].conditional or said not in _SWITCH:
            why = "$enabled is not simply true or false: set it once, to one of them"
            return True, found[0].value, [Fault(self._line(found[-1].first), why)]
        return _SWITCH[said], found[0].value, []

    def _said(self, variable: str) -> str | None:
        values = [one.value for one in self.body.assignments if one.name == variable]
        return self.source.tokens[values[0]].value if len(values) == 1 and values[0] is not None else None

    def _number(self, variable: str) -> int | None:
        said = self._said(variable) or ""
        return int(said) if said.isascii() and said.isdigit() else None

    def _own_faults(self) -> Iterator[Fault]:
        if self._said("username") != self.owner.short:
            places = [one.first for one in self.body.assignments if one.name == "username"]
            why = f"$username is not simply {self.owner.short!r}, the name of the class"
            yield Fault(self._line(places[-1] if places else self.owner.first), why)
        for index in self.body.odd:
            what = self.source.tokens[index].text
            yield Fault(self._line(index), f"{what} is used in a way that is not read here")
        for resource in self.body.resources:
            if resource.kind == "account_ssh_key":
                yield Fault(self._line(resource.first), "account_ssh_key says of no key whether it is present")
            elif resource.kind == "file" and self._names_key_file(resource):
                yield Fault(self._line(resource.first), "a file of keys stands beside the keys")

    def _names_key_file(self, resource: Resource) -> bool:
        tokens = self.source.tokens[resource.opens : resource.closes]
        return any(token.kind == "string" and "authorized_keys" in token.text for token in tokens)

    def _keys(self) -> tuple[list[KeyEntry], list[Fault]]:
        keys, faults = list[KeyEntry](), list[Fault]()
        for resource in self.body.resources:
            for entry in resource.entries if resource.kind == KEY else ():
                key = self._key(resource, entry)
                if isinstance(key, Fault):
                    faults.append(key)
                else:
                    keys.append(key)
        return keys, faults

    def _key(self, resource: Resource, entry: Entry) -> KeyEntry | Fault:
        title, values = self._title(entry), dict[str, Token]()
        for name in ("ensure", "user", "type", "key"):
            token = self._value(entry, name)
            if token is None:
                given = name in entry.attributes
                where = self._line(entry.attributes[name].first if given else entry.begins)
                return Fault(where, f"{name} of the key {title!r} is {'computed' if given else 'missing'}")
            values[name] = token
        ensure = values["ensure"].value
        if ensure not in ("present", "absent"):
            where = self._line(entry.attributes["ensure"].first)
            return Fault(where, f"ensure of the key {title!r} is neither present nor absent")
        if values["user"].text != "$username" and values["user"].value != self.owner.short:
            return Fault(self._line(entry.attributes["user"].first), f"the key {title!r} is somebody else's")
        kind = str(values["type"].value)
        text = f"{_TYPES.get(kind, kind)} {values['key'].value} {title}"
        return KeyEntry(resource, entry, entry.attributes["ensure"].begins, ensure == "present", title, text)

    def _value(self, entry: Entry, name: str) -> Token | None:
        """The one token that says it; None where there is none, or more, or it is computed."""
        attribute = entry.attributes.get(name)
        if attribute is None or attribute.ends - attribute.begins != 1:
            return None
        token = self.source.tokens[attribute.begins]
        return token if token.value is not None or (name, token.text) == ("user", "$username") else None

    def _title(self, entry: Entry) -> str:
        token = self.source.tokens[entry.begins]
        if entry.ends - entry.begins == 1 and token.value is not None:
            return token.value
        return self.source.text[token.start : self.source.tokens[entry.ends - 1].end]


def groups_of(source: Source, found: list[Class]) -> dict[str, GroupClass]:
    """Every group's class by its name, in the file's order."""
    groups: dict[str, GroupClass] = {}
    for owner in found:
        if owner.name.startswith(GROUPS) and "::" not in owner.name.removeprefix(GROUPS):
            known = groups.get(owner.short)
            groups[owner.short] = _group(source, owner, known)
    return groups


def _group(source: Source, owner: Class, known: GroupClass | None) -> GroupClass:
    body = body_of(source, owner)
    accounts, groups, read = [], [], set[int]()
    for include in body.includes:
        for token in include.names:
            name = (source.tokens[token].value or "").removeprefix("::")
            read.add(token)
            if name.startswith(ACCOUNTS):
                accounts.append(Membership(name.removeprefix(ACCOUNTS), include, token))
            elif name.startswith(GROUPS):
                groups.append(name.removeprefix(GROUPS))
    if owner.inherits.startswith(GROUPS):
        groups.append(owner.inherits.removeprefix(GROUPS))
    faults = [] if known is None else [Fault(source.line(source.tokens[owner.first].start), "it is there twice")]
    for number in range(owner.opens, owner.closes):
        value = source.tokens[number].value or ""
        if number not in read and value.removeprefix("::").lower().startswith((ACCOUNTS, GROUPS)):
            line = source.line(source.tokens[number].start)
            faults.append(Fault(line, f"{value} is named there in another way than by include"))
    return GroupClass(owner, body, tuple(accounts), tuple(groups), tuple(faults))


def plain_guard(source: Source, block: Block) -> bool:
    """Whether a condition asks for no more than a home that is managed, and an account that is enabled."""
    tokens = source.tokens[block.first : block.opens]
    words = {(token.value or "").lower() if token.kind == "string" else token.text for token in tokens}
    return words <= {"if", "$manage_home", "$enabled", "==", "and", "true", "(", ")"}
