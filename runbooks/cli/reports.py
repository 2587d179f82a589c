"""The commands that only look: who has access, and should not; what hardware there is."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from runbooks.cli.surface import FOUND, Surface
from runbooks.cli.waiting import counting, waiting
from runbooks.errors import UsageError

if TYPE_CHECKING:
    from runbooks.site import Site


class Reports(Surface):
    """A command that reports."""

    def check_access(self, within: str, html: str) -> NoReturn:
        """Hold registry, directory and hosts against each other."""

        def command(site: Site) -> int:
            from runbooks.procedures.check_access import remarks
            from runbooks.procedures.remark import KINDS
            from runbooks.report.remarks import Report, print_report, report_html

            days, now = _days(within), datetime.now(UTC)
            with waiting(f"Looking at {len(site.inventory.hosts)} hosts"):
                found = remarks(site, days, now.date())
            self.document = {"remarks": [asdict(remark) for remark in found]}
            report = Report("Access", found, _looked_at(site), KINDS, site.operator, now.timestamp())
            if html:
                _write(html, report_html(report))
                print(f"wrote {html}", file=self.talk)
            elif not self.options.as_json:
                print_report(report, file=sys.stdout)
            return FOUND if found else 0

        self.run(command)

    def data_groups(self, name: str = "") -> NoReturn:
        """The registry's groups for data, and what each needs; ``name``: who wants to be in them."""

        def command(site: Site) -> int:
            from runbooks.procedures.data_groups import data_groups
            from runbooks.report.data_groups import print_data_groups

            found = [asdict(group) for group in data_groups(site, name)]
            self.document = {"groups": found}
            if not self.options.as_json:
                ldap, meant = site.settings.ldap, ", ".join(site.settings.access.data_groups)
                print_data_groups(found, meant, f"{ldap.staff} or {ldap.others}", name, file=sys.stdout)
            return 0

        self.run(command)

    def hardware(self, hosts: str) -> NoReturn:
        """What each source says of hosts' hardware."""

        def command(site: Site) -> int:
            from runbooks.report.hardware import print_hardware

            names = tuple(site.inventory.query(hosts))
            sources = [source.name for source in site.hardware_sources]
            with waiting(f"Looking up {len(names)} hosts in {', '.join(sources)}"):
                found = site.hardware(names)
            self.document = {"hosts": {host: asdict(machine) for host, machine in found.items()}}
            if not self.options.as_json:
                print_hardware(found, sources, file=sys.stdout)
            return FOUND if any(machine.contradictions for machine in found.values()) else 0

        self.run(command)

    def ldap_groups(self, name: str) -> NoReturn:
        """The directory's groups of somebody."""

        def command(site: Site) -> int:
            from runbooks.registry import check_name

            check_name(name)
            reader = site.targets["@ldap"].reader()
            person = reader.person(name)  # type: ignore[attr-defined]
            if person is None:
                raise UsageError(f"{name} is not in LDAP: check the name")
            groups = list(reader.groups_of(person.dn))  # type: ignore[attr-defined]
            self.document = {"name": name, "dn": person.dn, "uid": person.uid, "groups": groups}
            if not self.options.as_json:
                print(f"{person.dn} (UID {person.uid})", *(f"  {group}" for group in groups or ["no group"]), sep="\n")
            return 0

        self.run(command)

    def power_status(self, hosts: str, driver: str, insecure: bool) -> NoReturn:
        """What the BMCs of some machines say of their power."""

        def command(site: Site) -> int:
            from runbooks.procedures.power_status import power_status
            from runbooks.report.power import print_power

            names = site.inventory.query(hosts).names
            with counting(f"Asking {len(names)} BMCs", len(names)) as seen:
                rows = [asdict(row) for row in power_status(site, names, driver, insecure, seen)]
            self.document = {"machines": rows}
            if not self.options.as_json:
                print_power(rows, file=sys.stdout)
            return FOUND if any(row["power"] == "unknown" for row in rows) else 0

        self.run(command)

    def sel(self, host: str, limit: str, driver: str, insecure: bool) -> NoReturn:
        """A machine's event log."""

        def command(site: Site) -> int:
            from runbooks.procedures.power_status import event_log
            from runbooks.report.power import print_log

            names = site.inventory.query(host).names
            if len(names) > 1:
                raise UsageError(f"{host} is {len(names)} hosts: an event log is one machine's")
            with waiting(f"Reading the event log of {names[0]}"):
                entries = event_log(site, names[0], _count(limit), driver, insecure)
            rows = [asdict(entry) for entry in entries]
            self.document = {"host": names[0], "entries": rows}
            if not self.options.as_json:
                print_log(names[0], rows, file=sys.stdout)
            return 0

        self.run(command)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 10_000:
        raise UsageError(f"--limit {text}: from 1 to 10000 entries")
    return int(text)


def _looked_at(site: Site) -> str:
    from runbooks.report.words import number

    settings = site.settings
    directories = [name for name, url in (("LDAP", settings.ldap.url), ("corporate", settings.corporate.url)) if url]
    return ", ".join(["registry", *directories, number(len(site.inventory.hosts), "host")])


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 5:
        raise UsageError(f"--within: {text!r} is no number of days")
    return int(text)


def _write(path: str, page: str) -> None:
    try:
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html {path}: {error.strerror}") from error
