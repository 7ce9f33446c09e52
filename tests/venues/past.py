"""A venue's REST history as the venues document it, on a real socket, with the faults that a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

import numpy as np
from aiohttp import web

from streamtrader.venues.history import RestLimits
from streamtrader.venues.rest import RestSettings

START_S = 1_700_000_040  # a whole minute
QUICK = RestSettings(timeout_s=20.0, tries=4, backoff_base_s=0.001, backoff_cap_s=0.005, patience_s=5.0)
FAST = RestLimits(weight_per_minute=1e6, requests_per_s=2_000.0, weight_per_day=10**6)


@dataclass(frozen=True)
class PastTrade:
    id: int
    us: int
    price: float
    size: float
    is_sold: bool  # by the aggressor

    @property
    def iso(self) -> str:
        return (
            datetime.fromtimestamp(self.us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            + f".{self.us % 10**6:06d}Z"
        )


def past_trades(count: int, *, seed: int = 1, every_s: float = 2.0, first_id: int = 1) -> list[PastTrade]:
    """Trades at random times, in whole ms, some of one instant; every few minutes a quarter of an hour without any."""
    random = np.random.default_rng(seed)
    steps = (random.exponential(every_s, count) * 1_000).astype(np.int64)
    steps[random.random(count) < 0.2] = 0
    steps[random.random(count) < 0.002] = 900_000
    clocks = START_S * 1_000_000 + np.cumsum(steps) * 1_000
    prices = np.round(30_000 + np.cumsum(random.normal(0, 1, count)), 1)
    sizes = np.round(random.uniform(0.001, 2.0, count), 5)
    return [
        PastTrade(first_id + at, int(clocks[at]), float(prices[at]), float(sizes[at]), bool(random.random() < 0.5))
        for at in range(count)
    ]


def candles_of(trades: Iterable[PastTrade], interval_s: int) -> dict[int, list[float]]:
    """Start in seconds -> open, high, low, close, volume; only intervals with a trade."""
    found: dict[int, list[float]] = {}
    for trade in trades:
        start_s = trade.us // 1_000_000 // interval_s * interval_s
        candle = found.setdefault(start_s, [trade.price, trade.price, trade.price, trade.price, 0.0])
        candle[1], candle[2] = max(candle[1], trade.price), min(candle[2], trade.price)
        candle[3], candle[4] = trade.price, round(candle[4] + trade.size, 5)
    return found


def filled(candles: dict[int, list[float]], interval_s: int) -> dict[int, list[float]]:
    """The same with flat candles where nothing traded, as most venues tell them."""
    whole: dict[int, list[float]] = {}
    for start_s in range(min(candles), max(candles) + interval_s, interval_s):
        close = whole[start_s - interval_s][3] if whole else 0.0
        whole[start_s] = candles.get(start_s, [close] * 4 + [0.0])
    return whole


@dataclass
class Past:
    """What a venue remembers, and how it misbehaves: `faults` are used up one a request, None is none."""

    trades: list[PastTrade]
    now_s: int = 0  # of the Date header
    faults: deque[str | None] = field(default_factory=deque)
    on_request: Callable[[int], None] = lambda _count: None
    paths: list[str] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.now_s = self.now_s or self.trades[-1].us // 1_000_000 + 86_400

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path_qs)
        self.times_s.append(asyncio.get_running_loop().time())
        self.on_request(len(self.paths))
        fault = self.faults.popleft() if self.faults else None
        if fault is not None and fault.isdigit():
            headers = {"Retry-After": "1"} if fault in ("429", "418") else {}
            return web.Response(status=int(fault), headers=headers, text="no")
        if fault == "html":
            return web.Response(text="<html>Please accept our terms</html>", content_type="text/html")
        if fault == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        answer = answer_of(request, self, fault)
        if isinstance(answer, web.Response):
            return answer
        body = json.dumps(answer).encode()
        if fault == "garbage":
            body = body[: len(body) // 2]
        date = format_datetime(datetime.fromtimestamp(self.now_s, UTC), usegmt=True)
        if fault == "truncated":
            return await self._truncated(request, body)
        return web.Response(body=body, content_type="application/json", headers={"Date": date})

    async def _truncated(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        assert request.transport is not None
        request.transport.close()
        return response


def answer_of(request: web.Request, past: Past, fault: str | None) -> object:
    query, path = request.query, request.path
    answers: dict[str, Callable[[], object]] = {
        "/api/v3/exchangeInfo": lambda: _binance_rules(query["symbols"]),
        "/api/v3/aggTrades": lambda: spoilt(_agg_trades(past, query), fault),
        "/api/v3/klines": lambda: spoilt(_klines(past, query), fault),
        "/0/public/AssetPairs": _kraken_rules,
        "/0/public/Trades": lambda: _kraken(_kraken_trades(past, query, fault), fault),
        "/0/public/OHLC": lambda: _kraken(_kraken_candles(past, query, fault), fault),
        "/products/BTC-USD": _product,
        "/products/BTC-USD/trades": lambda: spoilt(_coinbase_trades(past, query), fault),
        "/products/BTC-USD/candles": lambda: spoilt(_coinbase_candles(past, query), fault),
    }
    return answers.get(path, lambda: _refusal(404, {"message": "NotFound"}))()


def _refusal(status: int, document: object) -> web.Response:
    return web.json_response(document, status=status)


def spoilt(records: list[object], fault: str | None) -> list[object]:
    """A page that tells some records twice and out of order, or that leaves some out."""
    middle = len(records) // 2
    if fault == "duplicates":
        return [*records[:middle], *reversed(records[max(0, middle - 5) : middle + 5]), *records[middle:]]
    if fault == "hole":
        return [*records[: middle - 3], *records[middle:]]
    return records


def _binance_rules(symbols: str) -> object:
    if "BTCUSDT" not in symbols:
        return _refusal(400, {"code": -1121, "msg": "Invalid symbol."})
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "stepSize": "0.00001000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ]
    return {"symbols": [{"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": filters}]}


def _agg_trades(past: Past, query: object) -> list[object]:
    assert not ({"fromId", "startTime"} <= set(query)), "either of them, says the venue"
    if "fromId" in query:
        found = [trade for trade in past.trades if trade.id >= int(query["fromId"])]
    else:
        start_ms, stop_ms = int(query["startTime"]), int(query["endTime"])
        assert stop_ms - start_ms < 3_600_000
        found = [trade for trade in past.trades if start_ms <= trade.us // 1_000 <= stop_ms]
    return [
        {
            "a": trade.id, "p": f"{trade.price:.8f}", "q": f"{trade.size:.8f}", "f": trade.id, "l": trade.id,
            "T": trade.us // 1_000, "m": trade.is_sold, "M": True,
        }
        for trade in found[: int(query["limit"])]
    ]  # fmt: skip


def _klines(past: Past, query: object) -> list[object]:
    assert query["interval"] == "1m"
    candles = filled(candles_of(past.trades, 60), 60)
    span = range(int(query["startTime"]), int(query["endTime"]) + 1)
    rows = [
        [start_s * 1_000, *(f"{value:.8f}" for value in candle), start_s * 1_000 + 59_999, "0", 1, "0", "0", "0"]
        for start_s, candle in candles.items()
        if start_s * 1_000 in span and start_s <= past.now_s
    ]
    return rows[: int(query["limit"])]


def _kraken_rules() -> object:
    pair = {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "tick_size": "0.1", "costmin": "0.5"}
    return {"error": [], "result": {"XXBTZUSD": pair}}


def _kraken(found: tuple[list[object], object], fault: str | None) -> object:
    if fault == "too fast":
        return {"error": ["EGeneral:Too many requests"]}
    return {"error": [], "result": {"XXBTZUSD": found[0], "last": found[1]}}


def _kraken_trades(past: Past, query: object, fault: str | None) -> tuple[list[object], object]:
    since = int(query["since"])
    found = [trade for trade in past.trades if trade.us * 1_000 > since][: int(query["count"])]
    rows = [
        [f"{each.price:.5f}", f"{each.size:.8f}", each.us / 1e6, "s" if each.is_sold else "b", "l", "", each.id]
        for each in found
    ]
    return spoilt(rows, fault), str(found[-1].us * 1_000 if found else since)


def _kraken_candles(past: Past, query: object, fault: str | None) -> tuple[list[object], object]:
    candles = filled(candles_of(past.trades, 60), 60)
    rows = [
        [start_s, *(f"{value:.1f}" for value in candle[:4]), "0.0", f"{candle[4]:.8f}", 3]
        for start_s, candle in candles.items()
        if start_s <= past.now_s
    ][-720:]
    closed = [row[0] for row in rows if row[0] + 60 <= past.now_s]
    return spoilt([row for row in rows if row[0] > int(query["since"])], fault), closed[-1]


def _product() -> object:
    return {
        "id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "quote_increment": "0.01",
        "base_increment": "0.00000001", "min_market_funds": "1", "status": "online",
    }  # fmt: skip


def _coinbase_trades(past: Past, query: object) -> list[object]:
    before = int(query.get("after", 2**62))
    found = [trade for trade in past.trades if trade.id < before][-int(query["limit"]) :]
    return [
        {
            "time": each.iso, "trade_id": each.id, "price": f"{each.price:.8f}", "size": f"{each.size:.8f}",
            "side": "buy" if each.is_sold else "sell",
        }
        for each in reversed(found)
    ]  # fmt: skip


def _coinbase_candles(past: Past, query: object) -> list[object]:
    start_s, stop_s = (datetime.fromisoformat(query[name]).timestamp() for name in ("start", "end"))
    assert (stop_s - start_s) / int(query["granularity"]) < 300
    rows = [
        [at_s, candle[2], candle[1], candle[0], candle[3], candle[4]]
        for at_s, candle in candles_of(past.trades, int(query["granularity"])).items()
        if start_s - 120 <= at_s <= stop_s  # "some of those candles may precede your declared start value"
    ]
    return rows[::-1]


@asynccontextmanager
async def serving_past(past: Past) -> AsyncIterator[Past]:
    application = web.Application()
    application.router.add_get("/{path:.*}", past.serve)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        past.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        with contextlib.suppress(ConnectionError):
            yield past
    finally:
        await runner.cleanup()
