"""A sample of the kill campaign; `make campaign` runs all of it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from runbooks.errors import Blocked
from runbooks.lab.machine import look
from tests.campaign.campaign import Campaign, fleet, sample
from tests.campaign.kills import chosen_seed

POINTS = 25


def test_a_rename_killed_anywhere_is_resumed_or_undone_and_no_home_is_lost(
    record_property: Callable[[str, object], None],
) -> None:
    try:
        look()
    except Blocked as missing:
        pytest.skip(str(missing))
    seed = chosen_seed()
    rng = random.Random(seed)
    with fleet(POINTS + 1, quick=True) as lab:
        campaign = Campaign(lab, rng)
        try:
            for point, ending in sample(campaign.points(), POINTS, rng):
                campaign.kill(point, ending)
        finally:
            record_property("summary", f"kill campaign, seed {seed}: {campaign.tally}")
    assert not campaign.tally.wrong, "\n".join(campaign.tally.wrong)
    assert campaign.tally.killed >= POINTS * 0.9
    assert campaign.tally.lost == 0
