"""Bybit's public spot websocket and its list of instruments (https://bybit-exchange.github.io/docs/v5/).

    {"op":"subscribe","args":["orderbook.50.BTCUSDT"],"req_id":"1"}
    {"success":true,"ret_msg":"subscribe","conn_id":"...","req_id":"1","op":"subscribe"}
    {"topic":"orderbook.50.BTCUSDT","ts":...,"type":"snapshot","data":{"s":"BTCUSDT","b":[...],"a":[...],"u":...,"seq":...}}

The answer, then each book's snapshot, then what changes within 50 levels, those that leave them too. `u` counts the
messages of a topic, alike on every connection. Topics: orderbook.50, orderbook.1 (always whole), publicTrade.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streamtrader.exchange.audience import Listener
from streamtrader.exchange.dialects.levels import Change, Levels, TextLevels, applied_within
from streamtrader.exchange.dialects.translator import BOOK, Answer, Guest, Product, Told, Translator, object_in
from streamtrader.exchange.limits import Published
from streamtrader.units import NS_PER_MS, decimal_text

KEYS = {"orderbook.50": BOOK, "publicTrade": "trade:", "orderbook.1": "quote:"}
DEPTH = 50
FIRST = 1_000_000  # the number of every book's first snapshot; 1 would say that the service has restarted
ARGS_MOST = 10
CONNECTION = "2324d924-aa4d-45b0-a858-7b8be29ab52b"
INSTRUMENTS_PATH = "/v5/market/instruments-info"


class Bybit(Translator[Guest]):
    name = "bybit"
    separator = ""
    stream_paths = ("/v5/public/spot",)
    published = Published(500, 300.0, 5)  # the limit of messages is not published: five is what clients are told
    has_beats = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._updates = dict.fromkeys(self.named, FIRST)

    def greet(self, listener: Listener, path: str) -> list[bytes]:
        self.guests[listener] = Guest(listener)
        return []

    def book_begun_by(self, payload: bytes) -> str:
        is_one = payload.startswith(b'{"topic":"orderbook.50') and b'"type":"snapshot"' in payload[:120]
        return payload[payload.find(b".50.") + 4 : payload.find(b'",')].decode() if is_one else ""

    def has_all(self, listener: Listener) -> bool:
        return {key + name for name in self.named for key in KEYS.values()} <= listener.keys

    # What the market says.

    def book(self, product: Product, bids: TextLevels, asks: TextLevels, at_ms: int) -> Iterator[Told]:
        changes = applied_within(product.levels, bids, asks, DEPTH)
        if changes[0] or changes[1]:
            self._updates[product.name] += 1
            yield self._book_told(product, "delta", changes, at_ms)

    def whole_book(self, product: Product) -> Iterator[Told]:
        sides = [list(side.top(DEPTH).items()) for side in (product.levels.bids, product.levels.asks)]
        yield self._book_told(product, "snapshot", (sides[0], sides[1]), self.now_ns // NS_PER_MS)

    def _book_told(self, product: Product, kind: str, sides: tuple[list[Change], list[Change]], at_ms: int) -> Told:
        bids, asks = (_levels_text(product.levels, side) for side in sides)
        return self._told("orderbook.50", product, kind, _book(product, bids, asks, self._updates[product.name]), at_ms)

    def _told(self, channel: str, product: Product, kind: str, data: str, at_ms: int) -> Told:
        head = f'{{"topic":"{channel}.{product.name}","ts":{at_ms},"type":"{kind}","data":{data},"cts":{at_ms}}}'
        return Told(self.now_ns, KEYS[channel] + product.name, head.encode(), symbol=product.name)

    def trade(self, product: Product, trade: dict[str, Any]) -> Iterator[Told]:
        price, size = product.levels.price_text(trade["p"]), product.levels.size_text(trade["q"])
        number, at_ms = int(trade["t"]), int(trade["T"])
        data = (
            f'[{{"i":"{number}","T":{at_ms},"p":"{price}","v":"{size}","S":"{"Sell" if trade["m"] else "Buy"}",'
            f'"s":"{product.name}","BT":false,"seq":{number}}}]'
        )
        yield self._told("publicTrade", product, "snapshot", data, at_ms)

    def quote(self, product: Product, quote: dict[str, Any]) -> Iterator[Told]:
        levels = product.levels
        bid, ask = (f'[["{levels.price_text(quote[p])}","{levels.size_text(quote[s])}"]]' for p, s in ("bB", "aA"))
        data = _book(product, bid, ask, int(quote["u"]))
        yield self._told("orderbook.1", product, "snapshot", data, self.now_ns // NS_PER_MS)

    # What a client says.

    def answer(self, listener: Listener, message: str | bytes) -> list[bytes]:
        request = object_in(message) or {}
        operation, topics = request.get("op"), request.get("args")
        if operation == "ping":
            return [self._answered(listener, request, "pong")]
        if operation not in ("subscribe", "unsubscribe") or not isinstance(topics, list) or len(topics) > ARGS_MOST:
            return [self._answered(listener, request, "error:invalid request", is_done=False)]
        keys = [self._key_of(str(topic)) for topic in topics]
        if "" in keys:
            strange = str(topics[keys.index("")])[:80]
            return [self._answered(listener, request, f"error:handler not found,topic:{strange}", is_done=False)]
        if operation == "unsubscribe":
            listener.unfollow(*keys)
            return [self._answered(listener, request, "")]
        listener.follow(*keys)
        books = [self.named[key.removeprefix(BOOK)] for key in keys if key.startswith(BOOK)]
        told = [each for product in books if product.levels.is_known for each in self.whole_book(product)]
        return [self._answered(listener, request, "subscribe"), *(self.payload(listener, each) for each in told)]

    def _key_of(self, topic: str) -> str:
        channel, _, name = topic.rpartition(".")
        return KEYS[channel] + name if channel in KEYS and name in self.named else ""

    def _answered(self, listener: Listener, request: dict[str, Any], text: str, *, is_done: bool = True) -> bytes:
        known = {"req_id": str(request.get("req_id", "")), "op": str(request.get("op", ""))}
        return self.said_now(listener, {"success": is_done, "ret_msg": text, "conn_id": CONNECTION, **known})

    # REST.

    def rest_paths(self) -> tuple[str, ...]:
        return (INSTRUMENTS_PATH,)

    def rest(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        names = query.get("symbol") or list(self.named)
        if query.get("category") != ["spot"]:
            return Answer(200, {"retCode": 10001, "retMsg": "params error: only spot is told here", "result": {}})
        listed = [_listed(self.named[name]) for name in names if name in self.named]
        return Answer(200, {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": listed}})


def _book(product: Product, bids: str, asks: str, update: int) -> str:
    return f'{{"s":"{product.name}","b":{bids},"a":{asks},"u":{update},"seq":{update}}}'


def _levels_text(levels: Levels, changes: list[Change]) -> str:
    return "[" + ",".join(f'["{levels.price(p)}","{levels.size(s)}"]' for p, s in changes) + "]"


def _listed(product: Product) -> dict[str, Any]:
    lot = decimal_text(product.instrument.size_lot)
    sizes = {"basePrecision": lot, "minOrderQty": lot, "minOrderAmt": "5"}
    return {
        "symbol": product.name, "baseCoin": product.base, "quoteCoin": product.quote, "status": "Trading",
        "lotSizeFilter": sizes, "priceFilter": {"tickSize": decimal_text(product.instrument.price_tick)},
    }  # fmt: skip
