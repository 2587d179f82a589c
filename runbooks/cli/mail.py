"""The commands on mailing lists and mail aliases."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

from runbooks.cli.surface import FOUND, Surface
from runbooks.cli.waiting import waiting

if TYPE_CHECKING:
    from runbooks.site import Site


class Mail(Surface):
    """A command on mail."""

    def list_info(self, name: str, all: bool) -> NoReturn:
        """What a list is; ``all`` of its settings, or those that matter."""

        def command(site: Site) -> int:
            from runbooks.procedures.list_info import list_info
            from runbooks.report.lists import print_list

            with waiting(f"Asking for {name}"):
                found = list_info(site, name)
            self.document = {"list": found}
            if not self.options.as_json:
                print_list(found, all, file=sys.stdout)
            return 0

        self.run(command)

    def list_owners(self, name: str) -> NoReturn:
        """Who runs a list."""

        def command(site: Site) -> int:
            from runbooks.procedures.list_info import list_info
            from runbooks.report.lists import print_owners

            with waiting(f"Asking for {name}"):
                settings = list_info(site, name)["settings"]
            self.document = {"owners": settings["owner"], "moderators": settings["moderator"]}
            if not self.options.as_json:
                print_owners(settings["owner"], settings["moderator"], file=sys.stdout)
            return 0

        self.run(command)

    def alias_show(self, alias: str) -> NoReturn:
        """An alias, or those of a domain."""

        def command(site: Site) -> int:
            from runbooks.procedures.alias_show import alias_show
            from runbooks.report.aliases import print_aliases

            with waiting(f"Asking for {alias}"):
                self.document = alias_show(site, alias)
            if not self.options.as_json:
                print_aliases(self.document, file=sys.stdout)
            return FOUND if self.document["domain"]["problem"] else 0

        self.run(command)

    def alias_lint(self, domain: str) -> NoReturn:
        """What is wrong with alias files."""

        def command(site: Site) -> int:
            from runbooks.procedures.alias_lint import alias_lint
            from runbooks.report.aliases import print_problems

            with waiting("Reading alias files"):
                found = alias_lint(site, domain)
            self.document = {"problems": [asdict(problem) for problem in found]}
            if not self.options.as_json:
                print_problems(self.document["problems"], file=sys.stdout)
            return FOUND if found else 0

        self.run(command)

    def mail_route(self, addresses: Sequence[str]) -> NoReturn:
        """Where mail for some addresses goes."""

        def command(site: Site) -> int:
            from runbooks.procedures.mail_routes import mail_routes
            from runbooks.report.mail import print_routes

            with waiting("Asking the mail hosts"):
                ways = mail_routes(site, list(dict.fromkeys(addresses)))
            self.document = {"routes": [asdict(way) for way in ways]}
            if not self.options.as_json:
                print_routes(self.document["routes"], file=sys.stdout)
            said = {(way.address, way.ends) for way in ways}
            return 0 if all(way.is_well for way in ways) and len(said) == len(set(addresses)) else FOUND

        self.run(command)
