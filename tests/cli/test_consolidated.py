"""`data consolidated` as a user gives it."""

from __future__ import annotations

import pytest

from tests.cli.commands import called
from tests.runtime.test_consolidating import tape_of


@pytest.fixture
def two_tapes(tmp_path):
    one = tape_of(tmp_path / "one.tape", [(0, 100, 101), (4, 100, 101)], venue="one", fee_bps=1.0)
    other = tape_of(tmp_path / "other.tape", [(0, 99, 102), (1, 101.5, 102), (3, 99, 102)], venue="other")
    return one, other


def test_the_json_names_every_venue_with_its_shares(two_tapes):
    told = called("data", "consolidated", *two_tapes, "--json").document

    assert [(leg["venue"], leg["leads_quoted_bid_share"]) for leg in told["legs"]] == [("one", 0.5), ("other", 0.5)]
    assert told["crossed"]["share"] == 0.5
    assert told["last"]["crossing"] == "normal"


def test_people_get_a_table(two_tapes):
    out = called("data", "consolidated", *two_tapes, "--max-age-s", 60).out

    assert "quoted ask" in out
    assert "crossed: 50.0000% of 4.0 s, 1 times, at longest 2,000.000 ms" in out


def test_one_tape_of_the_asset_is_not_enough(two_tapes):
    outcome = called("data", "consolidated", two_tapes[0], "--json", code=1)

    assert "two or more are compared, of BTC/USDT (one)" in outcome.document["message"]


def test_a_tape_is_not_compared_with_itself(two_tapes):
    outcome = called("data", "consolidated", two_tapes[0], two_tapes[0], "--json", code=4)

    assert "given twice" in outcome.document["message"]
