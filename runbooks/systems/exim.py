"""Aliases on a mail host: the file that puppet brings there, and where exim then sends mail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runbooks.errors import CommandFailed, RegistryError
from runbooks.model import Change, Facts, Finding, blocked, done, later, todo
from runbooks.systems import reads
from runbooks.systems.commits import FilePatch, HeadFiles
from runbooks.systems.exim_routes import REACHES, Fate, Route
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.puppet import Puppet
from runbooks.systems.wording import listed
from runbooks.transport.quoting import command_line

_DISCARDED = "discarded"


AT_ONCE = 1000
"""How many addresses exim is asked about in one look: of more, what it prints could be too much for one."""


def routes_of(reader: HostReader, command: Sequence[str], addresses: Iterable[str]) -> dict[str, Route]:
    """Where a mail host sends what comes for some addresses. Raises Unreachable, CommandFailed, UsageError."""
    unique = list(dict.fromkeys(addresses))
    found: dict[str, Route] = {}
    try:
        for at in range(0, len(unique), AT_ONCE):
            found |= reader.ask(reads.mail_routes(command, unique[at : at + AT_ONCE]))
    except CommandFailed as error:
        why = str(error).rpartition(" returned ")[2]
        raise CommandFailed(f"{reader.host}: {command[0]} does not say where mail goes: {why}") from error
    return found


@dataclass(frozen=True)
class RoutesAsPlanned(Change[HostReader, HostWriter]):
    """Where a mail host sends what comes for some addresses: as promised for those that are ``wanted``, and for every
    other one as ``before``, unless it leads to one of those. Where ``back``, the wanted ones as before, too; others may
    have been changed since.

    ``command`` is exim's. ``before`` holds, for all of the addresses, what was seen before anything was done, as
    ``Route.shown`` gives it; ``wanted`` the targets that an address is to have: it goes where they go, which may be
    aliases themselves, and to its ends that are ``kept`` besides. Without any of these it is to be nobody's alias any
    more.
    """

    command: tuple[str, ...]
    before: Mapping[str, Sequence[str]] = field(hash=False)
    wanted: Mapping[str, Sequence[str]] = field(hash=False)
    kept: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    back: bool = False

    looks_only = True

    def check(self, reader: HostReader) -> Finding:
        """Done; later while all is as it was; blocked where exim sends anything else elsewhere."""
        targets = [*map(_catch_all, self.wanted), *(target for some in self.wanted.values() for target in some)]
        routes = routes_of(reader, self.command, [*self.before, *self.wanted, *targets])
        changed = {address: was for address, was in self.before.items() if not _is_as(routes[address], was)}
        moved = [a for a in changed if a not in self.wanted]
        followed = [a for a in moved if self._follows(a, routes)]
        others = [self._difference(a, routes[a]) for a in moved if a not in followed]
        bad = [why for address in self.wanted if (why := self._bad_target(address, routes))]
        as_before = not changed.keys() & self.wanted.keys() and self.wanted.keys() <= self.before.keys()
        trouble = [why for address in self.wanted if (why := self._trouble(address, routes))]
        if self.back:
            return self._taken_back(as_before, others, trouble)
        if bad:
            return blocked(bad[0])
        if others:
            return blocked(f"other routes have changed: {_all(others)}")
        if not trouble:
            count = len(self.before.keys() - self.wanted.keys()) - len(followed)
            along = f", and with them {listed(followed)}" if followed else ""
            return done(f"{len(self.wanted)} as promised{along}; {count} as before{self._left(routes)}")
        if as_before:
            ends = {one: [*to, *self.kept.get(one, ())] for one, to in self.wanted.items()}
            lines = [f"+{one}: {', '.join(to)}" if to else f"-{one}" for one, to in ends.items()]
            return later(*lines, note="every route is as before")
        return blocked(_all(trouble))

    def _taken_back(self, as_before: bool, others: Sequence[str], trouble: Sequence[str]) -> Finding:
        if as_before:
            return done(f"as before; others have changed since: {_all(others)}" if others else "as before")
        # Whatever it is now: the steps before this one change it back.
        return later(note=f"not as before: {_all(trouble)}" if trouble else "as the change has it")

    def _difference(self, address: str, route: Route) -> str:
        return f"{address} now {_apart(self.before[address], route)}"

    def _follows(self, address: str, routes: Mapping[str, Route]) -> bool:
        """Whether an address goes elsewhere only because a wanted one does, which is among its targets."""
        was, now = set(self.before[address]), set(routes[address].shown)
        through = {parent.casefold() for end in routes[address].ends for parent in end.parents}
        wanted = [other for other in self.wanted if other.casefold() in through]
        lost = {end for other in wanted for end in self.before.get(other, ())}
        gained = {end for other in wanted for end in routes[other].shown}
        return bool(wanted) and was - now <= lost and now - was <= gained

    def _trouble(self, address: str, routes: Mapping[str, Route]) -> str:
        """Why an address does not go where it is wanted; nothing where it does."""
        route, targets, kept = routes[address], self.wanted[address], self.kept.get(address, ())
        if not targets and not kept:
            if self._is_gone(address, route) or route.shown == routes[_catch_all(address)].shown:
                return ""
            return f"{address} still goes to {listed(route.shown)}{_because(route)}"
        expected = _together([routes[target].shown for target in targets] + [kept])
        if set(route.shown) == expected:
            return ""
        return f"{address} {_apart(sorted(expected), route)}"

    def _is_gone(self, address: str, route: Route) -> bool:
        """Whether no alias of ours has a hand in a route any more. Who is no alias there may be one elsewhere, such as
        in a directory that is looked at next; and one that led to a mailbox of its name goes there all the same."""
        was = self.before.get(address)
        if route.fate not in (*REACHES, Fate.UNDELIVERABLE):
            return False
        if was is None or _is_as(route, was):
            return not route.is_by_alias and (was is None or route.fate is Fate.ROUTED)
        return True

    def _left(self, routes: Mapping[str, Route]) -> str:
        """Where mail goes all the same for aliases that are gone."""
        gone = [one for one, targets in self.wanted.items() if not targets and not self.kept.get(one)]
        left = [f"{one} now goes to {listed(routes[one].shown)}" for one in gone if routes[one].fate in REACHES]
        return f"; {_all(left)}" if left else ""

    def _bad_target(self, address: str, routes: Mapping[str, Route]) -> str:
        """Which of its targets leads nowhere, and has not done so before: that is known before anything is done."""
        for target in self.wanted[address]:
            route = routes[target]
            if route.fate not in REACHES and not set(route.shown) <= set(self.before.get(address, ())):
                return f"{address}: its target {target} goes nowhere: {listed(route.shown)}{_because(route)}"
        return ""

    def inverse(self, before: Facts) -> RoutesAsPlanned:  # noqa: ARG002
        """After the change was taken back: these addresses go where they went."""
        return replace(self, back=not self.back)


def _is_as(route: Route, was: Sequence[str]) -> bool:
    return list(route.shown) == sorted(was)


def _catch_all(address: str) -> str:
    """What stands in an alias file for all that have no alias, where exim is told to look for that (``lsearch*``)."""
    return f"*@{address.rpartition('@')[2]}"


def _together(routes: Sequence[Sequence[str]]) -> set[str]:
    """Where mail for all of them ends. What one of them discards is not seen beside what others deliver."""
    ends = {end for route in routes for end in route}
    return ends - {_DISCARDED} or ends


def _apart(wanted: Sequence[str], route: Route) -> str:
    """How a route differs from the ends that it should have."""
    missing, extra = [end for end in wanted if end not in route.shown], [e for e in route.shown if e not in wanted]
    if not extra:
        return f"does not go to {listed(missing)}"
    return f"goes to {listed(extra)}{_because(route)}{f', not to {listed(missing)}' if missing else ', too'}"


def _all(what: Sequence[str], most: int = 4) -> str:
    return "; ".join(what[:most]) + (f"; and {len(what) - most} more" if len(what) > most else "")


def _because(route: Route) -> str:
    return f" ({route.why})" if route.fate is Fate.DEFERRED and route.why else ""


@dataclass(frozen=True)
class _OnHost(HeadFiles):
    """The files of the repository's directory as they lie in a host's, under the same names."""

    def read(self, path: str) -> bytes:
        """A file's contents. Raises CommandFailed where there is none."""
        return self.asker.ask(reads.checkout_file(self.checkout, path.rpartition("/")[2]))


@dataclass(frozen=True)
class BringAliases(Change[HostReader, HostWriter]):
    """Puppet has brought a patch of the private repository's alias files into a mail host's ``directory``, where exim's
    daemon can read them; or where ``back``, has taken it away again. ``command`` is exim's.

    It is judged by the patch itself: a file in which it has nothing left to change has it. So neither what others
    commit in between nor what puppet writes around the aliases matters, and puppet may also come of itself.
    """

    puppet: Puppet
    directory: str
    patch: FilePatch
    command: tuple[str, ...]
    back: bool = False

    by_others = True

    def check(self, reader: HostReader) -> Finding:
        """Done when the file has it; blocked where exim cannot read it, or somebody has stopped puppet."""
        if self._is_there(reader) is not self.back:
            closed = self._is_closed(reader)
            return blocked(closed) if closed else done()
        if (why := self.puppet.reason(self.puppet.state(reader))) is not None:
            return blocked(self._stopped(why))
        return todo(f"$ {command_line(self.puppet.agent)}")

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Run puppet, after a run that is under way. Raises CommandFailed."""
        self.puppet.wait_until_idle(writer)
        if (why := self.puppet.reason(self.puppet.state(writer))) is not None:
            raise CommandFailed(self._stopped(why))
        self.puppet.run_when_idle(writer, self.puppet.agent)

    def verify(self, reader: HostReader, before: Facts) -> Finding:  # noqa: ARG002
        """Look at the file again."""
        if self._is_there(reader) is not self.back:
            closed = self._is_closed(reader)
            return todo(note=closed) if closed else done()
        return todo(note=f"{self.directory} has not followed: is the private repository what puppet takes it from?")

    def inverse(self, before: Facts) -> BringAliases:  # noqa: ARG002
        """Bring what was reverted by then."""
        return replace(self, back=not self.back)

    def _is_there(self, asker: HostReader) -> bool:
        """Whether the patch has nothing left to change here."""
        files = _OnHost(asker, self.directory, "")
        try:
            return all(files.read(path) == content for path, content in self.patch.edit(files).items())
        except (RegistryError, CommandFailed):
            # An older file, to which it does not even apply, or none yet.
            return False

    def _is_closed(self, reader: HostReader) -> str:
        """Why exim's daemon cannot use the file, or nothing."""
        if self.back:
            return ""
        for path in self.patch.paths:
            file = f"{self.directory}/{path.rpartition('/')[2]}"
            if user := reader.ask(reads.mail_closed_to(self.command, file)):
                return f"{file} cannot be read by {user}, as whom exim looks aliases up: look at its mode"
        return ""

    @staticmethod
    def _stopped(why: str) -> str:
        return f"puppet is stopped here: {why}: ask whoever stopped it, and let it run again"
