"""The table of `streamtrader venues` says what the adapters were seen to do, no more and no less.

After a change: `STREAMTRADER_WRITE=1 pytest tests/venues/test_capabilities.py` writes it anew.
"""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest

from streamtrader.events import Kind
from streamtrader.venues.capabilities import TABLE, read_capabilities
from streamtrader.venues.registry import VENUES, listing_of
from streamtrader.venues.venue import Overlap
from tests.venues.seeds import SEEDS
from tests.venues.test_mutations import warm_venue


def seen_of(name: str) -> dict:
    """What the adapter of a venue does with the venue's own frames."""
    listing = listing_of(name)
    kinds: set[int] = set()
    for seeds in SEEDS[name]:
        venue, ring = warm_venue(name, seeds, is_fast=False)
        kinds |= set(np.unique(ring.events[: ring.written]["kind"]).tolist())
    return {
        "name": name,
        "title": listing.title,
        "markets": list(listing.kinds),
        "channels": list(listing.channels),
        "events": [kind.name.lower() for kind in Kind if kind in kinds - {Kind.LINK, Kind.BOOK_CLEAR}],
        "proof": listing.proof,
        "needs_key": listing.needs_key,
        "can_hedge": venue.overlap is Overlap.MERGE,
        "can_rotate": venue.overlap is not Overlap.NONE,
        "compression": listing.compression,
        "limits": dataclasses.asdict(listing.limits),
    }


@pytest.mark.parametrize("name", VENUES)
def test_the_table_says_what_the_adapter_does(name):
    seen = seen_of(name)
    if os.environ.get("STREAMTRADER_WRITE"):
        told = {row["name"]: row for row in read_capabilities()} | {name: seen}
        TABLE.write_text(json.dumps([told[each] for each in VENUES if each in told], indent=2) + "\n")

    assert [row for row in read_capabilities() if row["name"] == name] == [seen]


def test_the_table_has_every_venue_and_no_other():
    assert [row["name"] for row in read_capabilities()] == list(VENUES)
