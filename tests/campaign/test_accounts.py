"""A sample of the kill campaign over accounts; `make campaign` runs all of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.campaign.accounts import Accounts, ground
from tests.campaign.kills import chosen_seed
from tests.waiting import eventually

# Killed when nothing was sent yet: there is nothing to take back, and the run is over all the same.
ALWAYS = ("grant-ldap", 0, "event:1", "undo")


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    with ground() as made:
        yield made


def test_a_run_over_an_account_killed_anywhere_is_resumed_or_undone(
    accounts: Accounts, record_property: Callable[[str, object], None]
) -> None:
    seed = chosen_seed()
    accounts.rng = rng = random.Random(seed)
    procedures = rng.sample(sorted(accounts.deeds), 2)
    chosen = [(procedure, *rng.choice(accounts.deeds[procedure].some), "resume") for procedure in procedures]
    try:
        for procedure, turn, point, ending in (ALWAYS, *chosen):
            accounts.kill(procedure, turn, point, ending)
    finally:
        record_property("summary", f"kill campaign over accounts, seed {seed}: {accounts.tally}")
    assert not accounts.tally.wrong, "\n".join(accounts.tally.wrong)
    assert accounts.tally.killed >= len(chosen)


def test_a_driver_that_is_killed_while_a_host_is_away(accounts: Accounts) -> None:
    """What was left pending stays so until the host is back, whoever died meanwhile."""
    deed = accounts.deeds["revoke-key"]
    before = accounts.look(deed.name)
    accounts.lab.kill("lab02")
    try:
        accounts.strike("event:8", [*deed.command, "--yes"])
        run = accounts.run()
        accounts.end("away", ["resume", "--run", run["id"], "--yes"], status=5)
        assert accounts.run()["status"] == "incomplete"
    finally:
        accounts.lab.start("lab02")
    eventually(lambda: accounts.lab.run("lab02", ["pgrep", "-x", "sshd"], check=False).returncode == 0)
    accounts.finish("back", run)
    accounts.same("back", deed.after(before), deed.name)
    accounts.end("undo", ["undo", run["id"], "--yes"])
    # Where puppet has run meanwhile, as it does when a host starts, it has to bring the file back.
    accounts.lab.puppet("lab02")
    accounts.same("undone", before, deed.name)
    assert not accounts.tally.wrong, "\n".join(accounts.tally.wrong)
