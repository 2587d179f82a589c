"""What is done to an account in the registry: created, given a shell, its keys, its expiry, its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from yaml.nodes import ScalarNode

from runbooks.errors import RegistryError, UsageError
from runbooks.registry import amendment, entries
from runbooks.registry.account_keys import emptied, fingerprint_of, usable
from runbooks.registry.amendment import Amendment
from runbooks.registry.entries import Field
from runbooks.registry.membership import groups_with, join, leave
from runbooks.registry.names import check_name
from runbooks.registry.tables import Tables
from runbooks.registry.who import day, one_line, present, refuse_misread

GONE_WITH_IT = ("email", "expiry_date", "expiry_contact")
"""What an account that ends no longer says of its person."""


@dataclass(frozen=True)
class Person:
    """What an entry says of somebody; None is not said. ``expiry_date`` is a date, or its text, YYYY-MM-DD."""

    realname: str | None = None
    email: str | None = None
    expiry_date: str | date | None = None
    expiry_contact: str | None = None

    def words(self) -> dict[str, str]:
        """The fields as texts. Raises RegistryError for one that can't be written."""
        if (self.expiry_date is None) != (self.expiry_contact is None):
            raise RegistryError("expiry_date and expiry_contact come together: give both, or neither")
        found = {"realname": self.realname, "email": self.email, "expiry_contact": self.expiry_contact}
        texts = {name: one_line(name, value) for name, value in found.items() if value is not None}
        if self.expiry_date is not None:
            texts["expiry_date"] = day("expiry_date", self.expiry_date).isoformat()
        return {name: texts[name] for name in ("realname", "email", "expiry_date", "expiry_contact") if name in texts}


@dataclass(frozen=True)
class Shell:
    """What an entry of ``users`` has beside the person."""

    uid: int
    gid: int = 500
    groups: tuple[str, ...] = ()
    ssh_keys: tuple[str, ...] = ()
    krb: str | None = None


def add_ldap_only(tables: Tables, name: str, person: Person) -> Amendment:
    """An entry of ``ldap_only_users``. Raises RegistryError."""
    _refuse_taken(tables, name)
    indent = entries.new_indent(tables, "ldap_only_users")
    return entries.add_entry(tables, "ldap_only_users", name, [_ensure(indent), *_written(person, indent)])


def add_user(tables: Tables, name: str, person: Person, shell: Shell) -> Amendment:
    """An entry of ``users``, and the name in its groups. Raises RegistryError."""
    _refuse_taken(tables, name)
    indent = entries.new_indent(tables, "users")
    fields = [_ensure(indent), *_written(person, indent), *_shell(tables, name, shell, indent)]
    return entries.add_entry(tables, "users", name, fields) + join(tables, name, shell.groups)


def promote(tables: Tables, name: str, person: Person, shell: Shell) -> Amendment:
    """An LDAP-only entry becomes one of ``users``: what it says is kept as it is written, unless given. Raises
    RegistryError."""
    entry = present(tables, name, "ldap_only_users")
    if name in tables.users:
        line = tables.document.line(tables.users[name].key)
        raise RegistryError(f"{name} is in users already (line {line}): settle which entry counts")
    entries.refuse_woven(tables, entry)
    indent, document = entries.new_indent(tables, "users"), tables.document
    given = person.words()
    fields = entries.kept(document, entry, tuple(given), indent)
    known = {field.name for field in fields}
    told = [field for field in _written(person, indent) if field.name not in known]
    place = next((n for n, field in enumerate(fields, 1) if field.name == "ensure"), 0)
    fields = _in_order([*fields[:place], *told, *fields[place:]]) + _shell(tables, name, shell, indent)
    comments = entries.comments_of(document, entry)
    added = entries.add_entry(tables, "users", name, fields, comments)
    return entries.remove_entry(tables, entry) + added + join(tables, name, shell.groups)


def _in_order(fields: list[Field]) -> list[Field]:
    """The person's fields in their usual order, the others where they are."""
    usual = ("ensure", "realname", "email", "expiry_date", "expiry_contact")
    return sorted(fields, key=lambda field: usual.index(field.name) if field.name in usual else len(usual))


def absent(tables: Tables, name: str) -> Amendment:
    """The account ends: absent, out of every group but ``absent``, no keys. Raises RegistryError."""
    entry = present(tables, name)
    if entry is not tables.users.get(name) and name in tables.users:
        # Its shell account ended before; one name is not in both lists of the absent, and that entry stays.
        return entries.remove_entry(tables, entry)
    group = "absent" if entry is tables.users.get(name) else "absent_ldap"
    done = entries.set_words(tables, entry, {"ensure": "absent"}) + entries.drop_fields(tables, entry, GONE_WITH_IT)
    krb = entry.get("krb")
    if isinstance(krb, ScalarNode) and krb.value == "present":
        done += entries.set_words(tables, entry, {"krb": "absent"})
    done += emptied(tables, entry)
    if mine := [one for one in groups_with(tables, name) if one != group]:
        done += leave(tables, name, mine, ("members", "system_members"))
    return done + (join(tables, name, [group]) if group not in groups_with(tables, name) else amendment.NOTHING)


# what is said of the person


def set_expiry(tables: Tables, name: str, when: str | date | None, contact: str | None) -> Amendment:
    """When access ends, and who is asked about it; None and None: never. Raises RegistryError."""
    entry = present(tables, name)
    given = Person(expiry_date=when, expiry_contact=contact).words()
    if not given:
        return entries.drop_fields(tables, entry, ("expiry_date", "expiry_contact"))
    # A date without quotes would be read as a date, not as text.
    return entries.set_words(tables, entry, given, {"expiry_date": '"'})


def set_contact(tables: Tables, name: str, email: str | None, realname: str | None) -> Amendment:
    """Address and name. Raises RegistryError."""
    entry = present(tables, name)
    if email is None and realname is None:
        raise RegistryError(f"{name}: neither email nor realname is given; give what shall change")
    return entries.set_words(tables, entry, Person(realname=realname, email=email).words())


# the parts


def _ensure(indent: str) -> Field:
    return entries.words("ensure", "present", indent)


def _written(person: Person, indent: str) -> list[Field]:
    quotes = {"expiry_date": '"'}
    return [entries.words(name, value, indent, quotes.get(name, "")) for name, value in person.words().items()]


def _shell(tables: Tables, name: str, shell: Shell, indent: str) -> list[Field]:
    keys = [usable(tables, name, key) for key in shell.ssh_keys]
    if len({fingerprint_of(key) for key in keys}) < len(keys):
        raise RegistryError(f"{name}: one key is given twice")
    fields = [
        entries.number("uid", shell.uid, indent),
        entries.number("gid", shell.gid, indent),
        entries.lines("ssh_keys", keys, indent, entries.dash_of(tables, indent)),
    ]
    return fields + ([entries.words("krb", one_line("krb", shell.krb), indent)] if shell.krb is not None else [])


def _refuse_taken(tables: Tables, name: str) -> None:
    try:
        check_name(name)
    except UsageError as error:
        raise RegistryError(str(error)) from error
    for table in ("users", "ldap_only_users"):
        if entry := tables.entries(table).get(name):
            raise RegistryError(f"{name} is already in {table} (line {tables.document.line(entry.key)})")
        refuse_misread(tables, name, table)
