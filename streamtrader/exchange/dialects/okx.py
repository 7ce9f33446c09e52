"""OKX's public websocket and its list of spot instruments (https://www.okx.com/docs-v5/en/).

    {"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}
    {"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}
    {"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["8476.98","415","0","13"]],...}]}

Each argument is acknowledged, then the book's snapshot comes, then what changes within 400 levels: `prevSeqId` is the
`seqId` of the message before, on every connection, and the checksum is 0, as it is since 2026. Channels: books, bbo-tbt,
trades, status (which has nothing to tell). The texts "ping" and "pong" are no JSON and carry no stamp.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from streamtrader.exchange.audience import Listener
from streamtrader.exchange.dialects.levels import Change, Levels, TextLevels, applied_within
from streamtrader.exchange.dialects.translator import BOOK, Answer, Guest, Product, Told, Translator, object_in
from streamtrader.exchange.limits import Published
from streamtrader.units import NS_PER_MS, decimal_text

KEYS = {"books": BOOK, "trades": "trade:", "bbo-tbt": "quote:"}
STATUS = "status"
DEPTH = 400
FIRST = 1_000_000  # the number of every book's first snapshot
CONNECTION = "a4d3ae55"
INSTRUMENTS_PATH = "/api/v5/public/instruments"


class Okx(Translator[Guest]):
    name = "okx"
    separator = "-"
    stream_paths = ("/ws/v5/public",)
    published = Published(3, 1.0, 3)
    has_beats = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sequences = dict.fromkeys(self.named, FIRST)

    def greet(self, listener: Listener, path: str) -> list[bytes]:
        self.guests[listener] = Guest(listener)
        return []

    def shutdown(self, listener: Listener) -> list[bytes]:
        why = "The connection will soon be closed for a service upgrade. Please reconnect."
        return [self._event(listener, "notice", code="64008", msg=why)]

    def book_begun_by(self, payload: bytes) -> str:
        is_one = payload.startswith(b'{"arg":{"channel":"books"') and b'"action":"snapshot"' in payload[:120]
        return self.symbol_in(payload[:120]) if is_one else ""

    def has_all(self, listener: Listener) -> bool:
        return {key + name for name in self.named for key in KEYS.values()} <= listener.keys

    # What the market says.

    def book(self, product: Product, bids: TextLevels, asks: TextLevels, at_ms: int) -> Iterator[Told]:
        changes = applied_within(product.levels, bids, asks, DEPTH)
        if changes[0] or changes[1]:
            before = self._sequences[product.name]
            self._sequences[product.name] += sum(map(len, changes))
            yield self._book_told(product, "update", changes, before, at_ms)

    def whole_book(self, product: Product) -> Iterator[Told]:
        sides = [list(side.top(DEPTH).items()) for side in (product.levels.bids, product.levels.asks)]
        yield self._book_told(product, "snapshot", (sides[0], sides[1]), -1, self.now_ns // NS_PER_MS)

    def _book_told(
        self, product: Product, action: str, sides: tuple[list[Change], list[Change]], before: int, at_ms: int
    ) -> Told:
        bids, asks = (_levels_text(product.levels, side) for side in sides)
        data = (
            f'{{"asks":{asks},"bids":{bids},"ts":"{at_ms}","checksum":0,"prevSeqId":{before},'
            f'"seqId":{self._sequences[product.name]}}}'
        )
        return self._told("books", product, data, f'"action":"{action}",')

    def _told(self, channel: str, product: Product, data: str, action: str = "") -> Told:
        head = f'{{"arg":{{"channel":"{channel}","instId":"{product.name}"}},{action}"data":[{data}]}}'
        return Told(self.now_ns, KEYS[channel] + product.name, head.encode(), symbol=product.name)

    def trade(self, product: Product, trade: dict[str, Any]) -> Iterator[Told]:
        price, size = product.levels.price_text(trade["p"]), product.levels.size_text(trade["q"])
        yield self._told(
            "trades", product,
            f'{{"instId":"{product.name}","tradeId":"{int(trade["t"])}","px":"{price}","sz":"{size}",'
            f'"side":"{"sell" if trade["m"] else "buy"}","ts":"{int(trade["T"])}","count":"1","source":"0"}}',
        )  # fmt: skip

    def quote(self, product: Product, quote: dict[str, Any]) -> Iterator[Told]:
        levels, number = product.levels, int(quote["u"])
        bid, ask = (f'["{levels.price_text(quote[p])}","{levels.size_text(quote[s])}","0","1"]' for p, s in ("bB", "aA"))
        at_ms = self.now_ns // NS_PER_MS
        yield self._told(
            "bbo-tbt", product,
            f'{{"asks":[{ask}],"bids":[{bid}],"ts":"{at_ms}","checksum":0,"prevSeqId":{number - 1},"seqId":{number}}}',
        )  # fmt: skip

    # What a client says.

    def answer(self, listener: Listener, message: str | bytes) -> list[bytes]:
        if message in ("ping", b"ping"):
            return [b"pong"]
        request = object_in(message) or {}
        operation, arguments = request.get("op"), request.get("args")
        if operation not in ("subscribe", "unsubscribe") or not isinstance(arguments, list):
            return [self._event(listener, "error", code="60012", msg="Invalid request")]
        return [payload for each in arguments for payload in self._obey(listener, operation, each)]

    def _obey(self, listener: Listener, operation: str, argument: Any) -> list[bytes]:
        wanted = argument if isinstance(argument, dict) else {}
        channel, product = wanted.get("channel"), self.named.get(str(wanted.get("instId")))
        acknowledged = self._event(listener, operation, arg=wanted)
        if channel == STATUS:
            return [acknowledged]
        if channel not in KEYS or product is None:
            why = f"Wrong URL or channel:{channel},instId:{wanted.get('instId')} doesn't exist."
            return [self._event(listener, "error", code="60018", msg=why)]
        if operation == "unsubscribe":
            listener.unfollow(KEYS[channel] + product.name)
            return [acknowledged]
        listener.follow(KEYS[channel] + product.name)
        told = self.whole_book(product) if channel == "books" and product.levels.is_known else ()
        return [acknowledged, *(self.payload(listener, each) for each in told)]

    def _event(self, listener: Listener, event: str, **more: Any) -> bytes:
        return self.stamped(listener, orjson.dumps({"event": event, **more, "connId": CONNECTION}), self.now_ns)

    # REST.

    def rest_paths(self) -> tuple[str, ...]:
        return (INSTRUMENTS_PATH,)

    def rest(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        names = query.get("instId") or list(self.named)
        if query.get("instType") != ["SPOT"] or any(name not in self.named for name in names):
            return Answer(200, {"code": "51001", "msg": "Instrument ID doesn't exist", "data": []})
        return Answer(200, {"code": "0", "msg": "", "data": [_listed(self.named[name]) for name in names]})


def _levels_text(levels: Levels, changes: list[Change]) -> str:
    return "[" + ",".join(f'["{levels.price(p)}","{levels.size(s)}","0","{int(s > 0)}"]' for p, s in changes) + "]"


def _listed(product: Product) -> dict[str, Any]:
    tick, lot = decimal_text(product.instrument.price_tick), decimal_text(product.instrument.size_lot)
    return {
        "instType": "SPOT", "instId": product.name, "baseCcy": product.base, "quoteCcy": product.quote, "tickSz": tick,
        "lotSz": lot, "minSz": lot, "ctType": "", "ctVal": "", "ctMult": "", "state": "live",
    }  # fmt: skip
