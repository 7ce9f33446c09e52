"""The consolidated book against a slow twin that keeps everything it was told, and rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import MORE, TOP, BookState, Kind, TradingStatus
from streamtrader.venues.consolidated import Best, ConsolidatedBook, Crossing, Leg

BID, ASK = 0, 1
MAX_AGE_NS = 20
FEES_BPS = (0.0, 10.0, 50.0)


def legs_of(*fees_bps):
    return [Leg(f"venue{index}", "BTC-USD", taker_fee_bps=fee) for index, fee in enumerate(fees_bps)]


def quoted(leg, now_ns, bid, ask, sizes=(1.0, 1.0)):
    assert leg.take(Kind.QUOTE, 0, 0, now_ns, bid, sizes[0], ask, sizes[1])


# The twin: every row that was told, from the beginning, each time.


def naive_top(rows, now_ns):
    """Of one leg's rows until now: (bid, ask, told_ns, state, status)."""
    levels, top = ({}, {}), ((0.0, 0.0), (0.0, 0.0))
    told_ns, state, status, has_depth, is_changing = 0, BookState.LIVE, TradingStatus.TRADING, False, False
    for received_ns, kind, side, flags, a, b, c, d in rows:
        if received_ns > now_ns:
            break
        if kind == Kind.BOOK:
            if flags & TOP:
                levels[side].clear()
            has_depth = has_depth or not flags & TOP
            levels[side][a] = b
            is_changing = True
        elif kind == Kind.BOOK_CLEAR:
            levels = ({}, {})
            has_depth = is_changing = True
        elif kind == Kind.QUOTE and not has_depth:
            top, told_ns = ((a, b), (c, d)), received_ns
        elif kind == Kind.LINK:
            state = BookState(int(a))
        elif kind == Kind.STATUS:
            status = TradingStatus(int(a))
        else:
            continue
        if is_changing and not flags & MORE:
            bids = {price: size for price, size in levels[BID].items() if size}
            asks = {price: size for price, size in levels[ASK].items() if size}
            bid, ask = max(bids, default=0.0), min(asks, default=0.0)
            top, told_ns, is_changing = ((bid, bids.get(bid, 0.0)), (ask, asks.get(ask, 0.0))), received_ns, False
    return (*top, told_ns, state, status)


def naive_best(tapes, fees_bps, now_ns):
    """(leg, price, size, age) of the four touches, by sorting all candidates."""
    bids, asks = [], []
    for index, (rows, fee_bps) in enumerate(zip(tapes, fees_bps, strict=True)):
        bid, ask, told_ns, state, status = naive_top(rows, now_ns)
        is_open = status in (TradingStatus.TRADING, TradingStatus.UNKNOWN)
        is_own_crossed = bid[0] > 0 and ask[0] > 0 and bid[0] >= ask[0]
        if not told_ns or now_ns - told_ns > MAX_AGE_NS or state != BookState.LIVE or not is_open or is_own_crossed:
            continue
        age_ns = now_ns - told_ns
        if bid[0]:
            bids.append((bid[0] * (1 - fee_bps / 10_000), bid[1], -index, bid[0], age_ns))
        if ask[0]:
            asks.append((-ask[0] * (1 + fee_bps / 10_000), ask[1], -index, ask[0], age_ns))

    def touch(candidates, *, is_net):
        if not candidates:
            return None
        sign = 1 if candidates is bids else -1
        net, size, index, price, age_ns = max(
            candidates, key=lambda each: ((each[0] if is_net else sign * each[3]), each[1], each[2])
        )
        return (-index, price, size, abs(net), age_ns)

    return tuple(touch(side, is_net=is_net) for is_net in (True, False) for side in (bids, asks))


def row_of(draw):
    kind = draw(
        st.sampled_from([Kind.BOOK] * 6 + [Kind.QUOTE] * 3 + [Kind.BOOK_CLEAR, Kind.LINK, Kind.STATUS, Kind.TRADE])
    )
    flags = draw(st.sampled_from([0, 0, 0, MORE])) if kind in (Kind.BOOK, Kind.BOOK_CLEAR) else 0
    price, size = draw(st.integers(90, 110)) / 1.0, draw(st.sampled_from([0.0, 1.0, 1.0, 2.5]))
    if kind == Kind.BOOK:
        flags |= draw(st.sampled_from([0, 0, 0, 0, TOP]))
        return kind, draw(st.integers(0, 1)), flags, price, size, 0.0, 0.0
    if kind == Kind.QUOTE:
        return kind, 0, 0, price, 1.0, price + draw(st.integers(-1, 5)), size + 1.0
    code = {
        Kind.LINK: st.sampled_from([BookState.LIVE, BookState.LIVE, BookState.GAP, BookState.STALE]),
        Kind.STATUS: st.sampled_from([TradingStatus.TRADING, TradingStatus.UNKNOWN, TradingStatus.HALTED]),
    }.get(kind, st.just(1))
    return kind, 0, flags, float(draw(code)), 0.0, 0.0, 0.0


@st.composite
def tapes(draw):
    """Rows of up to three legs, (received_ns, kind, side, flags, a, b, c, d) each, and the fees of the legs."""
    fees_bps = draw(st.lists(st.sampled_from(FEES_BPS), min_size=1, max_size=3))
    told = []
    for _ in fees_bps:
        clocks = sorted(draw(st.lists(st.integers(1, 120), max_size=15)))
        told.append([(clock, *row_of(draw)) for clock in clocks])
    return told, fees_bps


@given(told=tapes())
def test_the_best_of_all_venues_is_that_of_the_slow_twin_at_every_moment(told):
    rows, fees_bps = told
    book = ConsolidatedBook(legs_of(*fees_bps), MAX_AGE_NS)
    waiting = [list(each) for each in rows]

    for now_ns in range(150):
        for leg, left in zip(book.legs, waiting, strict=True):
            while left and left[0][0] <= now_ns:
                received_ns, kind, side, flags, *words = left.pop(0)
                leg.take(kind, side, flags, received_ns, *words)
        best = book.best(now_ns)
        found = (best.bid, best.ask, best.quoted_bid, best.quoted_ask)
        expected = naive_best(rows, fees_bps, now_ns)
        assert [touch and tuple(touch) for touch in found] == [
            touch and (*touch[:3], pytest.approx(touch[3], rel=1e-15), touch[4]) for touch in expected
        ]


@given(told=tapes())
def test_nothing_but_events_and_expiries_changes_who_counts(told):
    rows, fees_bps = told
    book = ConsolidatedBook(legs_of(*fees_bps), MAX_AGE_NS)
    for leg, each in zip(book.legs, rows, strict=True):
        for received_ns, kind, side, flags, *words in each:
            leg.take(kind, side, flags, received_ns, *words)
    now_ns = max([0, *(each[-1][0] for each in rows if each)])

    while expiry_ns := book.next_expiry_ns(now_ns):
        counted = [[book.counts(leg, at_ns) for leg in book.legs] for at_ns in range(now_ns, expiry_ns)]
        assert counted == [counted[0]] * len(counted)
        assert counted[0] != [book.counts(leg, expiry_ns) for leg in book.legs]
        now_ns = expiry_ns
    assert not any(book.counts(leg, now_ns) for leg in book.legs)


def test_the_best_is_what_is_left_after_the_fee():
    cheap, dear = legs_of(1.0, 50.0)
    quoted(cheap, 1, 99.9, 100.1)
    quoted(dear, 1, 100.0, 100.0 + 1e-9)

    best = ConsolidatedBook([cheap, dear], MAX_AGE_NS).best(1)

    assert (best.bid.leg, best.ask.leg) == (0, 0)
    assert (best.quoted_bid.leg, best.quoted_ask.leg) == (1, 1)
    assert best.bid.net_price == pytest.approx(99.9 * 0.9999)


def test_at_the_same_money_the_larger_size_leads_and_then_the_first():
    legs = legs_of(5.0, 5.0, 5.0)
    for leg, size in zip(legs, (1.0, 2.0, 2.0), strict=True):
        quoted(leg, 1, 100.0, 101.0, (size, size))

    best = ConsolidatedBook(legs, MAX_AGE_NS).best(1)

    assert {touch.leg for touch in (best.bid, best.ask, best.quoted_bid, best.quoted_ask)} == {1}


def test_an_age_of_just_the_limit_still_counts():
    (leg,) = legs_of(0.0)
    book = ConsolidatedBook([leg], MAX_AGE_NS)
    quoted(leg, 100, 1.0, 2.0)

    assert book.best(100 + MAX_AGE_NS).bid.age_ns == MAX_AGE_NS
    assert book.best(101 + MAX_AGE_NS) == Best()
    assert book.next_expiry_ns(100) == 101 + MAX_AGE_NS


@pytest.mark.parametrize(
    ("kind", "code"),
    [(Kind.LINK, BookState.STALE), (Kind.LINK, BookState.GAP), (Kind.LINK, BookState.SYNCING), (Kind.STATUS, TradingStatus.HALTED),
     (Kind.STATUS, TradingStatus.AUCTION), (Kind.STATUS, TradingStatus.CLOSED)],
)  # fmt: skip
def test_a_leg_that_may_not_be_traded_stands_aside_until_it_may(kind, code):
    good, bad = legs_of(0.0, 0.0)
    quoted(good, 1, 99.0, 101.0)
    quoted(bad, 1, 100.0, 100.5)
    book = ConsolidatedBook([good, bad], MAX_AGE_NS)

    bad.take(kind, 0, 0, 2, float(code))
    assert (book.best(2).bid.leg, book.best(2).ask.leg) == (0, 0)

    bad.take(kind, 0, 0, 3, float(BookState.LIVE if kind == Kind.LINK else TradingStatus.TRADING))
    assert (book.best(3).bid.leg, book.best(3).ask.leg) == (1, 1)


def test_a_leg_that_crosses_itself_stands_aside():
    good, wrong = legs_of(0.0, 0.0)
    quoted(good, 1, 99.0, 101.0)
    quoted(wrong, 1, 105.0, 104.0)

    best = ConsolidatedBook([good, wrong], MAX_AGE_NS).best(1)

    assert best.crossing is Crossing.NORMAL
    assert (best.bid.leg, best.ask.leg) == (0, 0)


@pytest.mark.parametrize(
    ("ask", "expected", "is_profitable"),
    [(100.5, Crossing.NORMAL, False), (100.0, Crossing.LOCKED, False), (99.95, Crossing.CROSSED, False), (99.0, Crossing.CROSSED, True)],
)  # fmt: skip
def test_venues_lock_and_cross_as_quoted_and_pay_after_fees(ask, expected, is_profitable):
    one, other = legs_of(10.0, 10.0)
    quoted(one, 1, 100.0, 102.0)
    quoted(other, 1, 98.0, ask)

    best = ConsolidatedBook([one, other], MAX_AGE_NS).best(1)

    assert (best.crossing, best.is_profitable) == (expected, is_profitable)
    assert (best.net_spread_bps < 0) == is_profitable
    assert (best.quoted_spread_bps < 0) == (expected is Crossing.CROSSED)


def test_a_message_counts_when_it_is_whole():
    (leg,) = legs_of(0.0)

    assert not leg.take(Kind.BOOK, BID, MORE, 5, 100.0, 1.0)
    assert leg.told_ns == 0
    assert leg.take(Kind.BOOK, ASK, 0, 6, 101.0, 2.0)
    assert (leg.bid, leg.ask, leg.told_ns) == ((100.0, 1.0), (101.0, 2.0), 6)


def test_quotes_of_a_venue_with_depth_are_ignored():
    (leg,) = legs_of(0.0)
    leg.take(Kind.BOOK, BID, 0, 5, 100.0, 1.0)

    assert not leg.take(Kind.QUOTE, 0, 0, 6, 99.0, 1.0, 101.0, 1.0)
    assert (leg.bid, leg.ask, leg.told_ns) == ((100.0, 1.0), (0.0, 0.0), 5)


def test_one_side_alone_is_a_side():
    (leg,) = legs_of(0.0)
    leg.take(Kind.BOOK, BID, 0, 5, 100.0, 1.0)

    best = ConsolidatedBook([leg], MAX_AGE_NS).best(5)

    assert (best.bid.price, best.ask, best.crossing) == (100.0, None, Crossing.ONE_SIDED)
    assert (best.net_spread_bps, best.quoted_spread_bps, best.is_profitable) == (0.0, 0.0, False)


def test_an_age_of_nothing_is_refused():
    with pytest.raises(ValueError, match="max_age_ns"):
        ConsolidatedBook([], 0)
