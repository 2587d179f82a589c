"""What is wrong with the alias files of the private repository, as they are committed. Nothing is changed."""

from __future__ import annotations

from runbooks.aliases.problems import Problem
from runbooks.errors import UsageError
from runbooks.inventory.names import suggest
from runbooks.procedures.mail_aliases import domains_of, linted, place_of, repository_of
from runbooks.site import Site


def alias_lint(site: Site, domain: str = "") -> list[Problem]:
    """The problems of all alias files, or only of the file that ``domain`` uses. The first mail host says for which
    other addresses mail is taken. Raises UsageError, SettingsError, Unreachable, Blocked."""
    place = place_of(site)
    repository = repository_of(site, place)
    domains = domains_of(site, repository, place.mail_hosts)
    if domain and domain.lower() not in domains.names:
        raise UsageError(f"{domain} is no mail domain of ours{suggest(domain, domains.names)}")
    wanted = domains.find(domain.lower()).path if domain else ""
    paths = {domains.find(name).path for name in domains.names} - {""}
    files = {path: repository.file(path).data for path in sorted(paths)}
    found = linted(site, place.mail_hosts[0], domains, files)
    return [one for one in found if not wanted or one.path == wanted]
