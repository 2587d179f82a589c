"""A sample of the kill campaign over mail aliases, `make campaign` runs all of it; and machines lost under way."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest

from runbooks.lab.layout import SERVER
from tests.campaign.aliases import Aliases, ground
from tests.campaign.kills import ENDINGS, chosen_seed

# Of a run on two mail hosts: after each event, and while it is committed and while puppet runs on the first of them.
POINTS = (*(f"event:{number}" for number in range(2, 8)), "do:0:puppet01", "do:1:lab01")
BACK = {"kill": "start", "freeze": "thaw", "cut": "uncut"}
ALL = bool(os.environ.get("ALL_FAULTS"))
MOMENTS = (("begin:0", SERVER), ("begin:1", "lab02"), ("puppet:1", "lab02"), ("look:2", "lab02"))
"""Before it is committed, between that and puppet, while puppet runs, and before exim is asked."""
# Short, so that a host that fell silent is given up soon; but a run of puppet takes its time.
PATIENCE = {
    "INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "3",
    "INVOKE_OPS_CLINIC_SSH_KEEPALIVE_S": "1",
    "INVOKE_OPS_CLINIC_SSH_COMMAND_TIMEOUT_S": "15",
    "INVOKE_OPS_CLINIC_PUPPET_RUN_TIMEOUT_S": "60",
}


@pytest.fixture(scope="module")
def aliases() -> Iterator[Aliases]:
    with ground() as made:
        yield made


def test_an_edit_of_an_alias_killed_anywhere_is_resumed_or_undone(
    aliases: Aliases, record_property: Callable[[str, object], None]
) -> None:
    seed = chosen_seed()
    aliases.rng = rng = random.Random(seed)
    try:
        for procedure, ending in zip(rng.sample(sorted(aliases.deeds), 2), ENDINGS, strict=True):
            aliases.kill(procedure, 0, rng.choice(POINTS), ending)
    finally:
        record_property("summary", f"kill campaign over aliases, seed {seed}: {aliases.tally}")
    assert not aliases.tally.wrong, "\n".join(aliases.tally.wrong)
    assert aliases.tally.killed == len(ENDINGS)


@pytest.mark.parametrize("first", range(3) if ALL else range(1))
def test_a_machine_lost_at_any_moment_stops_the_run_which_goes_on_once_it_is_back(aliases: Aliases, first: int) -> None:
    """With ALL_FAULTS set, one dies, freezes or is cut off at each moment; else the puppet server alone dies."""
    aliases.prepare("alias-add")
    aliases.more |= PATIENCE
    deed = aliases.deeds["alias-add"]
    before = aliases.look(deed.name)
    command = [*deed.command, "--yes"]
    for turn, (moment, host) in enumerate(MOMENTS if ALL else MOMENTS[:1], first):
        fault = list(BACK)[turn % len(BACK)]
        ended = aliases.inv(f"{moment}:{host}:{fault}", command)
        getattr(aliases.lab, BACK[fault])(host)
        told = f"{moment} {host} {fault}: {ended.stdout}{ended.stderr}"
        assert ended.returncode == 5 and "Traceback" not in told, told
        run = aliases.run()
        assert run["status"] == "incomplete", told
        outcomes, step = aliases.outcomes(run), int(moment[-1])
        there = outcomes[step, host]
        assert there["result"] in ("unknown", "pending") and "\n" not in there["note"], told
        assert there["note"][:40] in ended.stdout, told
        assert (step + 1, host) not in outcomes, "nobody looked there"
        command = ["resume", "--run", run["id"], "--yes"]
    aliases.finish("faults", run)
    aliases.same("faults", deed.after(before), deed.name)
    aliases.undo("faults", run, before, deed)
    aliases.forget()
    assert not aliases.tally.wrong, "\n".join(aliases.tally.wrong)
