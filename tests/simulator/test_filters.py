"""What a venue demands of an order: broken by a little it is rejected with the filter's name, kept by a little it is not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import ConfigError
from streamtrader.events import BUY, SELL, Kind
from streamtrader.instruments import NO_FILTERS, Filters, Instrument
from streamtrader.kernel import demands
from streamtrader.kernel.minutes import MINUTE_NS, Minutes
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OutboxKind
from tests.kernel.play import BTC, ETH, MS, planned, run
from tests.kernel.players import AMEND, ORDER, SHOW_ONLY, STOP_AT, TRAIL_BY
from tests.simulator.scenes import beats, scene


def rejections(filters, *plan, script=None, kind="spot"):
    script = beats(script or scene(), 1, 60, 100, 160)
    outcome = run(script, lambda: planned(*plan), instruments=(replace(BTC, filters=filters, kind=kind), ETH))
    return [Refusal(code).name for code in outcome.rows(OutboxKind.REJECTED)["code"].tolist()]


@pytest.mark.parametrize(
    ("filters", "kept", "broken", "name"),
    [
        (Filters(minimum_size=Decimal("0.1")), (BUY, 0.1, 99.0), (BUY, 0.099, 99.0), "LOT_SIZE"),
        (Filters(maximum_size=Decimal("0.1")), (BUY, 0.1, 99.0), (BUY, 0.101, 99.0), "LOT_SIZE"),
        (Filters(maximum_market_size=Decimal("0.1")), (BUY, 0.1), (BUY, 0.101), "MARKET_LOT_SIZE"),
        (Filters(minimum_price=Decimal(99)), (BUY, 0.1, 99.0), (BUY, 0.1, 98.99), "PRICE_FILTER"),
        (Filters(maximum_price=Decimal(102)), (SELL, 0.1, 102.0), (SELL, 0.1, 102.01), "PRICE_FILTER"),
        (Filters(maximum_notional=Decimal(50)), (BUY, 0.5, 100.0), (BUY, 0.501, 100.0), "NOTIONAL_FILTER"),
        # The last price is 100: nothing was traded, so the middle of 100 and 101 counts, 100.5.
        (Filters(bid_down=Decimal("0.9")), (BUY, 0.1, 90.45), (BUY, 0.1, 90.44), "PERCENT_PRICE"),
        (Filters(ask_up=Decimal("1.1")), (SELL, 0.1, 110.55), (SELL, 0.1, 110.56), "PERCENT_PRICE"),
    ],
)
def test_an_order_at_the_border_passes_and_one_beyond_is_rejected(filters, kept, broken, name):
    assert rejections(filters, (1, ORDER, *kept)) == []
    assert rejections(filters, (1, ORDER, *broken)) == [name]


def test_bounds_of_one_side_do_not_bind_the_other():
    filters = Filters(ask_up=Decimal("1.001"), ask_down=Decimal("0.999"))

    assert rejections(filters, (1, ORDER, BUY, 0.1, 90.0)) == []


def test_percents_are_of_the_average_price_of_the_minutes_that_the_filter_names():
    """100 traded at 90.0 and 100 at 110.0: 100 on average, though the last price is 110."""
    script = scene().trade(90.0, 0.1, SELL).trade(110.0, 0.1, BUY)
    wide = Filters(bid_down=Decimal("0.95"), average_minutes=5)

    assert rejections(wide, (1, ORDER, BUY, 0.1, 95.0), script=script) == []
    assert rejections(replace(wide, average_minutes=0), (1, ORDER, BUY, 0.1, 95.0), script=script) == ["PERCENT_PRICE"]


@pytest.mark.parametrize(
    ("filters", "kept", "broken", "name"),
    [
        (Filters(minimum_market_size=Decimal("0.1")), [(BUY, 0.1)], [(BUY, 0.099)], "MARKET_LOT_SIZE"),
        (Filters(minimum_market_size=Decimal("0.1")), [(BUY, 0.099, 99.0)], [(SELL, 0.099)], "MARKET_LOT_SIZE"),
        (Filters(maximum_position=Decimal("0.5")), [(BUY, 0.3, 99.0), (BUY, 0.2)], [(BUY, 0.3, 99.0), (BUY, 0.201)], "MAX_POSITION"),
        (Filters(maximum_position=Decimal("0.5")), [(BUY, 0.4), (SELL, 9.0, 110.0)], [(BUY, 0.4), (BUY, 0.101, 99.0)], "MAX_POSITION"),
    ],
    ids=["smallest at the market", "not of a limit", "open buys", "what is held"],
)
def test_what_is_held_and_what_goes_to_the_market_has_bounds_too(filters, kept, broken, name):
    assert rejections(filters, *[(1 + 59 * at, ORDER, *order) for at, order in enumerate(kept)]) == []
    assert rejections(filters, *[(1 + 59 * at, ORDER, *order) for at, order in enumerate(broken)]) == [name]


def test_the_price_that_an_order_waits_for_must_pass_the_price_filter():
    """Its limit is fine; a trailing one names no price; percents bind limits, not triggers."""
    filters = Filters(minimum_price=Decimal(60), maximum_price=Decimal(200), ask_down=Decimal("0.8"))
    order = (1, ORDER, SELL, 0.1, 98.0)

    assert rejections(filters, order, (1, STOP_AT, 0, 60.0)) == []
    assert rejections(filters, order, (1, STOP_AT, 0, 59.99)) == ["PRICE_FILTER"]
    assert rejections(filters, (1, ORDER, BUY, 0.1), (1, STOP_AT, 0, 200.01)) == ["PRICE_FILTER"]
    assert rejections(filters, (1, ORDER, SELL, 0.1), (1, TRAIL_BY, 0, 50.0)) == []


def test_only_so_many_orders_may_wait_for_a_price():
    stops = [line for at in (0, 2, 4) for line in ((1, ORDER, SELL, 0.1), (1, STOP_AT, at, 90.0))]

    assert rejections(Filters(maximum_waiting_orders=2), *stops, (60, ORDER, BUY, 0.1, 99.0)) == ["MAX_NUM_ALGO_ORDERS"]


def test_the_parts_of_an_iceberg_may_be_neither_too_small_nor_too_many():
    def shown(size, lots):
        return [(1, ORDER, BUY, size, 99.0), (1, SHOW_ONLY, 0, lots)]

    assert rejections(Filters(maximum_parts=3), *shown(0.6, 0.2)) == []
    assert rejections(Filters(maximum_parts=3), *shown(0.601, 0.2)) == ["ICEBERG_PARTS"]
    assert rejections(Filters(minimum_size=Decimal("0.1")), *shown(0.6, 0.099)) == ["LOT_SIZE"]


def test_futures_bound_a_limit_by_the_mark():
    """The venue says 200 while the book stands at 100."""
    filters = Filters(bid_up=Decimal("1.05"), ask_down=Decimal("0.95"), is_by_mark=True)

    def limit(side, price):
        return rejections(filters, (1, ORDER, side, 0.1, price), script=scene().add(Kind.MARK, 200.0, 200.0), kind="perpetual")

    assert [limit(BUY, 50.0), limit(BUY, 210.0), limit(SELL, 190.0), limit(SELL, 500.0)] == [[]] * 4
    assert [limit(BUY, 210.01), limit(SELL, 189.99)] == [["PERCENT_PRICE"]] * 2


def test_an_amend_may_not_grow_beyond_the_largest_position():
    filters = Filters(maximum_position=Decimal("0.5"))
    plan = [(1, ORDER, BUY, 0.2, 99.0), (1, ORDER, BUY, 0.2, 98.0), (60, AMEND, 0, 0.3, 99.0), (100, AMEND, 1, 0.21, 98.0)]

    outcome = run(beats(scene(), 1, 60, 100, 160), lambda: planned(*plan), instruments=(replace(BTC, filters=filters), ETH))

    assert [Refusal(code).name for code in outcome.refusals()] == ["MAX_POSITION"]
    assert sorted(outcome.venue.orders["lots"][:2]) == [200, 300]


def test_no_more_orders_may_be_open_than_the_venue_allows():
    plan = [(at, ORDER, BUY, 0.1, 99.0) for at in (1, 60, 100)]

    assert rejections(Filters(maximum_orders=2), *plan) == ["MAX_NUM_ORDERS"]


def test_an_amend_beyond_a_filter_leaves_the_order_as_it_was():
    filters = Filters(maximum_size=Decimal("0.5"))
    script = beats(scene(), 1, 60, 200)
    plan = [(1, ORDER, BUY, 0.5, 99.0), (60, AMEND, 0, 0.6, 99.0)]

    outcome = run(script, lambda: planned(*plan), instruments=(replace(BTC, filters=filters), ETH))

    (refused,) = outcome.rows(OutboxKind.REFUSED)
    assert Refusal(refused["code"]) == Refusal.LOT_SIZE
    assert outcome.venue.orders[0].lots == outcome.seat.blotter.orders[0].lots == 500


@pytest.mark.parametrize(
    "values",
    [
        {"minimum_size": Decimal(2), "maximum_size": Decimal(1)},
        {"minimum_price": Decimal(2), "maximum_price": Decimal(1)},
        {"bid_down": Decimal(2), "bid_up": Decimal(1)},
        {"minimum_market_size": Decimal(2), "maximum_market_size": Decimal(1)},
        {"minimum_size": Decimal(2), "maximum_position": Decimal(1)},
        {"maximum_orders": -1},
        {"maximum_notional": Decimal("NaN")},
    ],
    ids=["sizes", "prices", "percents", "sizes at the market", "a position", "a negative count", "not a number"],
)
def test_filters_that_nothing_can_pass_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        Filters(**values)


def test_a_smallest_value_above_the_largest_is_refused():
    with pytest.raises(ConfigError, match="BTCUSDT: minimum_notional is above maximum_notional"):
        replace(BTC, filters=Filters(maximum_notional=Decimal(4)))


def test_filters_survive_json_and_old_files_have_none():
    full = replace(
        BTC, filters=Filters(Decimal("0.1"), Decimal(9), average_minutes=5, maximum_orders=200, is_by_mark=True)
    )
    plain = BTC.as_dict()

    assert Instrument.from_dict(full.as_dict()) == full
    assert "filters" not in plain
    assert Instrument.from_dict(plain).filters == NO_FILTERS


@given(
    trades=st.lists(
        st.tuples(st.integers(0, 200), st.floats(1.0, 1e5), st.floats(1e-6, 1e3)), min_size=1, max_size=40
    ),
    minutes=st.integers(1, 60),
)
def test_the_average_price_is_that_of_the_trades_of_those_minutes(trades, minutes):
    kept, now_s, seen = Minutes(), 1_700_000_000, []
    for later_s, price, size in trades:
        now_s += later_s
        kept.add(price, size, now_s * 10**9)
        seen.append((now_s // 60, price, size))
    recent = [(price, size) for minute, price, size in seen if minute > now_s // 60 - minutes]

    average = sum(price * size for price, size in recent) / sum(size for _, size in recent)
    assert kept.average_price(minutes) == pytest.approx(average, rel=1e-9)


def test_volatility_is_that_of_the_closes_of_whole_minutes():
    kept = Minutes()
    for minute, price in enumerate((100.0, 101.0, 101.0, 99.0, 50.0)):
        kept.add(price, 2.0, minute * MINUTE_NS + MS)
    changes = [0.009950330853168092, 0.0, -0.020000666706669543]  # log 1.01, log 1, log (99 / 101)

    assert kept.minute_volatility() == pytest.approx((sum(x * x for x in changes) / 3) ** 0.5, rel=1e-12)
    assert kept.day_volume() == pytest.approx(2.0 * 1_440, rel=1e-12)
    assert kept.last_volume() == 2.0


def test_the_kernel_and_the_table_of_refusals_mean_the_same_filters():
    for name in (
        "PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "PERCENT_PRICE", "MAX_NUM_ORDERS", "MAX_POSITION",
        "MAX_NUM_ALGO_ORDERS", "ICEBERG_PARTS",
    ):  # fmt: skip
        assert getattr(demands, name) == Refusal[name]
    assert demands.NOTIONAL == Refusal.NOTIONAL_FILTER
