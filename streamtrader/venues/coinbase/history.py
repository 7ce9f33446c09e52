"""The past of Coinbase Exchange, whose public REST interface needs no key: every trade, and candles.

    GET /products/BTC-USD/trades?limit=1000&after=<id: trades with smaller ids, newest first>
    [{"time":"2020-03-20T00:36:59.860Z","trade_id":86327327,"price":"6225.32","size":"0.06469797","side":"sell"}]
    GET /products/BTC-USD/candles?granularity=60&start=<ISO>&end=<ISO>      at most 300, newest first
    [[1584664620,6220.11,6230.2,6225.3,6228.9,12.3]]                        start, low, high, open, close, volume
    GET /products/BTC-USD
    {"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","base_increment":"0.00000001","quote_increment":"0.01"}

`side` is the maker's: where the maker sold, the aggressor bought. Trade ids of a product count from 1; the first one
of a day is found by halving. Intervals without a trade have no candle. Ten public requests a second are allowed for
one address.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from streamtrader.errors import BadMessage
from streamtrader.instruments import Instrument
from streamtrader.units import NS_PER_S
from streamtrader.venues.history import (
    CANDLES,
    Cursor,
    History,
    Page,
    Query,
    Request,
    RestLimits,
    candle_rows,
    trade_rows,
)
from streamtrader.venues.listing import Listing
from streamtrader.venues.registry import listing_of
from streamtrader.venues.values import decoder, nanoseconds_of

LIMIT, CANDLES_LIMIT = 1_000, 300
SIDES = {"sell": 0, "buy": 1}  # of the maker -> the aggressor's


class _Trade(msgspec.Struct, gc=False):
    time: str
    trade_id: int
    price: float
    size: float
    side: str


class _Candle(NamedTuple):
    start_s: int
    low: float
    high: float
    open: float
    close: float
    volume: float


_trades_of = decoder(list[_Trade])
_candles_of = decoder(list[_Candle])


class CoinbaseHistory(History):
    """The cursor is the start of the next candle in seconds; of trades `from_id`, or the bounds of the search for it."""

    name = "coinbase"
    intervals_s = (60, 300, 900, 3_600, 21_600, 86_400)
    has_empty_candles = False

    @property
    def listing(self) -> Listing:
        """Of the older interface to the same orders."""
        return listing_of("coinbase-exchange")

    def limits(self, kind: str) -> RestLimits:
        return RestLimits(weight_per_minute=300, requests_per_s=5.0, weight_per_day=200_000)

    def instrument_of(self, body: bytes, query: Query) -> Instrument:
        return replace(super().instrument_of(body, query), venue=self.name)

    def begin(self, query: Query) -> Cursor:
        if query.what == CANDLES:
            return {"start_s": query.start_ns // query.interval_ns * query.interval_s}
        return {"low": 1, "high": 0}  # the newest id is not known yet

    def request(self, query: Query, cursor: Cursor) -> Request:
        product = f"/products/{quote(query.symbol)}"
        if query.what == CANDLES:
            start_s = cursor["start_s"]
            stop_s = start_s + (CANDLES_LIMIT - 1) * query.interval_s  # the end is part of it
            span = f"start={_iso(start_s)}&end={_iso(stop_s)}"
            return Request(f"{product}/candles?granularity={query.interval_s}&{span}", 1.0)
        if "from_id" in cursor:
            return Request(f"{product}/trades?limit={LIMIT}&after={cursor['from_id'] + LIMIT}", 1.0)
        if cursor["high"] == 0:
            return Request(f"{product}/trades?limit=1", 1.0)
        return Request(f"{product}/trades?limit=1&after={_middle(cursor) + 1}", 1.0)

    def read(self, query: Query, cursor: Cursor, body: bytes) -> Page:
        if query.what == CANDLES:
            return self._candles(query, cursor, body)
        trades = _trades_of(body)
        if "from_id" not in cursor:
            return self._searched(query, cursor, trades)
        if any(trade.side not in SIDES for trade in trades):
            raise BadMessage("coinbase: a trade that is neither bought nor sold")
        trades = [trade for trade in reversed(trades) if trade.trade_id >= cursor["from_id"]]
        rows, rejected = trade_rows(
            [trade.trade_id for trade in trades],
            [nanoseconds_of(trade.time) for trade in trades],
            [trade.price for trade in trades],
            [trade.size for trade in trades],
            [SIDES[trade.side] for trade in trades],
        )
        newest = max((trade.trade_id for trade in trades), default=cursor["from_id"] - 1)
        return Page(rows, {"from_id": newest + 1}, newest < cursor["from_id"] + LIMIT - 1, rejected)

    def _searched(self, query: Query, cursor: Cursor, trades: list[_Trade]) -> Page:
        """Halve the ids: all below `low` are too early, the trade `high` is not."""
        nothing, _ = trade_rows([], [], [], [], [])
        is_early = not trades or nanoseconds_of(trades[0].time) < query.start_ns
        if cursor["high"] == 0:  # the newest of all
            return (
                Page(nothing, cursor, is_last=True)
                if is_early
                else Page(nothing, {"low": 1, "high": trades[0].trade_id})
            )
        low, high = (_middle(cursor) + 1, cursor["high"]) if is_early else (cursor["low"], _middle(cursor))
        return Page(nothing, {"from_id": low} if low >= high else {"low": low, "high": high})

    def _candles(self, query: Query, cursor: Cursor, body: bytes) -> Page:
        stop_s = cursor["start_s"] + CANDLES_LIMIT * query.interval_s
        candles = [each for each in reversed(_candles_of(body)) if cursor["start_s"] <= each.start_s < stop_s]
        rows, rejected = candle_rows(
            [candle.start_s * NS_PER_S for candle in candles],
            [(candle.open, candle.high, candle.low, candle.close) for candle in candles],
            [candle.volume for candle in candles],
            query.interval_ns,
        )
        return Page(rows, {"start_s": stop_s}, stop_s * NS_PER_S >= query.stop_ns, rejected)


def _middle(cursor: Cursor) -> int:
    return (cursor["low"] + cursor["high"]) // 2


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


HISTORY = CoinbaseHistory()
