"""Each adapter reads the book of a coin that is worth next to nothing and a price in rupiah, and refuses what nobody means."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from streamtrader.events import BookState, Kind
from streamtrader.venues.binance import compiled_scanner
from streamtrader.venues.ccxt.conversion import BookDiff, TradeSieve
from streamtrader.venues.registry import VENUES, listing_of
from tests.venues import (
    alpaca_frames,
    bybit_frames,
    ccxt_frames,
    coinbase_exchange_frames,
    coinbase_frames,
    frames,
    okx_frames,
    test_kraken,
)
from tests.venues.seeds import SEEDS
from tests.venues.streamed import NOW_NS, instruments_of, ring_of

CENT = Decimal("0.01")
CHEAP = (Decimal("1E-8"), Decimal(1)), ("0.00001234", "589123456789"), ("0.00001235", "41000000000000")
DEAR = (Decimal(1000), Decimal("1E-8")), ("1690001000", "0.00012345"), ("1690002000", "2.50000000")


def _alpaca(bid, ask):
    sides = [[tuple(map(float, side))] for side in (bid, ask)]
    yield alpaca_frames.text(alpaca_frames.book(*sides, is_whole=True))
    yield alpaca_frames.binary(alpaca_frames.coin_trade(p=float(bid[0]), s=float(bid[1])))


def _binance(bid, ask):
    yield frames.spot_depth(11, 15, (bid,), (ask,))
    yield frames.spot_trade(price=bid[0], size=bid[1])


def _bybit(bid, ask):
    yield bybit_frames.book("snapshot", 10, (bid,), (ask,))
    yield bybit_frames.trade().replace(b'"0.004"', f'"{bid[1]}"'.encode()).replace(b"100.10", bid[0].encode())


def _ccxt(bid, ask):
    sides = [[list(map(float, side))] for side in (bid, ask)]
    yield BookDiff(ccxt_frames.SYMBOL).frame(ccxt_frames.book(*sides))
    trade = ccxt_frames.trade(price=float(bid[0]), amount=float(bid[1]))
    yield TradeSieve(ccxt_frames.SYMBOL).frame([trade])


def _coinbase(bid, ask):
    yield coinbase_frames.book(0, "snapshot", [bid], [ask])
    yield coinbase_frames.trades(1, coinbase_frames.trade("7", price=bid[0], size=bid[1]))


def _coinbase_exchange(bid, ask):
    yield coinbase_exchange_frames.snapshot([bid], [ask])
    yield coinbase_exchange_frames.match(8, price=bid[0], size=bid[1])


def _kraken(bid, ask):
    yield test_kraken.book("snapshot", [bid], [ask], test_kraken.crc_of([ask], [bid]))
    row = {"symbol": "BTC/USD", "side": "sell", "price": float(bid[0]), "qty": float(bid[1]), "trade_id": 7}
    yield json.dumps({"channel": "trade", "type": "update", "data": [row]}, separators=(",", ":")).encode()


def _okx(bid, ask):
    yield okx_frames.book("snapshot", [bid], [ask], checksum=0, prevSeqId=-1, seqId=10)
    yield okx_frames.trade(size=bid[1]).replace(b"100.1", bid[0].encode())


SPEAKERS = {
    "alpaca": _alpaca, "binance": _binance, "bybit": _bybit, "ccxt": _ccxt, "coinbase": _coinbase,
    "coinbase-exchange": _coinbase_exchange, "kraken": _kraken, "okx": _okx,
}  # fmt: skip
SYMBOLS = {"alpaca": "BTC/USD", "okx": okx_frames.SPOT}


def told(name, steps, bid, ask, *, is_fast=True):
    """An adapter of one instrument that was told a book of one level a side and a trade at the bid, and its ring."""
    listing = listing_of(name)
    instruments = instruments_of(name, [SYMBOLS.get(name, SEEDS[name][0].symbols[0])], steps=steps)
    scanner = compiled_scanner() if name == "binance" and is_fast else None
    venue = listing.make_for_capture(instruments, listing.kinds[0], scanner=scanner)
    ring = ring_of(venue)
    for request in venue.requests():
        venue.respond(request, 200, frames.snapshot(10, (), ()), NOW_NS, ring)
    for frame in SPEAKERS[name](bid, ask):
        venue.decode(frame, NOW_NS, ring)
    return venue, ring.events[: ring.written]


def test_every_venue_is_asked():
    assert set(SPEAKERS) == set(VENUES)


@pytest.mark.parametrize("is_fast", [True, False])
@pytest.mark.parametrize("market", [CHEAP, DEAR], ids=["cheap", "dear"])
@pytest.mark.parametrize("name", VENUES)
def test_a_coin_worth_next_to_nothing_and_a_price_in_rupiah_are_read(name, market, is_fast):
    steps, bid, ask = market

    venue, events = told(name, steps, bid, ask, is_fast=is_fast)

    counters = venue.counters
    assert (counters.rejected, counters.unknown, counters.faults) == (0, 0, 0), counters.last_error
    assert venue.book_state(0) == BookState.LIVE
    levels, trades = (events[events["kind"] == kind] for kind in (Kind.BOOK, Kind.TRADE))
    assert list(zip(levels["a"].tolist(), levels["b"].tolist(), strict=True)) == [
        tuple(map(float, side)) for side in (bid, ask)
    ]
    assert (trades["a"].tolist(), trades["b"].tolist()) == ([float(bid[0])], [float(bid[1])])


@pytest.mark.parametrize("is_fast", [True, False])
@pytest.mark.parametrize(
    ("steps", "bid"),
    [
        pytest.param((CENT, CENT), ("2000000000000.00", "1.00"), id="a price that nobody means"),
        pytest.param((CENT, Decimal(1)), ("1.00", "2000000000000000"), id="more than there is of any coin"),
        pytest.param((Decimal("1E-9"), CENT), ("3000000000.000000000", "1.00"), id="more ticks than can be counted"),
        pytest.param((CENT, Decimal("1E-9")), ("1.00", "3000000000.000000000"), id="more lots than can be counted"),
    ],
)
@pytest.mark.parametrize("name", VENUES)
@pytest.mark.slow
def test_what_nobody_means_or_nobody_can_count_is_refused_and_said(name, steps, bid, is_fast):
    venue, events = told(name, steps, bid, ("2000000000000.01", "1"), is_fast=is_fast)

    counters = venue.counters
    assert (counters.rejected, counters.faults) == (2, 0)
    assert not {int(Kind.TRADE), int(Kind.BOOK)} & set(events["kind"].tolist())
    assert "this market" in counters.last_error
