"""What procedures and reports on mail aliases have in common: where the alias files are (in the private repository, and
on the mail hosts), and what is in them now (duty page, "Mail aliases")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from runbooks.aliases.domains import Domains, Files
from runbooks.aliases.file import AliasFile
from runbooks.aliases.lint import lint
from runbooks.aliases.local import Local
from runbooks.aliases.problems import Problem
from runbooks.errors import Blocked, CommandFailed, RegistryError, RunbookError, SettingsError
from runbooks.looking import ask_each
from runbooks.procedures.forms import check_address
from runbooks.site import Site
from runbooks.systems import reads
from runbooks.systems.exim import routes_of
from runbooks.systems.exim_routes import REACHES, Route
from runbooks.systems.host import HostReader

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where alias files are: on ``host``, in ``directory`` of a ``checkout``; ``mail_hosts`` get copies."""

    host: str
    checkout: str
    directory: str
    mail_hosts: tuple[str, ...]


def place_of(site: Site) -> Place:
    """Where the settings say that they are. Raises SettingsError, InventoryError."""
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
class PrivateRepository:
    """The private repository as it is committed now: its alias ``files`` (links with what they lead to), and the text
    of its ``manifests`` by path."""

    reader: HostReader
    place: Place
    commit: str
    files: Files
    manifests: Mapping[str, str]

    def data(self, path: str) -> bytes:
        """What a file holds. Raises CommandFailed."""
        return self.reader.ask(reads.checkout_blob(self.place.checkout, self.commit, path))

    def file(self, path: str) -> AliasFile:
        """The alias file at a path. Raises CommandFailed, RegistryError."""
        return file_of(self.data(path), path)


def file_of(data: bytes, where: str) -> AliasFile:
    """An alias file. Raises RegistryError, which says where it is."""
    try:
        return AliasFile.parse(data)
    except RegistryError as error:
        raise RegistryError(f"{where}: {error}") from error


def repository_of(site: Site, place: Place) -> PrivateRepository:
    """Read the private repository on its host. Raises Unreachable, Blocked."""
    return on_each(site, [place.host], lambda reader: _repository(site, place, reader))[place.host]


def _repository(site: Site, place: Place, reader: HostReader) -> PrivateRepository:
    commit = reader.ask(reads.checkout_commit(place.checkout))
    files = reader.ask(reads.checkout_tree(place.checkout, commit, place.directory))
    if not files:
        raise CommandFailed(
            f"{place.host}: {place.checkout}: no alias files in {place.directory}: look at aliases.directory"
        )
    manifests = {}
    if where := (site.settings.aliases.manifests or "").strip("/"):
        for name in reader.ask(reads.checkout_tree(place.checkout, commit, where)):
            text = reader.ask(reads.checkout_blob(place.checkout, commit, f"{where}/{name}"))
            manifests[f"{where}/{name}"] = text.decode("utf-8", "replace")
    return PrivateRepository(reader, place, commit, files, manifests)


def domains_of(site: Site, repository: PrivateRepository, hosts: Sequence[str]) -> Domains:
    """All mail domains, as the repository and some mail hosts have them now. Raises Unreachable, Blocked."""
    directory = site.settings.aliases.host_directory
    found = on_each(site, hosts, lambda reader: reader.ask(reads.alias_directory(directory)))
    deployed: dict[str, str | None] = {}
    for host in hosts:
        deployed |= found[host]
    return Domains(repository.place.directory, repository.files, deployed, directory, repository.manifests)


def on_each(site: Site, hosts: Sequence[str], look: Callable[[HostReader], T]) -> dict[str, T]:
    """What each of some hosts says, asked side by side. Raises Unreachable or Blocked for the first that cannot say."""
    found: dict[str, T] = {}
    for host, said in ask_each(hosts, site.targets, look).items():
        if isinstance(said, CommandFailed):
            # Nothing was done yet that could be incomplete.
            raise Blocked(f"{' '.join(str(said).split())}; nothing was changed") from said
        if isinstance(said, RunbookError):
            raise said
        found[host] = said
    return found


def linted(site: Site, host: str, domains: Domains, files: Mapping[str, bytes]) -> list[Problem]:
    """The problems of alias files (``files``: contents by path). For which other addresses mail is taken, the mail host
    ``host`` says. Raises Unreachable, Blocked."""
    return on_each(site, [host], lambda reader: _linted(site, reader, domains, files))[host]


def _linted(site: Site, reader: HostReader, domains: Domains, files: Mapping[str, bytes]) -> list[Problem]:
    command = site.settings.aliases.command
    qualify = reader.ask(reads.mail_qualify(command, site.settings.aliases.host_directory))
    # A first pass collects the addresses that exim has to be asked about; they are asked in one go.
    asked: dict[str, bool] = {}
    lint(domains, files, lambda address: asked.setdefault(address, True), qualify)
    fit = [one for one in asked if one.isprintable() and one.strip() and not one.endswith("\\")]
    routes = routes_of(reader, command, fit)
    there = Local(domains, _deployed(reader, site.settings.aliases.host_directory, files), lambda _: True, qualify)
    known = {one for one, route in routes.items() if _has_taker(one, route, there.alias(one) is not None)}
    return lint(domains, files, lambda address: address in known, qualify)


def _deployed(reader: HostReader, directory: str, paths: Iterable[str]) -> dict[str, AliasFile]:
    """Alias files as a mail host has them, under the names that they have in the repository."""
    found = {}
    for path in paths:
        with suppress(CommandFailed, RegistryError):  # not there yet, or not readable: exim finds no alias there
            found[path] = AliasFile.parse(reader.ask(reads.checkout_file(directory, path.rpartition("/")[2])))
    return found


def _has_taker(address: str, route: Route, alias: bool) -> bool:
    """Whether somebody takes mail for it, be it an alias of another kind; for what is an alias in the mail host's own
    files it has to be somebody else: it ends there of itself, or as its own target."""
    return any(end.fate in REACHES and (not alias or not end.parents or end.address == address) for end in route.ends)


def split(text: str) -> tuple[str, str]:
    """The name and the domain of an alias. Raises UsageError."""
    check_address(text)
    name, _, domain = text.lower().partition("@")
    return name, domain
