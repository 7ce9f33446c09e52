"""The past of Kraken: every trade since the beginning, and the newest 720 candles of each interval.

    GET /0/public/Trades?pair=&since=<ns, exclusive>&count=1000
    {"error":[],"result":{"XXBTZUSD":[["30243.4","0.34507674",1688669597.8277369,"b","m","",61044952]],"last":"1688669597827736900"}}
    GET /0/public/OHLC?pair=&interval=<minutes>&since=<s, exclusive>
    {"error":[],"result":{"XXBTZUSD":[[1688671200,"30306.1","30306.2","30305.7","30305.7","30306.1","3.39",23]],"last":1688672160}}

Price, size, time, side (b, s) of the aggressor, order type, an unused text, id. Ids count without holes. The page
after `last` would leave out trades of the same nanosecond: it is asked for one earlier, and what comes twice is
dropped. A candle that starts after `last` is still open. Errors come with status 200. The documented pace of public
requests is one a second for one address.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from streamtrader.errors import BadMessage, ConfigError, LinkLost
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
from streamtrader.venues.kraken.markets import CANDLE_MINUTES
from streamtrader.venues.values import NS_MOST, decoder

LIMIT = 1_000
SECONDS_MOST = NS_MOST // NS_PER_S
BUYS, SELLS = "b", "s"
TOO_FAST = ("EGeneral:Too many requests", "EAPI:Rate limit exceeded", "EService:Busy", "EGeneral:Temporary lockout")
UNKNOWN = ("EQuery:Unknown asset pair", "EQuery:Invalid asset pair", "EGeneral:Invalid arguments")


class _Trade(NamedTuple):
    price: float
    size: float
    seconds: Decimal  # a double would lose the last of its seven decimals
    side: str
    order: str
    unused: str
    id: int


class _Candle(NamedTuple):
    start_s: int
    open: float
    high: float
    low: float
    close: float
    average: float
    volume: float
    trades: int


class _Answer(msgspec.Struct, gc=False):
    error: list[str] = []
    result: dict[str, msgspec.Raw] = {}


_answer_of = decoder(_Answer)
_trades_of = decoder(list[_Trade])
_candles_of = decoder(list[_Candle])
_last_of = decoder(int)


class KrakenHistory(History):
    """The cursor is the `since` of the next request."""

    name = "kraken"
    intervals_s = tuple(minutes * 60 for minutes in CANDLE_MINUTES if minutes <= 1_440)  # longer ones are not aligned

    def limits(self, kind: str) -> RestLimits:
        return RestLimits(weight_per_minute=54, requests_per_s=0.9, weight_per_day=40_000)

    def begin(self, query: Query) -> Cursor:
        if query.what == CANDLES:
            return {"since": (query.start_ns - query.interval_ns) // NS_PER_S}
        return {"since": query.start_ns - 1}

    def request(self, query: Query, cursor: Cursor) -> Request:
        pair, since = quote(query.symbol.replace("/", "")), max(cursor["since"], 0)
        if query.what == CANDLES:
            return Request(f"/0/public/OHLC?pair={pair}&interval={query.interval_s // 60}&since={since}", 1.0)
        return Request(f"/0/public/Trades?pair={pair}&since={since}&count={LIMIT}", 1.0)

    def read(self, query: Query, cursor: Cursor, body: bytes) -> Page:
        listed, last = _result_of(body)
        if query.what == CANDLES:
            candles = [candle for candle in _candles_of(listed) if candle.start_s <= last]
            rows, rejected = candle_rows(
                [candle.start_s * NS_PER_S for candle in candles],
                [candle[1:5] for candle in candles],
                [candle.volume for candle in candles],
                query.interval_ns,
            )
            return Page(rows, {"since": last}, is_last=True, rejected=rejected)  # there is but one page of them
        return self._trades(_trades_of(listed), cursor, last)

    def _trades(self, trades: list[_Trade], cursor: Cursor, last_ns: int) -> Page:
        if not all(trade.seconds.is_finite() and 1 <= trade.seconds <= SECONDS_MOST for trade in trades):
            raise BadMessage("kraken: a trade whose clock cannot be true")
        if any(trade.side not in (BUYS, SELLS) for trade in trades):
            raise BadMessage("kraken: a trade that is neither bought nor sold")
        rows, rejected = trade_rows(
            [trade.id for trade in trades],
            [int(trade.seconds * NS_PER_S) for trade in trades],
            [trade.price for trade in trades],
            [trade.size for trade in trades],
            [int(trade.side == SELLS) for trade in trades],
        )
        since = max(last_ns - 1, cursor["since"] + 1) if trades else cursor["since"]
        return Page(rows, {"since": since}, len(trades) < LIMIT, rejected)


def _result_of(body: bytes) -> tuple[msgspec.Raw, int]:
    """The list of the one pair in an answer, and `last`."""
    answer = _answer_of(body)
    if answer.error:
        text = ", ".join(answer.error)[:200]
        if answer.error[0].startswith(TOO_FAST):
            raise LinkLost(f"kraken: {text}", status=429)
        if answer.error[0].startswith(UNKNOWN):
            raise ConfigError(f"kraken: {text}; its pairs are written BTC/USD")
        raise BadMessage(f"kraken: {text}")
    lists = [text for name, text in answer.result.items() if name != "last"]
    if len(lists) != 1 or "last" not in answer.result:
        raise BadMessage("kraken: an answer without its one list and its `last`")
    last = _last_of(answer.result["last"])
    if not 0 <= last <= NS_MOST:
        raise BadMessage("kraken: a `last` that cannot be true")
    return lists[0], last


HISTORY = KrakenHistory()
