"""What adding and removing a mail alias have in common: what is looked at before, and the steps.

As on the duty page ("Mail aliases"), the alias file is edited and committed in the private repository, puppet brings it
to the mail hosts, and exim is asked there where mail goes now.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from runbooks.aliases.domains import Domain, Domains
from runbooks.aliases.entries import Entry
from runbooks.aliases.file import AliasFile
from runbooks.aliases.patches import AliasIn, AliasOut
from runbooks.aliases.problems import Problem, Severity
from runbooks.aliases.targets import Target
from runbooks.errors import Blocked, UsageError
from runbooks.model import Step
from runbooks.procedure import Steps
from runbooks.procedures.alias_routes import promised
from runbooks.procedures.mail_aliases import (
    PrivateRepository,
    domains_of,
    file_of,
    linted,
    on_each,
    place_of,
    repository_of,
    split,
)
from runbooks.site import Site
from runbooks.systems import reads
from runbooks.systems.commits import Commit
from runbooks.systems.exim import BringAliases, RoutesAsPlanned
from runbooks.systems.puppet import Puppet
from runbooks.systems.wording import listed

_ASKED = re.compile(r"[!-?A-\[\]-~]+")
"""Names that exim can be asked about; what is written otherwise is no address of anybody's."""


@dataclass(frozen=True)
class Seen:
    """What is there before an edit: the alias's ``name``, its ``domain``, and the domain's ``file`` as it is committed;
    besides, all ``domains`` and the ``repository``. ``hosts`` are the mail hosts that get the edit, ``left_out`` those
    that the operator has left out."""

    name: str
    domain: Domain
    domains: Domains
    repository: PrivateRepository
    file: AliasFile
    hosts: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def entry(self) -> Entry | None:
        """The alias as it is now, if there is one."""
        return self.file.entry(self.name)

    @property
    def was(self) -> tuple[str, ...] | None:
        """Its targets; None where there is no such alias."""
        return tuple(target.text for target in self.entry.targets) if self.entry else None

    @property
    def paths(self) -> tuple[str, ...]:
        """All alias files of the repository."""
        return tuple(sorted({self.domains.find(name).path for name in self.domains.names} - {""}))

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that the file has an alias for, and the alias's own, in each domain that shares the file."""
        names = dict.fromkeys([*filter(_ASKED.fullmatch, self.file.names), self.name])
        return tuple(f"{name}@{domain}" for domain in self.domain.together for name in names)


def look_at(site: Site, alias: str, without: Sequence[str]) -> Seen:
    """Look at an alias (its address), its file and the mail hosts. Raises UsageError; Blocked where its domain has no
    file that could be edited, or a mail host lacks what others have committed; and Unreachable."""
    name, domain = split(alias)
    if domain in {one.name for one in site.settings.lists.domains}:
        raise UsageError(f"{domain} has mailing lists, no aliases: `inv list-info {name}`, `inv list-create {name}`")
    place = place_of(site)
    left_out = site.hosts_named(without)
    if strangers := [host for host in left_out if host not in place.mail_hosts]:
        raise UsageError(f"--without {strangers[0]}: is no mail host: there are {', '.join(place.mail_hosts)}")
    hosts = tuple(host for host in place.mail_hosts if host not in left_out)
    repository = repository_of(site, place)
    domains = domains_of(site, repository, hosts)
    found = domains.find(domain)
    if not found.path or found.problem:
        raise Blocked(f"{domain}: {found.problem or 'has no file that could be edited'}; nothing was changed")
    seen = Seen(name, found, domains, repository, repository.file(found.path), hosts, left_out)
    _refuse_behind(site, seen)
    return seen


def _refuse_behind(site: Site, seen: Seen) -> None:
    """Raise Blocked where a mail host does not have yet what others have committed for this file: puppet would bring it
    along with our edit, and it would look like our doing."""
    own = seen.domain.path.rpartition("/")[2]
    directory = site.settings.aliases.host_directory
    deployed = on_each(site, seen.hosts, lambda reader: reader.ask(reads.alias_directory(directory)))
    for host in seen.hosts:
        if absent := [name for name in seen.domain.together if name not in deployed[host]]:
            raise Blocked(f"{host} has no {directory}/{absent[0]} yet: let puppet run there first; nothing was changed")
        alike = replace(seen.domains, deployed=deployed[host]).find(own).together
        if odd := sorted({*alike} ^ {*seen.domain.together}):
            why = f"{host} and other mail hosts differ: {odd[0]} is the same as {own} on some of them only"
            raise Blocked(f"{why}: let puppet run on all of them first; nothing was changed")
    found = on_each(site, seen.hosts, lambda reader: reader.ask(reads.checkout_file(directory, own)))
    for host in seen.hosts:
        file = file_of(found[host], f"{host}: {directory}/{own}")
        missing = [name for name in seen.file.names if _meaning(file, name) != _meaning(seen.file, name)]
        if missing:
            raise Blocked(
                f"{host} does not have yet what is committed for {own}: {listed(missing)}: let puppet run there first, "
                "so that what comes is told apart; nothing was changed"
            )


def _meaning(file: AliasFile, name: str) -> object:
    entry = file.entry(name)
    return entry and entry.meaning


def refuse_trouble(site: Site, seen: Seen, patch: AliasIn | AliasOut) -> None:
    """Raise Blocked for an edit after which ``inv alias-lint`` would find an error that is not there now: a loop, or an
    alias that leads to one that is gone."""
    after = patch.after(seen.file)
    if not seen.hosts or after == seen.file.data:
        return
    found = _errors(site, seen, after)
    before = {one.what for one in _errors(site, seen, seen.file.data)} if found else set()
    for one in found:
        if one.what not in before:
            raise Blocked(f"this edit would lead to {one}; nothing was changed")


def _errors(site: Site, seen: Seen, data: bytes) -> list[Problem]:
    files = {path: seen.repository.data(path) for path in seen.paths} | {seen.domain.path: data}
    found = linted(site, seen.hosts[0], seen.domains, files)
    return [one for one in found if one.severity is Severity.ERROR]


@dataclass(frozen=True)
class Edited:
    """The case of an edit.

    The alias: its ``name``, and the ``domain`` that the operator named, whose links lead along ``chain`` to the file at
    ``path``; ``domains`` are all that share that file. The edit: the ``targets`` that are added (``more``: to those
    that are there) or removed, and those that it had (``was``; None where there was no alias). Where: the ``checkout``
    on ``host``; and the ``mail_hosts``, with alias files in ``host_directory`` and exim's ``command`` and ``puppet`` as
    the settings have them; ``left_out`` are other mail hosts. ``promises``: what each mail host is held to, as
    ``Promise`` has it.
    """

    name: str
    domain: str
    path: str
    chain: tuple[str, ...]
    domains: tuple[str, ...]
    targets: tuple[str, ...]
    was: tuple[str, ...] | None
    task: str
    operator: str
    host: str
    checkout: str
    mail_hosts: tuple[str, ...]
    left_out: tuple[str, ...]
    host_directory: str
    command: tuple[str, ...]
    promises: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]
    puppet: Mapping[str, Any]
    more: bool

    @property
    def own(self) -> str:
        """The domain that the file is named after."""
        return self.path.rpartition("/")[2]

    @property
    def remark(self) -> str:
        """The comment beside the changed line: ticket and operator."""
        return " ".join(filter(None, (self.task, f"({self.operator})")))


def edited(
    site: Site, seen: Seen, targets: Sequence[str], wanted: Sequence[Target], task: str, more: bool = False
) -> Edited:
    """The case; ``wanted`` are all targets that the alias has then. Raises Unreachable, Blocked."""
    command, directory = site.settings.aliases.command, site.settings.aliases.host_directory
    ours = [f"{seen.name}@{domain}" for domain in seen.domain.together]
    old = seen.entry.targets if seen.entry else ()
    found = on_each(
        site,
        seen.hosts,
        lambda reader: promised(reader, command, directory, seen.addresses, ours, old, wanted),
    )
    return Edited(
        name=seen.name,
        domain=seen.domain.name,
        path=seen.domain.path,
        chain=seen.domain.chain,
        domains=seen.domain.together,
        targets=tuple(targets),
        was=seen.was,
        task=task,
        operator=site.operator,
        host=seen.repository.place.host,
        checkout=seen.repository.place.checkout,
        mail_hosts=seen.hosts,
        left_out=seen.left_out,
        host_directory=directory,
        command=command,
        promises={host: asdict(found[host]) for host in seen.hosts},
        puppet=site.puppet_record(),
        more=more,
    )


def edit_steps(case: Edited, patch: AliasIn | AliasOut) -> Steps:
    """Commit; then on one mail host after the other, run puppet and ask exim."""
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
        BringAliases(Puppet.of(case.puppet), case.host_directory, patch, case.command),
        on=case.mail_hosts,
        carries=True,
        undo="Let puppet bring the revert to the mail hosts",
    )
    yield Step(
        "Ask exim where mail goes: the alias as promised, every other address as before",
        None,
        on=case.mail_hosts,
        carries=True,
        undo="Ask exim where mail goes: every address as before",
        changes={host: _promise(case, host) for host in case.mail_hosts},
    )


def _promise(case: Edited, host: str) -> RoutesAsPlanned:
    made = case.promises[host]
    return RoutesAsPlanned(case.command, made["before"], made["wanted"], made["kept"])


def notes(case: Edited) -> tuple[str, ...]:
    """Which domains change, and what is left to do by hand."""
    others = [domain for domain in case.domains if domain != case.own]
    link = f"{' → '.join(case.chain)}: it is {case.own} that is edited" if len(case.chain) > 1 else ""
    along = f"links to {case.own}, and so changed with it: {', '.join(others)}" if others else ""
    unseen = "" if case.mail_hosts else "no mail host is asked: which domains are links there is not known"
    left = f"left out: {', '.join(case.left_out)}: let puppet run there, and look with `inv mail-route`"
    return tuple(filter(None, (link, along, unseen, left if case.left_out else "")))


def typed(case: Edited) -> str:
    """The domain that is really edited, where another one was named."""
    return case.own if case.domain != case.own else ""


def subjects(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The alias; others may be edited meanwhile."""
    return (f"alias:{str(arguments['alias']).lower()}",)
