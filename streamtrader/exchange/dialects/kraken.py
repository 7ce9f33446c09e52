"""Kraken's websocket v2 and its list of pairs (https://docs.kraken.com/exchange/api-reference).

    {"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":25},"req_id":1}
    {"method":"subscribe","result":{"channel":"book","depth":25,"snapshot":true,"symbol":"BTC/USD"},"success":true,...}
    {"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":...,"qty":...}],"asks":[],"checksum":...}]}

An acknowledgement for each symbol, then its snapshot, then what changes within the depth; levels that are pushed out
of it are not told. The checksum is the CRC32 over the digits of the best ten asks and bids, without points and leading
zeros. Channels: book, trade, ticker, and the heartbeat and status that nobody asks for.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from streamtrader.exchange.audience import Listener
from streamtrader.exchange.dialects.levels import Change, Levels, TextLevels, changes_between
from streamtrader.exchange.dialects.translator import (
    Answer,
    Guest,
    Product,
    Told,
    Translator,
    clock_text,
    clock_text_of_ms,
    object_in,
)
from streamtrader.exchange.limits import Published
from streamtrader.units import decimal_text, places_of

DEPTHS = (10, 25, 100, 500, 1000)
CHANNELS = ("book", "trade", "ticker")
CHECKED = 10
HEARTBEAT = "heartbeat"
PAIRS_PATH = "/0/public/AssetPairs"


@dataclass(slots=True, eq=False)
class KrakenGuest(Guest):
    depths: dict[str, int] = field(default_factory=dict)  # of the books, by name


class Kraken(Translator[KrakenGuest]):
    name = "kraken"
    separator = "/"
    stream_paths = ("/v2",)
    published = Published(150, 600.0, 5)  # the limit of messages is not published: five is what clients are told

    def greet(self, listener: Listener, path: str) -> list[bytes]:
        self.guests[listener] = KrakenGuest(listener)
        return [self._system(listener, "online")]

    def shutdown(self, listener: Listener) -> list[bytes]:
        return [self._system(listener, "maintenance")]

    def _system(self, listener: Listener, state: str) -> bytes:
        system = {"version": "2.0.0", "system": state, "api_version": "v2", "connection_id": 12_345_678_901_234_567}
        return self.said_now(listener, {"channel": "status", "type": "update", "data": [system]})

    def book_begun_by(self, payload: bytes) -> str:
        is_one = payload.startswith(b'{"channel":"book","type":"snapshot"')
        return self.symbol_in(payload[:120]) if is_one else ""

    def has_all(self, listener: Listener) -> bool:
        wanted = {f"{channel}:{name}" for name in self.named for channel in CHANNELS}
        return wanted <= {key.partition("@")[0] for key in listener.keys}

    # What the market says.

    def book(self, product: Product, bids: TextLevels, asks: TextLevels, at_ms: int) -> Iterator[Told]:
        levels = product.levels
        depths = {guest.depths[product.name] for guest in self.guests.values() if product.name in guest.depths}
        before = {depth: (levels.bids.top(depth), levels.asks.top(depth)) for depth in depths}
        levels.apply(bids, asks)
        for depth in sorted(depths):
            changed_bids = changes_between(before[depth][0], levels.bids, depth)
            changed_asks = changes_between(before[depth][1], levels.asks, depth)
            if changed_bids or changed_asks:
                yield self._book_told(product, "update", depth, changed_bids, changed_asks, clock_text_of_ms(at_ms))

    def whole_book(self, product: Product) -> Iterator[Told]:
        for depth in sorted({guest.depths.get(product.name, 0) for guest in self.guests.values()} - {0}):
            yield self._snapshot(product, depth)

    def _snapshot(self, product: Product, depth: int) -> Told:
        bids, asks = (list(side.top(depth).items()) for side in (product.levels.bids, product.levels.asks))
        return self._book_told(product, "snapshot", depth, bids, asks, clock_text(self.now_ns))

    def _book_told(
        self, product: Product, kind: str, depth: int, bids: list[Change], asks: list[Change], clock: str
    ) -> Told:
        levels = product.levels
        text = (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{product.name}",'
            f'"bids":{_levels_text(levels, bids)},"asks":{_levels_text(levels, asks)},'
            f'"checksum":{checksum(levels)},"timestamp":"{clock}"}}]}}'
        )
        return Told(self.now_ns, f"book:{product.name}@{depth}", text.encode(), symbol=product.name)

    def trade(self, product: Product, trade: dict[str, Any]) -> Iterator[Told]:
        text = f'{{"channel":"trade","type":"update","data":[{_trade_text(product, trade)}]}}'
        yield Told(self.now_ns, f"trade:{product.name}", text.encode(), symbol=product.name)

    def quote(self, product: Product, quote: dict[str, Any]) -> Iterator[Told]:
        levels = product.levels
        bid, ask = levels.price_text(quote["b"]), levels.price_text(quote["a"])
        bid_size, ask_size = levels.size_text(quote["B"]), levels.size_text(quote["A"])
        last = levels.price_text(product.trades[-1]["p"]) if product.trades else bid
        text = (
            f'{{"channel":"ticker","type":"update","data":[{{"symbol":"{product.name}","bid":{bid},'
            f'"bid_qty":{bid_size},"ask":{ask},"ask_qty":{ask_size},"last":{last},"volume":0.0,"vwap":{last},'
            f'"low":{last},"high":{last},"change":0.0,"change_pct":0.0,"timestamp":"{clock_text(self.now_ns)}"}}]}}'
        )
        yield Told(self.now_ns, f"ticker:{product.name}", text.encode(), symbol=product.name)

    def beat(self) -> Iterator[Told]:
        yield Told(self.now_ns, HEARTBEAT, b'{"channel":"heartbeat"}')

    # What a client says.

    def answer(self, listener: Listener, message: str | bytes) -> list[bytes]:
        request = object_in(message)
        if request is None:
            return [self._answered(listener, {}, {"error": "Malformed request", "method": "error", "success": False})]
        method, parameters = request.get("method"), request.get("params")
        if method == "ping":
            return [self._answered(listener, request, {"method": "pong"})]
        if method not in ("subscribe", "unsubscribe"):
            return [self._refused(listener, request, "Unsupported event")]
        if not isinstance(parameters, dict) or parameters.get("channel") not in CHANNELS:
            return [self._refused(listener, request, "Subscription channel invalid")]
        names = parameters.get("symbol")
        if not isinstance(names, list) or not names:
            return [self._refused(listener, request, "Symbol(s) not found")]
        obey = self._subscribe if method == "subscribe" else self._unsubscribe
        return [payload for name in names for payload in obey(listener, request, parameters, str(name))]

    def _subscribe(
        self, listener: Listener, request: dict[str, Any], parameters: dict[str, Any], name: str
    ) -> list[bytes]:
        product, channel = self.named.get(name), parameters["channel"]
        depth, has_snapshot = parameters.get("depth", DEPTHS[0]), parameters.get("snapshot", True) is not False
        if product is None:
            return [self._refused(listener, request, f"Currency pair not supported {name}", name)]
        if channel == "book" and depth not in DEPTHS:
            return [self._refused(listener, request, "Subscription depth not supported", name)]
        guest, key = self.guests[listener], f"{channel}:{name}" + (f"@{depth}" if channel == "book" else "")
        if any(known.partition("@")[0] == f"{channel}:{name}" for known in listener.streams):
            return [self._refused(listener, request, "Already subscribed", name)]
        listener.follow(HEARTBEAT, key)
        result = {"channel": channel, "snapshot": has_snapshot, "symbol": name}
        told: list[Told] = []
        if channel == "book":
            guest.depths[name] = depth
            result["depth"] = depth
            if has_snapshot and product.levels.is_known:
                told = [self._snapshot(product, depth)]
        elif channel == "trade" and has_snapshot:
            told = [self._past_trades(product)]
        acknowledged = self._answered(listener, request, {"method": "subscribe", "result": result, "success": True})
        return [acknowledged, *(self.payload(listener, each) for each in told)]

    def _past_trades(self, product: Product) -> Told:
        trades = ",".join(_trade_text(product, trade) for trade in product.trades)
        text = f'{{"channel":"trade","type":"snapshot","data":[{trades}]}}'
        return Told(self.now_ns, f"trade:{product.name}", text.encode(), symbol=product.name)

    def _unsubscribe(
        self, listener: Listener, request: dict[str, Any], parameters: dict[str, Any], name: str
    ) -> list[bytes]:
        channel = parameters["channel"]
        held = [key for key in listener.streams if key.partition("@")[0] == f"{channel}:{name}"]
        if not held:
            return [self._refused(listener, request, "Subscription Not Found", name)]
        listener.unfollow(*held)
        if channel == "book":
            self.guests[listener].depths.pop(name, None)
        result = {"channel": channel, "symbol": name}
        return [self._answered(listener, request, {"method": "unsubscribe", "result": result, "success": True})]

    def _refused(self, listener: Listener, request: dict[str, Any], error: str, name: str = "") -> bytes:
        named = {"symbol": name} if name else {}
        method = str(request.get("method", "error"))
        return self._answered(listener, request, {"error": error, "method": method, "success": False} | named)

    def _answered(self, listener: Listener, request: dict[str, Any], document: dict[str, Any]) -> bytes:
        clock = clock_text(self.now_ns)
        echoed = {"req_id": request["req_id"]} if type(request.get("req_id")) is int else {}
        return self.said_now(listener, document | echoed | {"time_in": clock, "time_out": clock})

    # REST.

    def rest_paths(self) -> tuple[str, ...]:
        return (PAIRS_PATH,)

    def rest(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        names = query["pair"][0].split(",") if "pair" in query else list(self.named)
        if any(name not in self.named for name in names):
            return Answer(200, {"error": ["EQuery:Unknown asset pair"]})
        return Answer(200, {"error": [], "result": {name: _pair(self.named[name]) for name in names}})


def checksum(levels: Levels) -> int:
    """Of the book as it stands; the digits of a scaled number are those of its text without point and zeros before."""
    best = [f"{price}{size}" for side in (levels.asks, levels.bids) for price, size in side.top(CHECKED).items()]
    return zlib.crc32("".join(best).encode())


def _levels_text(levels: Levels, changes: list[Change]) -> str:
    return "[" + ",".join(f'{{"price":{levels.price(p)},"qty":{levels.size(s)}}}' for p, s in changes) + "]"


def _trade_text(product: Product, trade: dict[str, Any]) -> str:
    side = "sell" if trade["m"] else "buy"
    price, size = product.levels.price_text(trade["p"]), product.levels.size_text(trade["q"])
    return (
        f'{{"symbol":"{product.name}","side":"{side}","price":{price},"qty":{size},"ord_type":"market",'
        f'"trade_id":{int(trade["t"])},"timestamp":"{clock_text_of_ms(trade["T"])}"}}'
    )


def _pair(product: Product) -> dict[str, Any]:
    instrument = product.instrument
    return {
        "altname": product.base + product.quote,
        "wsname": product.name,
        "aclass_base": "currency",
        "base": product.base,
        "aclass_quote": "currency",
        "quote": product.quote,
        "pair_decimals": places_of(instrument.price_tick),
        "lot_decimals": places_of(instrument.size_lot),
        "lot_multiplier": 1,
        "fees": [[0, 0.40]],
        "fees_maker": [[0, 0.25]],
        "ordermin": decimal_text(instrument.size_lot),
        "costmin": "0.5",
        "tick_size": decimal_text(instrument.price_tick),
        "status": "online",
    }
