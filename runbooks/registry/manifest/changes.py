"""What is done to accounts in a manifest: edits of its text, and what it has to say afterwards.

Sources: duty page, "Removing access"; the field's own file. A key that goes turns ``ensure => absent`` and stays, or
puppet would leave it on the hosts; a removed account is ``$enabled = false`` with all of its keys absent, and stays
included for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from runbooks.errors import RegistryError, UsageError
from runbooks.registry.account_keys import fingerprint_of
from runbooks.registry.keys import parse_key
from runbooks.registry.manifest import forms
from runbooks.registry.manifest.grouping import included
from runbooks.registry.manifest.people import ACCOUNTS, Account, KeyEntry, plain_guard
from runbooks.registry.manifest.reading import Change, Reading, Said, is_key, said_with
from runbooks.registry.manifest.spelling import crowded, indent, line_behind, respelled
from runbooks.registry.manifest.statements import ACCOUNT, KEY, Resource
from runbooks.registry.names import check_name
from runbooks.registry.splice import Edit
from runbooks.registry.who import one_line

# keys


def remove_key(reading: Reading, name: str, key: str) -> Change:
    """A key, by its text or fingerprint, is absent. Raises RegistryError."""
    account, wanted = reading.account(name), key.strip()
    found = [one for one in account.keys if one.present and is_key(one, wanted)]
    if not found:
        shown = wanted if wanted.startswith("SHA256:") else wanted[:60]
        raise RegistryError(f"{name} (line {account.user.line}) has no key {shown!r}")
    return _ensured(reading, account, found, present=False)


def clear_keys(reading: Reading, name: str) -> Change:
    """Every key is absent. Raises RegistryError."""
    account = reading.account(name)
    found = [one for one in account.keys if one.present]
    if not found:
        raise RegistryError(f"{name} (line {account.user.line}) has no keys")
    return _ensured(reading, account, found, present=False)


def add_key(reading: Reading, name: str, key: str) -> Change:
    """One key more: present again where it stands as absent, else in a resource behind the others. Raises
    RegistryError."""
    account = reading.enabled_account(name)
    line = _usable(reading, name, key)
    if known := [one for one in account.keys if is_key(one, fingerprint_of(line))]:
        return _ensured(reading, account, known[:1], present=True)
    (new,) = forms.new_keys(reading, name, [line])
    said, last = reading.meaning.accounts[name], _last_of_all_hosts(reading, account)
    edit = _first_key(reading, account, new) if last is None else _another_key(reading, account, last, new)
    before = [place for place, one in enumerate(account.keys, 1) if one.resource is last]
    place = max(before, default=len(said.keys))
    keys = (*said.keys[:place], (new.title, new.text, True), *said.keys[place:])
    return Change((edit,), said_with(reading.meaning, name, replace(said, keys=keys)))


def _another_key(reading: Reading, account: Account, last: Resource, new: forms.NewKey) -> Edit:
    """A resource behind another one, on lines of its own."""
    source, tokens = reading.source, reading.source.tokens
    if indent(source, tokens[last.first].start) is None:
        raise crowded(source, tokens[last.first].start, "the key")
    offset = line_behind(source, tokens[last.closes].end, "the key")
    return Edit(offset, offset, source.line_break + forms.key_text(reading, last, account.user.name, new))


def _first_key(reading: Reading, account: Account, new: forms.NewKey) -> Edit:
    """A block at the end of the class, like that of another account."""
    source, tokens, name = reading.source, reading.source.tokens, account.user.name
    titles = [tokens[entry.begins] for one in account.body.resources if one.kind == ACCOUNT for entry in one.entries]
    if [title for title in titles if title.text != "$realname" and title.value != account.user.realname] or not titles:
        line = reading.line(account.owner.first)
        raise RegistryError(f"{name} (line {line}) has no unixaccount {{ $realname: }} for its first key to require")
    end = tokens[account.owner.closes].start
    if indent(source, end) is None:
        raise crowded(source, end, "the end of the class")
    text = forms.block_text(reading, forms.model_of(reading), name, [new])
    return Edit(source.line_start(end), source.line_start(end), f"{source.line_break}{text}{source.line_break}")


def _last_of_all_hosts(reading: Reading, account: Account) -> Resource | None:
    """The last resource with keys that are not for some hosts alone."""
    found = [one for one in account.body.resources if one.kind == KEY and one.entries]
    found = [one for one in found if all(plain_guard(reading.source, block) for block in one.blocks)]
    return found[-1] if found else None


def _ensured(reading: Reading, account: Account, keys: Sequence[KeyEntry], *, present: bool) -> Change:
    word = "present" if present else "absent"
    tokens = [reading.source.tokens[key.ensure] for key in keys]
    edits = tuple(Edit(token.start, token.end, respelled(token, word)) for token in tokens)
    said = reading.meaning.accounts[account.user.name]
    after = tuple((key.title, key.text, present if key in keys else key.present) for key in account.keys)
    return Change(edits, said_with(reading.meaning, account.user.name, replace(said, keys=after)))


def _usable(reading: Reading, name: str, key: str) -> str:
    line = one_line("the key", key)
    wanted = fingerprint_of(line)
    if parse_key(line).options:
        raise RegistryError(f"{name}: the key comes with options in front: hand in the key alone")
    for other, account in reading.accounts.items():
        if any(one.present and is_key(one, wanted) for one in account.keys):
            whose = "has the key already" if other == name else f"cannot have {other}'s key"
            raise RegistryError(f"{name} {whose}: {wanted} (line {account.user.line})")
    return line


# access


def absent(reading: Reading, name: str) -> Change:
    """The account is disabled and all of its keys are absent. Raises RegistryError: it is already, or puppet would
    delete the home with it."""
    account = reading.account(name)
    if not account.user.present:
        raise RegistryError(f"{name} (line {account.user.line}) is disabled")
    change = _ensured(reading, account, [one for one in account.keys if one.present], present=False)
    if not account.enabled:
        return change
    if (passed := account.passes_enabled) is not None:
        raise RegistryError(
            f"{name} (line {reading.line(passed)}): enabled is passed to its unixaccount, with which puppet deletes "
            "the account and the home that it manages; take that out first"
        )
    said = replace(change.meaning.accounts[name], enabled=False)
    edits = (*change.edits, _disabling(reading, account))
    return Change(edits, said_with(change.meaning, name, said))


def _disabling(reading: Reading, account: Account) -> Edit:
    tokens, source = reading.source.tokens, reading.source
    if account.switch is not None:
        token = tokens[account.switch]
        return Edit(token.start, token.end, respelled(token, "false"))
    uid = next((one for one in account.body.assignments if one.name == "uid" and not one.conditional), None)
    if uid is None or uid.value is None or indent(source, tokens[uid.first].start) is None:
        raise RegistryError(f"{account.user.name} (line {account.user.line}) has no $uid on a line of its own")
    variable, value = tokens[uid.first], tokens[uid.value]
    offset = line_behind(source, value.end, "$uid")
    wide = source.text[variable.end : tokens[uid.first + 1].start]
    if len(wide) > 1 and not wide.strip(" "):  # the equals signs stand below each other
        wide = " " * max(1, len(variable.text) + len(wide) - len("$enabled"))
    behind = source.text[tokens[uid.first + 1].start : value.start]
    switches = [tokens[one.switch] for one in reading.accounts.values() if one.switch is not None]
    word = respelled(switches[-1], "false") if switches else "false"
    line = f"{indent(source, variable.start)}$enabled{wide}{behind}{word}"
    return Edit(offset, offset, source.line_break + line)


# a new one


def add_user(reading: Reading, name: str, values: dict[str, str], groups: Sequence[str], keys: Sequence[str]) -> Change:
    """A class for a new account, behind the one that it is made like, and its includes. Raises RegistryError."""
    _refuse_name(reading, name)
    lines = [_usable(reading, name, key) for key in keys]
    if len({fingerprint_of(line) for line in lines}) < len(lines):
        raise RegistryError(f"{name}: one key is given twice")
    new = forms.new_keys(reading, name, lines)
    model, source = forms.model_of(reading), reading.source
    offset = line_behind(source, source.tokens[model.owner.closes].end, "the class")
    text = forms.account_text(reading, model, name, values, new)
    change = included(reading, name, groups)
    gid = int(values["gid"]) if "gid" in values else None
    written = tuple((key.title, key.text, True) for key in new)
    said = Said(int(values["uid"]), gid, values["realname"], enabled=True, keys=written)
    meant = said_with(change.meaning, name, said)
    meant = replace(meant, classes=(*meant.classes, ACCOUNTS + name))
    return Change((*change.edits, Edit(offset, offset, source.line_break * 2 + text)), meant)


def _refuse_name(reading: Reading, name: str) -> None:
    _checked(check_name, name)
    if "-" in name:
        raise RegistryError(f"{name}: a Puppet class has no dash in its name, so the account cannot be written there")
    for one in reading.classes:
        if one.name == ACCOUNTS + name:
            raise RegistryError(f"{name} is already in accounts (line {reading.line(one.first)})")


def _checked(check: Callable[[str], None], name: str) -> None:
    try:
        check(name)
    except UsageError as error:
        raise RegistryError(str(error)) from error
