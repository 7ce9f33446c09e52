"""The candles from before the market began: what `klines` answers, so that a session can start with its window full.

A synthetic market has a past as seeded as its present: a random walk backwards from the opening price, with the
deviation of the flow and as far back as `PAST_CANDLES`. Each length of candle is a walk of its own: candles of a minute do
not add up to those of an hour. What happens after the beginning is told by trades alone. A file has no past.
"""

from __future__ import annotations

import math
import zlib
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from streamtrader.exchange.market import Market
from streamtrader.exchange.rules import INVALID_SYMBOL, MANDATORY, error_body, padded
from streamtrader.instruments import Instrument
from streamtrader.units import NS_PER_MS, decimal_price, decimal_size, lots_of, ticks_of

if TYPE_CHECKING:
    import numpy as np

    Rows = np.ndarray[Any, np.dtype[np.float64]]

PAST_CANDLES = 10_000
DEVIATION = 1.1e-4  # of the price in a second, as the flow has it
VOLUME_QUOTE_A_S, TRADES_A_S = 60_000.0, 31
LIMIT, LIMIT_MOST = 500, 1_000
INTERVALS_S = {
    "1s": 1, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "2h": 7_200, "4h": 14_400,
    "6h": 21_600, "8h": 28_800, "12h": 43_200, "1d": 86_400,
}  # fmt: skip
INVALID_INTERVAL = -1120


class Past:
    """One market's candles, all of them closed before its first frame."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._candles = cache(self._made)

    async def serve(self, request: web.Request) -> web.Response:
        """GET klines?symbol=&interval=[&startTime=&endTime=&limit=], in the venue's words."""
        query = request.query
        symbol, interval = query.get("symbol", ""), query.get("interval", "")
        if not symbol or not interval:
            name = "symbol" if not symbol else "interval"
            return _refusal(MANDATORY, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        if symbol not in self._market.instruments:
            return _refusal(INVALID_SYMBOL, "Invalid symbol.")
        if interval not in INTERVALS_S:
            return _refusal(INVALID_INTERVAL, "Invalid interval.")
        try:
            start_ms, stop_ms = (int(query[name]) if name in query else None for name in ("startTime", "endTime"))
            limit = min(max(int(query.get("limit", LIMIT)), 1), LIMIT_MOST)
        except ValueError:
            return _refusal(MANDATORY, "A parameter was malformed.")
        first_ms, rows = self._candles(symbol, INTERVALS_S[interval])
        step_ms = INTERVALS_S[interval] * 1_000
        begin = 0 if start_ms is None else min(max(-(-(start_ms - first_ms) // step_ms), 0), len(rows))
        end = len(rows) if stop_ms is None else min(max((stop_ms - first_ms) // step_ms + 1, begin), len(rows))
        wanted = (
            range(begin, min(end, begin + limit)) if start_ms is not None else range(max(begin, end - limit), end)
        )
        instrument = self._market.instruments[symbol]
        return _json([_kline(instrument, first_ms + at * step_ms, step_ms, rows[at].tolist()) for at in wanted])

    def _made(self, symbol: str, interval_s: int) -> tuple[int, Rows]:
        """Start of the oldest candle in ms, and (open, high, low, close, volume) of each, oldest first."""
        import numpy as np  # here, because a recorded market needs it for nothing else, and a start must be quick

        market = self._market
        opening, step_ms = market.opening_book(symbol), interval_s * 1_000
        if market.seed is None or opening is None:
            return 0, np.zeros((0, 5))
        price = float(orjson.loads(opening)["bids"][0][0])
        random = np.random.default_rng([market.seed, zlib.crc32(symbol.encode()), interval_s])
        draws = random.standard_normal((PAST_CANDLES, 4))  # backwards from the beginning
        deviation = DEVIATION * math.sqrt(interval_s)
        walk = price * np.exp(np.concatenate(([0.0], np.cumsum(draws[:, 0] * deviation))))
        closes, opens = walk[:-1], walk[1:]
        reach = np.minimum(np.abs(draws[:, 1:3]) * deviation / 2, 0.5)
        highs = np.maximum(opens, closes) * (1 + reach[:, 0])
        lows = np.minimum(opens, closes) * (1 - reach[:, 1])
        volumes = VOLUME_QUOTE_A_S * interval_s * np.exp(draws[:, 3] / 2) / closes
        stop_ms = market.start_ns // NS_PER_MS // step_ms * step_ms
        return stop_ms - PAST_CANDLES * step_ms, np.column_stack((opens, highs, lows, closes, volumes))[::-1]


def _kline(instrument: Instrument, start_ms: int, step_ms: int, words: list[float]) -> list[int | str]:
    """One candle as the venue writes it; the value is that of its close, and half of it was bought by takers."""
    *prices, volume = words
    texts = [
        padded(decimal_price(ticks_of(price, instrument.ticks_per_unit), instrument), "spot") for price in prices
    ]
    size = decimal_size(lots_of(volume, instrument.lots_per_unit), instrument)
    value = size * Decimal(texts[-1])
    size_text, value_text = padded(size, "spot"), padded(value, "spot")
    half_text, half_value = padded(size / 2, "spot"), padded(value / 2, "spot")
    count = max(1, TRADES_A_S * step_ms // 1_000)
    return [start_ms, *texts, size_text, start_ms + step_ms - 1, value_text, count, half_text, half_value, "0"]


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def _refusal(code: int, message: str) -> web.Response:
    return _json(error_body(code, message), status=400)
