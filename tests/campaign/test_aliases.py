"""A sample of the kill campaign over mail aliases; `make campaign` runs all of it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from tests.campaign.aliases import ground
from tests.campaign.kills import ENDINGS

# Of a run on two mail hosts: after each event, and while it is committed and while puppet runs on the first of them.
POINTS = (*(f"event:{number}" for number in range(2, 8)), "do:0:puppet01", "do:1:lab01")


def test_an_edit_of_an_alias_killed_anywhere_is_resumed_or_undone(
    record_property: Callable[[str, object], None],
) -> None:
    seed = int(os.environ.get("CAMPAIGN_SEED", random.SystemRandom().randrange(10**6)))
    rng = random.Random(seed)
    with ground() as aliases:
        aliases.rng = rng
        for procedure, ending in zip(rng.sample(sorted(aliases.deeds), 2), ENDINGS, strict=True):
            aliases.kill(procedure, 0, rng.choice(POINTS), ending)
    record_property("summary", f"kill campaign over aliases, seed {seed}: {aliases.tally}")
    assert not aliases.tally.wrong, "\n".join(aliases.tally.wrong)
    assert aliases.tally.killed == len(ENDINGS)
