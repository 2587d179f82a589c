"""What hosts still hold of people who are gone: accounts, and keys, wherever sshd would take them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runbooks.errors import Lost, RunbookError, Unreachable
from runbooks.looking import side_by_side
from runbooks.procedures.remark import Remark
from runbooks.registry import AccountRegistry
from runbooks.registry.edits import fingerprints
from runbooks.registry.former_keys import ENTRY, former_keys
from runbooks.site import Site
from runbooks.systems import reads
from runbooks.systems.files import KeyFile

_BEHIND = "left behind"


@dataclass(frozen=True)
class Unwanted:
    """What no host should hold: accounts of people who are ``absent``, and ``keys`` (in base64) that nobody has in the
    registry any more, with who had them last."""

    absent: frozenset[str]
    keys: Mapping[str, str]


def keys_of_the_past(site: Site) -> dict[str, str]:
    """Every key that the registry has ever held, and who had it last. Raises Unreachable, CommandFailed."""
    reader = site.targets["@git"].reader()
    return former_keys(reader.past(site.settings.repository.registry, ENTRY))  # type: ignore[attr-defined]


def unwanted(site: Site, registry: AccountRegistry, past: Mapping[str, str]) -> Unwanted:
    """From the registry and its past."""
    keys = dict(past)
    held: set[str] = set()
    for user in registry.users():
        for key in site.keys((*user.ssh_keys, *user.buster_ssh_keys)):
            if user.present:
                held.add(key.split()[1])
            else:
                keys[key.split()[1]] = user.name
    absent = frozenset(user.name for user in registry.users() if not user.present and not user.rename)
    return Unwanted(absent, {blob: name for blob, name in keys.items() if blob not in held})


def on_hosts(site: Site, registry: AccountRegistry, what: Unwanted) -> list[Remark]:
    """What every host of the inventory holds of it, or why it could not be looked at."""
    found: list[Remark] = []

    def look(host: str) -> None:
        try:
            found.extend(_on(site, host, registry, what))
        except (Unreachable, Lost) as error:
            found.append(Remark("not looked at", "", error.why, (host,)))
        except RunbookError as error:
            found.append(Remark("not looked at", "", str(error).removeprefix(f"{host}: "), (host,)))
        finally:
            site.targets.rest(host)

    side_by_side(site.inventory.hosts, site.targets, look)
    return found


def _on(site: Site, host: str, registry: AccountRegistry, what: Unwanted) -> Iterator[Remark]:
    reader = site.targets[host].reader()
    accounts, files = reader.ask_all([reads.passwd(), reads.key_file_names()])  # type: ignore[attr-defined]
    names = {account.name for account in accounts}
    # The old style of registry has puppet take the keys, and leave the account.
    for name in names & what.absent if registry.purges else ():
        yield Remark(_BEHIND, name, "is absent in the registry, and has an account", (host,))
    # sshd may look elsewhere for each account, so all are asked about; and a file may lie ready for an account to come.
    for file in reader.ask(reads.key_files(*sorted(names | files & what.absent))):  # type: ignore[attr-defined]
        for subject, message in _in_file(file, registry, what):
            yield Remark(_BEHIND, subject, message, (host,))


def _in_file(file: KeyFile, registry: AccountRegistry, what: Unwanted) -> Iterator[tuple[str, str]]:
    for line in file.lines:
        blobs = [word for word in line.split() if word.startswith("AAAA")]
        if line.lstrip().startswith("#") or not blobs:
            continue
        if file.account in what.absent and file.is_its_own:
            yield file.account, f"is absent in the registry, and has a key in {file.path}"
            continue
        for blob in set(blobs) & what.keys.keys():
            shown = " ".join(fingerprints([line]))
            yield what.keys[blob], f"{_standing(registry, what.keys[blob])} the key {shown} in {file.path}"


def _standing(registry: AccountRegistry, name: str) -> str:
    entry = registry.entry(name)
    if entry is None:
        return "is not in the registry any more, and has"
    return "has lost in the registry" if entry.present else "is absent in the registry, and has"
