"""Where messages of OKX and Bybit stand in their streams, by numbers that are the same on every connection."""

from __future__ import annotations

import pytest

from streamtrader.kernel.ring import Ring
from streamtrader.venues.bybit import Bybit
from streamtrader.venues.okx import Okx
from streamtrader.venues.venue import Place
from tests.venues import bybit_frames as bybit
from tests.venues import okx_frames as okx
from tests.venues.streamed import cryptofeed_frames, instruments_of, venue_of


def test_the_recorded_messages_of_bybit_stand_in_an_order_that_never_steps_back(shared_data):
    path, newest, chained = shared_data / "wire/bybit/cryptofeed_BYBIT.jsonl.zst", {}, 0
    for connection, kind in (("BYBIT.ws.2", "perpetual"), ("BYBIT.ws.3", "spot")):
        symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"]
        venue = venue_of("bybit", *symbols, kind=kind)
        for _, frame in cryptofeed_frames(path, connection):
            place = venue.place_of(frame)
            if place is None:
                assert b'"confirm":false' in frame or b'"op":' in frame
                continue
            key = connection, place.stream
            if place.is_chained:
                assert place.after == newest[key]
                chained += 1
            assert place.last > newest.get(key, -1) or (place.can_repeat and place.last == newest[key])
            newest[key] = place.last

    assert chained == 2_142  # all changes of books


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        (okx.snapshot(7), Place("books:BTC-USDT", 7, 7, is_snapshot=True, instrument=0)),
        (okx.update(7, 9), Place("books:BTC-USDT", 7, 9, is_chained=True)),
        (okx.update(7, 7), None),
        (okx.update(9, 3), None),
        (okx.best(sequence=8), Place("bbo-tbt:BTC-USDT", 8, 8, is_quote=True, can_repeat=True)),
        (okx.trade(), Place("trades:BTC-USDT", 130639474, 130639474)),
        (okx.ticker(), Place("tickers:BTC-USDT", okx.NOW_MS, okx.NOW_MS, is_quote=True)),
        (okx.candle(60_000), Place("candle1m:BTC-USDT", 60_000, 60_000)),
        (okx.candle(60_000, confirm="0"), None),
        (okx.mark(), Place("mark-price:BTC-USDT-SWAP", okx.NOW_MS, okx.NOW_MS)),
        (okx.funding(60_000), Place("funding-rate:BTC-USDT-SWAP", okx.NOW_MS, okx.NOW_MS)),
        (okx.liquidation(okx.SWAP), Place(f"liquidation-orders:{okx.SWAP}", okx.NOW_MS, okx.NOW_MS)),
        (okx.maintenance("ongoing"), None),
        (okx.checked_snapshot(), None),  # of before it numbered them
        (okx.data("books", []), None),
        (okx.data("trades", [{"tradeId": "x"}]), None),
        (b"pong", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_message_of_okx_stands_where_its_numbers_say(frame, place):
    assert Okx(instruments_of("okx", [okx.SPOT])).place_of(frame) == place


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        (bybit.snapshot(7), Place("orderbook.50.BTCUSDT", 7, 7, is_snapshot=True, instrument=0)),
        (bybit.delta(8), Place("orderbook.50.BTCUSDT", 7, 8, is_chained=True)),
        (bybit.book("delta", 1), Place("orderbook.50.BTCUSDT", 1, 1, is_snapshot=True, instrument=0)),
        (bybit.best("snapshot", 8),
         Place("orderbook.1.BTCUSDT", 8, 8, is_quote=True, is_snapshot=True, can_repeat=True, instrument=0)),
        (bybit.best("delta", 8), Place("orderbook.1.BTCUSDT", 7, 8, is_chained=True)),
        (bybit.trade(), Place("publicTrade.BTCUSDT", 753843954913, 753843954913, can_repeat=True)),
        (bybit.ticker("delta"), Place("tickers.BTCUSDT", 24987956059, 24987956059, can_repeat=True, instrument=0)),
        (bybit.candle(60_000), Place("kline.1.BTCUSDT", 60_000, 60_000)),
        (bybit.candle(60_000, confirm=False), None),
        (bybit.liquidation(), Place("allLiquidation.BTCUSDT", bybit.NOW_MS, bybit.NOW_MS)),
        (bybit.answer(), None),
        (b'{"topic":"publicTrade.BTCUSDT","data":[]}', None),
        (b"[", None),
        (b"", None),
    ],
)  # fmt: skip
def test_a_message_of_bybit_stands_where_its_numbers_say(frame, place):
    assert Bybit(instruments_of("bybit", [bybit.BTC])).place_of(frame) == place


def test_a_snapshot_is_needed_while_its_book_is_not_live():
    venue = Bybit(instruments_of("bybit", [bybit.BTC]))
    ring = Ring(1 << 10)
    venue.connected(1, ring)
    place, quote = venue.place_of(bybit.snapshot(7)), venue.place_of(bybit.best("snapshot", 8))

    assert (venue.needs(place), venue.needs(quote)) == (True, True)
    venue.decode(bybit.snapshot(7), 1, ring)
    venue.decode(bybit.best("snapshot", 8, bybit.BIDS[:1], bybit.ASKS[:1]), 1, ring)
    assert (venue.needs(place), venue.needs(quote)) == (False, False)


def test_a_trade_that_another_link_told_is_not_written_twice():
    venue = Bybit(instruments_of("bybit", [bybit.BTC]))
    ring = Ring(1 << 10)
    venue.connected(1, ring)

    for _ in range(2):
        venue.decode(bybit.trade(), 1, ring)

    assert (venue.counters.trades, venue.counters.repeated) == (1, 1)
