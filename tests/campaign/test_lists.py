"""A sample of the kill campaign over mailing lists; `make campaign` runs all of it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from tests.campaign.kills import ENDINGS
from tests.campaign.lists import ground

# Points that every procedure has; and such as all have but that for a password.
EARLY = ("event:1", "event:2", "write:1", "do:0:@lists.example.org")
LATER = ("event:3", "write:2", "write:3", "write:4")


def test_a_run_over_a_list_killed_anywhere_is_resumed_or_undone(
    record_property: Callable[[str, object], None],
) -> None:
    seed = int(os.environ.get("CAMPAIGN_SEED", random.SystemRandom().randrange(10**6)))
    rng = random.Random(seed)
    with ground() as lists:
        lists.rng = rng
        for number, procedure in enumerate(rng.sample(sorted(lists.deeds), 3)):
            points = EARLY if procedure == "list-reset-password" else (*EARLY, *LATER)
            lists.kill(procedure, 0, rng.choice(points), ENDINGS[number % 2])
    record_property("summary", f"kill campaign over lists, seed {seed}: {lists.tally}")
    assert not lists.tally.wrong, "\n".join(lists.tally.wrong)
    assert lists.tally.killed == 3
