"""What is wrong with the alias files of the private repository, as they are committed. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable

from runbooks.aliases.lint import lint
from runbooks.aliases.problems import Problem
from runbooks.errors import SettingsError, UsageError
from runbooks.inventory.names import suggest
from runbooks.procedures.mail_aliases import domains_of, place_of, repository_of
from runbooks.procedures.mail_routes import REACHES
from runbooks.site import Site
from runbooks.systems import reads
from runbooks.systems.exim import routes_of
from runbooks.systems.host import HostReader


def alias_lint(site: Site, domain: str = "") -> list[Problem]:
    """The problems of all files, or of that which a domain shares with others; the first mail host says whom there is
    mail for besides. Raises UsageError, SettingsError, and what hosts that cannot be asked give reason to."""
    place = place_of(site)
    if not place.mail_hosts:
        raise SettingsError("aliases.mail_hosts: there are none")
    repository = repository_of(site, place)
    domains = domains_of(site, repository, place.mail_hosts)
    if domain and domain.lower() not in domains.names:
        raise UsageError(f"{domain} is no mail domain of ours{suggest(domain, domains.names)}")
    wanted = domains.find(domain.lower()).path if domain else ""
    paths = {domains.find(name).path for name in domains.names} - {""}
    files = {path: repository.file(path).data for path in sorted(paths)}
    reader = site.targets[place.mail_hosts[0]].reader()
    assert isinstance(reader, HostReader)
    command = site.settings.aliases.command
    qualify = reader.ask(reads.mail_qualify(command))
    # What has to be asked is known when all of it has been gone through once; then it is asked at one go.
    asked: dict[str, bool] = {}
    lint(domains, files, lambda address: asked.setdefault(address, True), qualify)
    known = _known(reader, command, asked)
    found = lint(domains, files, lambda address: address in known, qualify)
    return [one for one in found if not wanted or one.path == wanted]


def _known(reader: HostReader, command: tuple[str, ...], addresses: Iterable[str]) -> set[str]:
    """Those that mail gets to."""
    fit = [one for one in addresses if one.isprintable() and one.strip() and not one.endswith("\\")]
    routes = routes_of(reader, command, fit)
    return {address for address, route in routes.items() if route.fate in REACHES}
