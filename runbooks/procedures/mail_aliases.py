"""What procedures on mail aliases have in common: where alias files are, in the private repository and on the mail
hosts, what is known of them now, and how an edit gets to where it counts (duty page, "Mail aliases")."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from runbooks.aliases.domains import Domain, Domains, Files
from runbooks.aliases.file import AliasFile
from runbooks.aliases.patches import AliasIn, AliasOut
from runbooks.errors import Blocked, CommandFailed, RunbookError, SettingsError, UsageError
from runbooks.inventory.names import short
from runbooks.looking import side_by_side
from runbooks.model import Step
from runbooks.procedure import Steps
from runbooks.procedures.patching import is_address
from runbooks.site import Site
from runbooks.systems import reads
from runbooks.systems.commits import Commit
from runbooks.systems.exim import BringAliases, RoutesAsPlanned
from runbooks.systems.host import HostReader
from runbooks.systems.puppet import Puppet

T = TypeVar("T")
_ASKED = re.compile(r"[!-?A-\[\]-~]+")
"""Names that exim can be asked about; what is written otherwise is no address of anybody's."""


# where aliases are, and what is there


@dataclass(frozen=True)
class Place:
    """Where alias files are: on ``host``, in ``directory`` of a ``checkout``; ``mail_hosts`` have them, too."""

    host: str
    checkout: str
    directory: str
    mail_hosts: tuple[str, ...]


def place_of(site: Site) -> Place:
    """As the settings have it. Raises SettingsError, InventoryError."""
    private, aliases = site.settings.private, site.settings.aliases
    if not aliases.directory:
        raise SettingsError("aliases.directory is not set: say in invoke.yaml where the private repository has aliases")
    hosts = site.hosts_named([private.host]) if private.host else ()
    if len(hosts) != 1 or not private.checkout:
        raise SettingsError(
            "aliases.directory is set: private.checkout has to say where that repository lies, and private.host on "
            f"which one host, not on {len(hosts)}"
        )
    return Place(hosts[0], private.checkout, aliases.directory.strip("/"), site.hosts_named([aliases.mail_hosts]))


@dataclass(frozen=True)
class Repository:
    """The private repository as it is committed now."""

    reader: HostReader
    place: Place
    commit: str
    files: Files
    manifests: Mapping[str, str]

    def file(self, path: str) -> AliasFile:
        """An alias file. Raises CommandFailed, RegistryError."""
        return AliasFile.parse(self.reader.ask(reads.checkout_blob(self.place.checkout, self.commit, path)))


def repository_of(site: Site, place: Place) -> Repository:
    """Read it. Raises Unreachable, CommandFailed."""
    reader = site.targets[place.host].reader()
    assert isinstance(reader, HostReader)
    commit = reader.ask(reads.checkout_commit(place.checkout))
    files = reader.ask(reads.checkout_tree(place.checkout, commit, place.directory))
    if not files:
        raise CommandFailed(f"{place.host}: {place.checkout}: no alias files in {place.directory}: aliases.directory?")
    manifests = {}
    if where := (site.settings.aliases.manifests or "").strip("/"):
        for name in reader.ask(reads.checkout_tree(place.checkout, commit, where)):
            text = reader.ask(reads.checkout_blob(place.checkout, commit, f"{where}/{name}"))
            manifests[f"{where}/{name}"] = text.decode("utf-8", "replace")
    return Repository(reader, place, commit, files, manifests)


def domains_of(site: Site, repository: Repository, hosts: Sequence[str]) -> Domains:
    """All mail domains, as the repository and some mail hosts have them now. Raises Unreachable, CommandFailed."""
    directory = site.settings.aliases.host_directory
    found = on_each(site, hosts, lambda reader: reader.ask(reads.alias_directory(directory)))
    deployed: dict[str, str | None] = {}
    for host in hosts:
        deployed |= found[host]
    return Domains(repository.place.directory, repository.files, deployed, directory, repository.manifests)


def on_each(site: Site, hosts: Sequence[str], look: Callable[[HostReader], T]) -> dict[str, T]:
    """What each of some hosts says, asked side by side. Raises what the first of them that cannot say gives reason
    to."""
    found: dict[str, T] = {}
    failed: dict[str, RunbookError] = {}

    def ask(host: str) -> None:
        try:
            found[host] = look(site.targets[host].reader())  # type: ignore[arg-type]
        except RunbookError as error:
            failed[host] = error
        finally:
            site.targets.rest(host)

    side_by_side(hosts, site.targets, ask)
    for host in hosts:
        if host in failed:
            raise failed[host]
    return found


def split(text: str) -> tuple[str, str]:
    """The name and the domain of an alias. Raises UsageError."""
    if not is_address(text):
        raise UsageError(f"{short(text)!r} is no mail address: an alias is name@example.org")
    name, _, domain = text.lower().partition("@")
    return name, domain


# an edit


@dataclass(frozen=True)
class Seen:
    """An alias, as it is looked at before an edit: its ``domain``, and the file with all others. ``hosts`` are the mail
    hosts that are looked at and told, ``left_out`` the others."""

    name: str
    domain: Domain
    repository: Repository
    file: AliasFile
    hosts: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def was(self) -> tuple[str, ...] | None:
        """Its targets; None where there is no such alias."""
        entry = self.file.entry(self.name)
        return tuple(target.text for target in entry.targets) if entry else None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that the file is about, and its own, in every domain that changes with the file."""
        names = dict.fromkeys([*filter(_ASKED.fullmatch, self.file.names), self.name])
        return tuple(f"{name}@{domain}" for domain in self.domain.together for name in names)


def look_at(site: Site, alias: str, without: Sequence[str]) -> Seen:
    """The alias that is meant. Raises UsageError, Blocked where its domain has no file that could be edited, and what
    hosts that cannot be asked give reason to."""
    name, domain = split(alias)
    place = place_of(site)
    left_out = site.hosts_named(without)
    if strangers := [host for host in left_out if host not in place.mail_hosts]:
        raise UsageError(f"--without {strangers[0]}: is no mail host: there are {', '.join(place.mail_hosts)}")
    hosts = tuple(host for host in place.mail_hosts if host not in left_out)
    repository = repository_of(site, place)
    found = domains_of(site, repository, hosts).find(domain)
    if not found.path or found.problem:
        raise Blocked(f"{domain}: {found.problem or 'has no file that could be edited'}; nothing was changed")
    return Seen(name, found, repository, repository.file(found.path), hosts, left_out)


@dataclass(frozen=True)
class Edited:
    """The case of an edit: the alias (``name`` in the file at ``path``, asked for as ``domain``, whose links lead along
    ``chain``), its ``targets`` that come or go, all that it has then (``wanted``), and what it had (``was``; None where
    there was none). ``domains`` are all that change with the file; ``before`` says where each mail host sent what came
    for its addresses."""

    name: str
    domain: str
    path: str
    chain: tuple[str, ...]
    domains: tuple[str, ...]
    targets: tuple[str, ...]
    was: tuple[str, ...] | None
    wanted: tuple[str, ...]
    task: str
    operator: str
    host: str
    checkout: str
    mail_hosts: tuple[str, ...]
    left_out: tuple[str, ...]
    host_directory: str
    command: tuple[str, ...]
    before: Mapping[str, Mapping[str, Sequence[str]]]
    puppet: Mapping[str, Any]
    more: bool

    @property
    def own(self) -> str:
        """The domain that the file is of."""
        return self.path.rpartition("/")[2]

    @property
    def remark(self) -> str:
        """What stands beside the changed line."""
        return " ".join(filter(None, (self.task, f"({self.operator})")))


def edited(
    site: Site, seen: Seen, targets: Sequence[str], wanted: Sequence[str], task: str, more: bool = False
) -> Edited:
    """The case. Raises Unreachable, CommandFailed."""
    command = site.settings.aliases.command
    routes = on_each(site, seen.hosts, lambda reader: reader.ask(reads.mail_routes(command, seen.addresses)))
    return Edited(
        name=seen.name,
        domain=seen.domain.name,
        path=seen.domain.path,
        chain=seen.domain.chain,
        domains=seen.domain.together,
        targets=tuple(targets),
        was=seen.was,
        wanted=tuple(wanted),
        task=task,
        operator=site.operator,
        host=seen.repository.place.host,
        checkout=seen.repository.place.checkout,
        mail_hosts=seen.hosts,
        left_out=seen.left_out,
        host_directory=site.settings.aliases.host_directory,
        command=command,
        before={host: {one: list(route.shown) for one, route in routes[host].items()} for host in seen.hosts},
        puppet=site.puppet_record(),
        more=more,
    )


def edit_steps(case: Edited, patch: AliasIn | AliasOut) -> Steps:
    """Committed, brought to each mail host, and looked at there, before the next one's turn."""
    yield Step(
        f"Commit it to the private repository: {patch.title}",
        Commit(case.checkout, patch, case.operator),
        on=(case.host,),
        must_all=True,
        undo="Commit the revert to the private repository",
    )
    if not case.mail_hosts:
        return
    yield Step(
        "Let puppet bring it to the mail hosts",
        BringAliases(Puppet.of(case.puppet), case.host_directory, patch),
        on=case.mail_hosts,
        carries=True,
        undo="Let puppet bring the revert to the mail hosts",
    )
    wanted = {f"{case.name}@{domain}": case.wanted for domain in case.domains}
    yield Step(
        "Ask exim where mail goes: the alias as promised, every other address as before",
        None,
        on=case.mail_hosts,
        carries=True,
        undo="Ask exim where mail goes: every address as before",
        changes={host: RoutesAsPlanned(tuple(case.command), case.before[host], wanted) for host in case.mail_hosts},
    )


def notes(case: Edited) -> tuple[str, ...]:
    """Which domains change, and what is left to do by hand."""
    others = [domain for domain in case.domains if domain != case.own]
    link = f"{' → '.join(case.chain)}: it is {case.own} that is edited" if len(case.chain) > 1 else ""
    along = f"with {case.own} change {', '.join(others)}, which are links to it" if others else ""
    left = f"left out: {', '.join(case.left_out)}: let puppet run there, and look with `inv mail-route`"
    return tuple(filter(None, (link, along, left if case.left_out else "")))


def typed(case: Edited) -> str:
    """The domain that is really edited, where another one was named."""
    return case.own if case.domain != case.own else ""


def subjects(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The alias; others may be edited meanwhile."""
    return (f"alias:{str(arguments['alias']).lower()}",)
