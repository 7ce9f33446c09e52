"""Nothing is made from nothing: fills, funding, interest and liquidations add up to what accounts and ledger say."""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.events import BUY, EVENT, Kind
from streamtrader.kernel.outbox import Charge, OutboxKind
from streamtrader.ledger import Fill, Ledger
from streamtrader.runtime.accounts import AccountTerms, InterestTerms, Tier
from streamtrader.runtime.assembly import Placement, Terms
from streamtrader.runtime.seat_ledgers import pair_of
from streamtrader.units import decimal_price, decimal_size
from tests.kernel.market import WALKS
from tests.kernel.play import ETH, SECOND, START_NS, engine_of, play, states
from tests.kernel.players import Maker, Taker
from tests.kernel.purses import check_sums
from tests.kernel.test_accounts import PERPETUAL
from tests.kernel.test_liquidation import wild

HOUR_NS = 3_600 * SECOND
INSTRUMENTS = (PERPETUAL, ETH)
TIERS = (("", (Tier(150.0, 0.02, 0.0, 20.0), Tier(math.inf, 0.04, 3.0, 20.0))),)
INTERESTS = (
    InterestTerms(1, 0.5, 0.3, is_first_at_once=True),
    InterestTerms(4, 0.4, 0.2, opening_rate=0.0002, lends_positions=True, is_from_opening=True),
)
CASH = 16.0
CHARGES = {Charge.FUNDING, Charge.INTEREST, Charge.BORROW, Charge.OPENING, Charge.LIQUIDATION}


def hours(walk):
    """A wild market that is stretched over many hours, with marks of the perpetual every forty events."""
    events = wild(walk)
    steps = np.diff(events["received_ns"], prepend=START_NS)
    events["received_ns"] = events["venue_ns"] = START_NS + np.cumsum(steps * 900)
    marks = np.zeros(len(events) // 10, EVENT)
    for at in range(len(marks)):
        now_ns = int(events["received_ns"][at * 10])
        settled, rate = at % 7 == 6, ((at * 37) % 11 - 5) * 4e-4
        row = (now_ns, now_ns, 100.0 + at % 5, 0.0, rate, float(settled), now_ns - now_ns % HOUR_NS + HOUR_NS)
        for name, value in zip(("venue_ns", "received_ns", "a", "b", "c", "d", "id"), row, strict=True):
            marks[name][at] = value
        marks["kind"][at] = Kind.MARK
    return np.insert(events, np.arange(len(marks)) * 10 + 1, marks)


def engine(interest=INTERESTS[0], *, is_shared=True, **options):
    account = AccountTerms(
        is_shared=is_shared, leverage=20.0, liquidation_fee_rate=0.01, tiers=TIERS, interest=interest, max_mark_age_s=3_600.0
    )
    placements = [
        Placement(make, at, owner=owner)
        for make, at, owner in ((Taker(2, 2.0), 0, 0), (Maker(0.1), 1, 0), (Taker(3, 0.2), 1, 1), (Maker(0.5), 0, 1))
    ]
    return engine_of(placements, Terms(cash_quote=CASH, account=account), instruments=INSTRUMENTS, **options)


def check_identity(engine, said, *, is_shared):
    """Cash and position at the mark are what was there, realized and not, less fees and charges: seat by seat."""
    charged = defaultdict(Decimal)
    for at, seat in enumerate(engine.state.seats):
        instrument = INSTRUMENTS[int(seat.instrument)]
        begun = Decimal(0 if is_shared else int(CASH))
        ledger = Ledger(begun)
        for row in said[said["seat"] == at]:
            if row["kind"] == OutboxKind.CHARGED:
                charged[at] += Decimal(repr(float(row["fee"])))
            if row["kind"] == OutboxKind.FILLED:
                price, size = decimal_price(int(row["ticks"]), instrument), decimal_size(int(row["lots"]), instrument)
                words = ("buy" if row["side"] == BUY else "sell", str(price), str(size), repr(float(row["fee"])))
                ledger.apply(Fill.of(int(row["sequence"]), int(row["at_ns"]), pair_of(instrument), *words))
        mark = Decimal(repr(float(engine.state.markets[int(seat.instrument)].mark_price())))
        position = ledger.position(instrument.symbol)
        exact = begun + position.realized + position.unrealized(mark) - ledger.fees - charged[at]
        value = float(seat.cash) + float(seat.position_lots) * float(instrument.size_lot) * float(mark)
        assert value == pytest.approx(float(exact), rel=1e-9, abs=1e-9)
        assert float(seat.charges) == pytest.approx(float(charged[at]), rel=1e-9, abs=1e-12)
        assert float(seat.fees) == pytest.approx(float(ledger.fees), rel=1e-9, abs=1e-12)
        assert float(seat.cost) == pytest.approx(float(position.cost), rel=1e-9, abs=1e-8)
        assert decimal_size(int(seat.position_lots), instrument) == position.size


@settings(max_examples=50)
@given(WALKS, st.sampled_from(INTERESTS), st.booleans())
@pytest.mark.slow
def test_whatever_moves_money_the_account_agrees_with_the_exact_ledger(walk, interest, is_shared):
    played = engine(interest, is_shared=is_shared)

    said = play(played, hours(walk))

    check_identity(played, said, is_shared=is_shared)
    check_sums(played)


@settings(max_examples=15)
@given(WALKS, st.lists(st.integers(1, 200), max_size=4))
@pytest.mark.slow
def test_a_restart_between_charges_ends_in_the_same_bytes(walk, crashes):
    events = hours(walk)
    reference, slow = engine(), engine(interpreted=True)
    said = play(reference, events)

    parts, last = [], engine()
    for start, stop in pairwise([0, *sorted({min(crash, len(events)) for crash in crashes}), len(events)]):
        parts.append(play(last, events, start=start, stop=stop))
        kept = {name: np.frombuffer(data, np.uint8) for name, data in states(last).items()}
        written, last = int(last.outbox[0].written), engine()
        last.restore(kept)
        last.outbox[0].written = last.outbox[0].drained = written

    assert said.tobytes() == np.concatenate(parts).tobytes() == play(slow, events).tobytes()
    assert states(reference) == states(last) == states(slow)


def test_the_made_up_markets_charge_everything_there_is():
    """Or else the properties above would prove little."""
    generator, codes = np.random.default_rng(5), set()
    for at in range(8):
        walk = [
            (float(generator.choice((0.5, 3, 20, 400))), *map(int, (generator.integers(13), generator.integers(-4, 5))),
             int(generator.integers(1, 900)))
            for _ in range(300)
        ]  # fmt: skip
        said = play(engine(INTERESTS[at % 2]), hours(walk))
        codes |= set(said[said["kind"] == OutboxKind.CHARGED]["code"].tolist())

    assert codes == CHARGES
