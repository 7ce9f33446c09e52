"""The synthetic market: repeatable to the byte, a sound book, and statistics within the stated bands."""

from __future__ import annotations

import asyncio
import itertools
import json

import numpy as np
import pytest

from streamtrader.errors import ConfigError
from streamtrader.exchange.flow import EXCITATION
from streamtrader.exchange.hawkes import Arrivals
from streamtrader.exchange.order_book import BookSide
from streamtrader.exchange.synthetic import START_NS, SyntheticMarket
from streamtrader.units import NS_PER_S
from tests.exchange.market_statistics import measured
from tests.exchange.support import ClientBook, serving, take_part

# The bands that the module's docstring states beside the capture's figures.
BANDS = {
    "quotes_per_s": (90, 130),
    "trades_per_s": (18, 40),
    "depth_per_s": (9.9, 10.1),
    "orders_per_s": (7, 16),
    "fills_per_order": (2, 3.2),
    "one_tick_share": (0.985, 0.998),
    "touch_median": (0.5, 1.8),
    "depth_levels": (30, 50),
    "trade_size_median": (0.0005, 0.003),
    "trade_size_mean": (0.012, 0.032),
    "order_size_p90": (0.05, 0.13),
    "gap_cv": (1.5, 2.4),
    "gap_below_10ms": (0.3, 0.5),
    "fano_1s": (3.5, 16),
    "sign_correlation": (0.3, 0.55),
    "return_1s_bps": (0.7, 1.9),
    "return_10s_bps": (2.2, 8),
}


def played(seconds, *, symbols=("BTCUSDT",), seed=1):
    market = SyntheticMarket(symbols, seed=seed)
    return market, [frame for block in itertools.islice(market.frames(), seconds) for frame in block]


@pytest.fixture(scope="module")
def minutes():
    """Four minutes of market time."""
    return played(240)


def test_its_statistics_lie_in_the_stated_bands(minutes):
    _, frames = minutes

    figures = measured(((frame.stamp_ns, frame.text) for frame in frames), tick=0.01)

    outside = {
        name: getattr(figures, name)
        for name, (low, high) in BANDS.items()
        if not low <= getattr(figures, name) <= high
    }
    assert {} == outside


def test_the_capture_it_was_fitted_to_lies_in_them_too(shared_data):
    """Twenty thousand frames of it: enough for the figures that settle quickly."""
    from streamtrader.exchange.captures import CaptureMarket

    path = shared_data / "wire" / "binance" / "spot_btcusdt_20240808.gz"
    batches = itertools.islice(CaptureMarket([str(path)], inspected_lines=100).frames(), 60)
    frames = [
        (frame.stamp_ns, frame.text) for batch in batches for frame in batch if frame.channel.feed != "snapshot"
    ]

    figures = measured(frames, tick=0.01)

    for name in ("one_tick_share", "depth_levels", "depth_per_s", "touch_median", "sign_correlation", "gap_cv"):
        low, high = BANDS[name]
        assert low <= getattr(figures, name) <= high, name


def test_the_same_seed_gives_the_same_bytes_and_another_one_others():
    _, first = played(5, symbols=("BTCUSDT", "ETHUSDT"))
    _, again = played(5, symbols=("BTCUSDT", "ETHUSDT"))
    _, other = played(5, symbols=("BTCUSDT", "ETHUSDT"), seed=2)

    assert first == again
    assert first != other


def test_a_symbol_is_the_same_in_any_company():
    _, alone = played(3, symbols=("ETHUSDT",))
    _, together = played(3, symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT"))

    assert [frame.text for frame in alone] == [f.text for f in together if f.channel.symbol == "ETHUSDT"]


def test_stamps_start_at_the_fixed_time_and_strictly_increase():
    _, frames = played(5, symbols=[f"COIN{number}USDT" for number in range(50)])

    stamps = [frame.stamp_ns for frame in frames]
    assert START_NS < stamps[0] < START_NS + NS_PER_S
    assert all(before < after for before, after in itertools.pairwise(stamps))
    assert len({frame.channel.symbol for frame in frames}) == 50


def test_depth_is_contiguous_the_book_never_crosses_and_agrees_with_every_best_quote(minutes):
    market, frames = minutes
    book = ClientBook(json.loads(market.opening_book("BTCUSDT")))
    quote, compared = None, 0

    for frame in frames:
        message = json.loads(frame.text)
        data = message["data"]
        if frame.channel.feed == "bookTicker":
            quote = tuple(float(data[key]) for key in "bBaA")
            assert quote[0] < quote[2]
        elif frame.channel.feed == "depth":
            assert data["U"] == book.last + 1
            assert book.apply(data)
            if quote:
                assert quote == book.best()
                compared += 1

    assert compared > 2_000


def test_trades_have_growing_ids_and_walk_the_book(minutes):
    _, frames = minutes
    ids, walks, quote = [], 0, None

    for frame in frames:
        data = json.loads(frame.text)["data"]
        if frame.channel.feed == "bookTicker":
            quote = data
        elif frame.channel.feed == "trade":
            ids.append(data["t"])
            if quote:
                best = float(quote["b"] if data["m"] else quote["a"])
                assert float(data["p"]) <= best if data["m"] else float(data["p"]) >= best
                walks += float(data["p"]) != best

    assert list(range(ids[0], ids[0] + len(ids))) == ids
    assert walks > 0, "some market order met more than the best level"


async def test_max_speed_sends_the_same_bytes_as_any_other():
    async def session(speed):
        async with serving(SyntheticMarket(["BTCUSDT", "ETHUSDT"], seed=7), speed=speed) as served:
            return await take_part(served, frames=300)

    slow, fast = await asyncio.gather(session(10.0), session(None))

    assert slow.frames == fast.frames
    assert [s[:2] for s in slow.snapshots.values()] == [s[:2] for s in fast.snapshots.values()]


async def test_after_ns_resumes_a_synthetic_market_exactly():
    async with serving(SyntheticMarket(["BTCUSDT"], seed=3)) as served:
        whole = await take_part(served, frames=900)
    cut = whole.stamps()[399]

    async with serving(SyntheticMarket(["BTCUSDT"], seed=3), after_ns=cut) as served:
        rest = await take_part(served, frames=500)

    assert whole.frames[400:] == rest.frames[:500]
    book = ClientBook(rest.snapshots["BTCUSDT"][0])
    assert all(book.apply(m["data"]) for m in rest.messages() if "@depth" in m["stream"])
    bid, _, ask, _ = book.best()
    assert bid < ask


async def test_the_opening_snapshot_is_bridged_by_the_first_depth_frame():
    async with serving(SyntheticMarket(["ETHUSDT"], seed=3)) as served:
        session = await take_part(served, frames=100)

    document, stamp, frames_before = session.snapshots["ETHUSDT"]
    assert (0, START_NS - 1) == (frames_before, stamp)
    first = next(m["data"] for m in session.messages() if "@depth" in m["stream"])
    assert document["lastUpdateId"] + 1 == first["U"]


@pytest.mark.parametrize("symbols", [[], ["BTC/USDT"], [f"C{n}USDT" for n in range(201)]])
def test_symbols_that_cannot_be_are_refused(symbols):
    with pytest.raises(ConfigError, match="symbols must be"):
        SyntheticMarket(symbols, seed=1)


def test_a_negative_seed_is_refused():
    with pytest.raises(ConfigError, match="seed"):
        SyntheticMarket(["BTCUSDT"], seed=-1)


def test_matching_keeps_price_and_time_priority():
    asks = BookSide(-1)
    for key, lots in ((-101, 5), (-100, 2), (-100, 3), (-102, 9)):
        asks.add(key, lots)

    fills = asks.take(8, levels_kept=0)

    assert [(-100, 2), (-100, 3), (-101, 3)] == fills
    assert ({-101: [2], -102: [9]}, {-101: 2, -102: 9}) == (asks.queues, asks.totals)


def test_excited_orders_have_the_stated_rate_and_more_variance_than_independent_ones():
    arrivals = Arrivals(EXCITATION, np.random.default_rng(5))

    blocks = [arrivals.block(second * NS_PER_S, (second + 1) * NS_PER_S) for second in range(2_000)]

    counts = np.array([len(times) for times, _ in blocks])
    times = np.concatenate([times for times, _ in blocks])
    assert (np.diff(times) >= 0).all()
    assert EXCITATION.rate_per_s == pytest.approx(counts.mean(), rel=0.2)
    assert counts.var() > 3 * counts.mean()
