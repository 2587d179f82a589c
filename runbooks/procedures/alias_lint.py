"""What is wrong with the alias files of the private repository, as they are committed. Nothing is changed."""

from __future__ import annotations

from runbooks.aliases.domains import DomainKind, Domains
from runbooks.aliases.problems import Problem
from runbooks.errors import UsageError
from runbooks.procedures.mail_aliases import domains_of, linted, place_of, repository_of
from runbooks.site import Site


def alias_lint(site: Site, domain: str = "") -> list[Problem]:
    """The problems of all alias files, or only of a ``domain``, its links, and the file that it uses. The first mail
    host says for which other addresses mail is taken. Raises UsageError, SettingsError, Unreachable, Blocked."""
    place = place_of(site)
    repository = repository_of(site, place)
    domains = domains_of(site, repository, place.mail_hosts)
    wanted = _paths_of(domains, domain.lower()) if domain else set()
    paths = {domains.find(name).path for name in domains.names} - {""}
    files = {path: repository.data(path) for path in sorted(paths)}
    found = linted(site, place.mail_hosts[0], domains, files)
    return [one for one in found if not domain or one.path in wanted]


def _paths_of(domains: Domains, name: str) -> set[str]:
    """Where problems of a domain may stand. Raises UsageError where there is nothing to look at."""
    found = domains.find(name)
    if found.kind is DomainKind.MANIFEST and found.mentions:
        raise UsageError(f"{name}: there is no file to look at: {found.problem}")
    return {found.path, *(f"{domains.directory}/{one}" for one in found.chain)}
