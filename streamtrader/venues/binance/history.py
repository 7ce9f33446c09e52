"""The past of Binance spot and USD-M: aggregate trades and klines.

    GET /api/v3/aggTrades?symbol=&startTime=&endTime=&fromId=&limit=1000    weight 4     (USD-M /fapi/v1: 20)
    [{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true,"M":true}]
    GET /api/v3/klines?symbol=&interval=1m&startTime=&endTime=&limit=1000   weight 2     (USD-M: 5)
    [[1499040000000,"0.0163","0.8000","0.0157","0.0157","148976.11",1499644799999,...]]

An aggregate trade is what one order took at one price; its id `a` counts without holes, and becomes the id of the
TRADE. `startTime` and `endTime` may span less than one hour, so the first trade is looked for hour by hour; from there
ids lead on. The venue allows 6,000 of weight a minute on spot and 2,400 on USD-M, for one address.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streamtrader.units import NS_PER_MS
from streamtrader.venues.binance.markets import INTERVALS
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
from streamtrader.venues.values import check_milliseconds, decoder

LIMIT = 1_000
HOUR_MS = 3_600_000
_PREFIXES = {"spot": "/api/v3", "perpetual": "/fapi/v1"}
_LIMITS = {
    "spot": RestLimits(weight_per_minute=3_000, requests_per_s=10.0, weight_per_day=1_000_000),
    "perpetual": RestLimits(weight_per_minute=1_200, requests_per_s=5.0, weight_per_day=500_000),
}
_WEIGHTS = {"spot": {"trades": 4.0, "candles": 2.0}, "perpetual": {"trades": 20.0, "candles": 5.0}}


class _AggTrade(msgspec.Struct, gc=False):
    a: int
    p: float
    q: float
    T: int
    m: bool


class _Kline(NamedTuple):
    start_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    stop_ms: int
    quote_volume: float
    trades: int
    taker_volume: float
    taker_quote_volume: float
    unused: str


_agg_trades_of = decoder(list[_AggTrade])
_klines_of = decoder(list[_Kline])


class BinanceHistory(History):
    """Both markets; the cursor is a clock in ms, or the id of the next aggregate trade."""

    name = "binance"
    kinds = ("spot", "perpetual")
    intervals_s = tuple(INTERVALS)
    rules_weight = 20.0

    def limits(self, kind: str) -> RestLimits:
        return _LIMITS[kind]

    def begin(self, query: Query) -> Cursor:
        return {"start_ms": -(-query.start_ns // NS_PER_MS)}

    def request(self, query: Query, cursor: Cursor) -> Request:
        weight = _WEIGHTS[query.kind][query.what]
        path = f"{_PREFIXES[query.kind]}/{'klines' if query.what == CANDLES else 'aggTrades'}?symbol={query.symbol}"
        if query.what == CANDLES:
            path += f"&interval={INTERVALS[query.interval_s]}"
            span_ms = LIMIT * query.interval_ns // NS_PER_MS
        else:
            span_ms = HOUR_MS
        if "from_id" in cursor:
            return Request(f"{path}&fromId={cursor['from_id']}&limit={LIMIT}", weight)
        start_ms = cursor["start_ms"]
        return Request(f"{path}&startTime={start_ms}&endTime={start_ms + span_ms - 1}&limit={LIMIT}", weight)

    def read(self, query: Query, cursor: Cursor, body: bytes) -> Page:
        return self._candles(query, cursor, body) if query.what == CANDLES else self._trades(query, cursor, body)

    def _trades(self, query: Query, cursor: Cursor, body: bytes) -> Page:
        trades = _agg_trades_of(body)
        check_milliseconds(*(trade.T for trade in trades))
        rows, rejected = trade_rows(
            [trade.a for trade in trades],
            [trade.T * NS_PER_MS for trade in trades],
            [trade.p for trade in trades],
            [trade.q for trade in trades],
            [int(trade.m) for trade in trades],  # the buyer was the maker: the aggressor sold
        )
        if trades:
            is_last = "from_id" in cursor and len(trades) < LIMIT
            return Page(rows, {"from_id": max(trade.a for trade in trades) + 1}, is_last, rejected)
        if "from_id" in cursor:
            return Page(rows, cursor, is_last=True)
        start_ms = cursor["start_ms"] + HOUR_MS
        return Page(rows, {"start_ms": start_ms}, is_last=start_ms * NS_PER_MS >= query.stop_ns)

    def _candles(self, query: Query, cursor: Cursor, body: bytes) -> Page:
        klines = _klines_of(body)
        check_milliseconds(*(kline.start_ms for kline in klines))
        rows, rejected = candle_rows(
            [kline.start_ms * NS_PER_MS for kline in klines],
            [kline[1:5] for kline in klines],
            [kline.volume for kline in klines],
            query.interval_ns,
        )
        start_ms = cursor["start_ms"] + LIMIT * query.interval_ns // NS_PER_MS
        return Page(rows, {"start_ms": start_ms}, start_ms * NS_PER_MS >= query.stop_ns, rejected)


HISTORY = BinanceHistory()
