"""The past of Alpaca's stocks and crypto: which pages to ask for.

    GET /v2/stocks/trades?symbols=AAPL&start=&end=&limit=10000&sort=asc&feed=sip&page_token=
    GET /v1beta3/crypto/us/bars?symbols=BTC/USD&start=&end=&limit=10000&sort=asc&timeframe=1Min&page_token=

`end` is inclusive. A page goes on where its token says, and holds nothing twice: trade ids are those of each exchange
and count nothing here. Prices of bars are not adjusted for splits. Bars of a day begin at midnight of New York, which
is no multiple of a day in UTC: they are not offered.

Without a feed the whole tape (`sip`) is asked for: it is free except for the last 15 minutes. 200 requests a minute for one key; 10,000 rows a page.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote

import msgspec

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.events import BUY
from streamtrader.instruments import Instrument
from streamtrader.units import NS_PER_S, decimal_of_places, ticks_of
from streamtrader.venues.alpaca import markets
from streamtrader.venues.alpaca.pages import bars_of, trade_rows_of, trades_of
from streamtrader.venues.history import (
    CANDLES,
    FOREVER_NS,
    Cursor,
    History,
    Page,
    Query,
    Request,
    RestLimits,
    candle_rows,
)
from streamtrader.venues.values import check_prices, decoder, nanoseconds_of

LIMIT = 10_000
FEED, PLACE = "sip", "us"
PAST_OF = {"delayed_sip": "sip", "overnight": "boats"}  # whose past is told under the name of what they are made of
INTERVALS = {60: "1Min", 300: "5Min", 900: "15Min", 1_800: "30Min", 3_600: "1Hour"}
WORD_BYTES = 7  # of a token in one number of a cursor
TOKEN_MOST = 512
E9 = 1e9
FINEST = decimal_of_places(9)


class _Price(msgspec.Struct, gc=False):
    p: float


class _Latest(msgspec.Struct, gc=False):
    trades: dict[str, _Price] = {}
    message: str = ""


_latest_of = decoder(_Latest)


class AlpacaHistory(History):
    """The cursor holds the token of the next page in numbers, and what the tick rule must know of the page before."""

    name = "alpaca"
    intervals_s = tuple(INTERVALS)
    has_empty_candles = False
    has_counting_ids = False

    def limits(self, kind: str) -> RestLimits:
        return RestLimits(weight_per_minute=100, requests_per_s=3.0, weight_per_day=100_000)

    def rest_urls(self, kind: str) -> tuple[str, ...]:
        return (markets.DATA_URL,)

    def rules(self, query: Query) -> Request:
        """The rules are told elsewhere; here the newest trade tells that there is such a symbol."""
        symbols = quote(query.symbol, safe="")
        if markets.is_crypto(query.symbol):
            return Request(f"/v1beta3/crypto/{query.feed or PLACE}/latest/trades?symbols={symbols}", 1.0)
        return Request(f"/v2/stocks/trades/latest?symbols={symbols}&feed=iex", 1.0)

    def instrument_of(self, body: bytes, query: Query) -> Instrument:
        """Cents and shares; crypto as fine as the venue ever writes it."""
        latest = _latest_of(body)
        if latest.message or query.symbol not in latest.trades:
            raise ConfigError(
                f"alpaca knows no {query.symbol}: {latest.message[:200] or 'it has never traded there'}"
            )
        if markets.is_crypto(query.symbol):
            price = latest.trades[query.symbol].p
            check_prices(price)
            lot = markets.lot_of(FINEST, 1 / Decimal(repr(price)))  # the smallest order is about a dollar
            return markets.instrument_of(query.symbol, FINEST, lot)
        return markets.instrument_of(query.symbol)

    def check(self, query: Query) -> None:
        super().check(query)
        if query.feed == "test":
            raise ConfigError("alpaca: the test feed has no past")

    def begin(self, query: Query) -> Cursor:
        return {"last_price_e9": 0, "last_side": BUY}

    def request(self, query: Query, cursor: Cursor) -> Request:
        is_crypto, is_candles = markets.is_crypto(query.symbol), query.what == CANDLES
        path = f"/v1beta3/crypto/{query.feed or PLACE}/" if is_crypto else "/v2/stocks/"
        path += f"{'bars' if is_candles else 'trades'}?symbols={quote(query.symbol, safe='')}&limit={LIMIT}&sort=asc"
        path += f"&start={clock_text(query.start_ns)}"
        if query.stop_ns != FOREVER_NS:
            path += f"&end={clock_text(query.stop_ns - 1)}"
        if is_candles:
            path += f"&timeframe={INTERVALS[query.interval_s]}" + ("" if is_crypto else "&adjustment=raw")
        if not is_crypto:
            path += f"&feed={PAST_OF.get(query.feed, query.feed or FEED)}"
        token = token_of(cursor)
        return Request(path + (f"&page_token={quote(token, safe='')}" if token else ""), 1.0)

    def read(self, query: Query, cursor: Cursor, body: bytes) -> Page:
        if query.what == CANDLES:
            bars, token = bars_of(body, query.symbol)
            rows, rejected = candle_rows(
                [nanoseconds_of(bar.t) for bar in bars],
                [(bar.o, bar.h, bar.l, bar.c) for bar in bars],
                [bar.v for bar in bars],
                query.interval_ns,
            )
            return Page(rows, words_of(token), not token, rejected)
        trades, token = trades_of(body, query.symbol)
        last_price, last_side = cursor["last_price_e9"] / E9, cursor["last_side"]
        rows, rejected, last_price, last_side = trade_rows_of(trades, last_price, last_side)
        behind = {"last_price_e9": ticks_of(last_price, E9), "last_side": last_side}
        return Page(rows, behind | words_of(token), not token, rejected)


def clock_text(clock_ns: int) -> str:
    """RFC 3339 with nanoseconds.

    >>> clock_text(1_614_870_977_000_000_018)
    '2021-03-04T15:16:17.000000018Z'
    """
    seconds, fraction = divmod(clock_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def words_of(token: str) -> Cursor:
    """A token as numbers that any bookmark can hold."""
    data = token.encode()
    if len(data) > TOKEN_MOST or b"\0" in data:
        raise BadMessage("alpaca: a page token that cannot be one")
    parts = [data[start : start + WORD_BYTES] for start in range(0, len(data), WORD_BYTES)]
    return {f"token_{index}": int.from_bytes(part, "big") for index, part in enumerate(parts)}


def token_of(cursor: Cursor) -> str:
    """The token that `words_of` took apart."""
    data = b""
    for index in range(TOKEN_MOST):
        word = cursor.get(f"token_{index}")
        if word is None:
            break
        data += word.to_bytes(WORD_BYTES, "big").lstrip(b"\0")
    return data.decode()


HISTORY = AlpacaHistory()
