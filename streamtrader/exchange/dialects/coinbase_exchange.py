"""Coinbase Exchange's older feed and its list of products (https://docs.cdp.coinbase.com/exchange/websocket-feed).

    {"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch"]}
    {"type":"subscriptions","channels":[{"name":"level2_batch","product_ids":["BTC-USD"]}]}
    {"type":"snapshot","product_id":"BTC-USD","asks":[["10102.55","0.57"]],"bids":[["10101.10","0.45"]],"time":"..."}

The acknowledgement names all that is subscribed to, then the snapshot comes, or the last match of before. Channels:
level2_batch, matches, ticker, heartbeat; level2 wants a key, which nobody has here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streamtrader.exchange.audience import Listener
from streamtrader.exchange.dialects.levels import Change, Levels, TextLevels
from streamtrader.exchange.dialects.translator import (
    BOOK,
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
from streamtrader.units import decimal_text

KEYS = {"level2_batch": BOOK, "matches": "trade:", "ticker": "quote:", "heartbeat": "beat:"}
PRODUCTS_PATH = "/products"


class CoinbaseExchange(Translator[Guest]):
    name = "coinbase-exchange"
    separator = "-"
    stream_paths = ("/",)
    published = Published(8, 1.0, 8)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sequences = dict.fromkeys(self.named, 0)  # of what was told of each product, on any channel

    def greet(self, listener: Listener, path: str) -> list[bytes]:
        self.guests[listener] = Guest(listener)
        return []

    def book_begun_by(self, payload: bytes) -> str:
        return self.symbol_in(payload[:120]) if payload.startswith(b'{"type":"snapshot"') else ""

    def has_all(self, listener: Listener) -> bool:
        return {key + name for name in self.named for key in KEYS.values()} <= listener.keys

    # What the market says.

    def _told(self, channel: str, product: Product, text: str) -> Told:
        self._sequences[product.name] += 1
        return Told(self.now_ns, KEYS[channel] + product.name, text.encode(), symbol=product.name)

    def book(self, product: Product, bids: TextLevels, asks: TextLevels, at_ms: int) -> Iterator[Told]:
        sides = zip(("buy", "sell"), product.levels.apply(bids, asks), strict=True)
        changes = ",".join(_change(product.levels, each, side) for side, levels in sides for each in levels)
        if changes:
            yield self._told(
                "level2_batch", product,
                f'{{"type":"l2update","product_id":"{product.name}","changes":[{changes}],'
                f'"time":"{clock_text_of_ms(at_ms)}"}}',
            )  # fmt: skip

    def whole_book(self, product: Product) -> Iterator[Told]:
        bids, asks = (",".join(_change(product.levels, each) for each in side) for side in product.levels.whole())
        yield self._told(
            "level2_batch", product,
            f'{{"type":"snapshot","product_id":"{product.name}","asks":[{asks}],"bids":[{bids}],'
            f'"time":"{clock_text(self.now_ns)}"}}',
        )  # fmt: skip

    def trade(self, product: Product, trade: dict[str, Any]) -> Iterator[Told]:
        yield self._match(product, trade, "match")

    def _match(self, product: Product, trade: dict[str, Any], kind: str) -> Told:
        """The side is the maker's."""
        price, size = product.levels.price_text(trade["p"]), product.levels.size_text(trade["q"])
        return self._told(
            "matches", product,
            f'{{"type":"{kind}","trade_id":{int(trade["t"])},"side":"{"buy" if trade["m"] else "sell"}",'
            f'"size":"{size}","price":"{price}","product_id":"{product.name}",'
            f'"sequence":{self._sequences[product.name]},"time":"{clock_text_of_ms(trade["T"])}"}}',
        )  # fmt: skip

    def quote(self, product: Product, quote: dict[str, Any]) -> Iterator[Told]:
        levels = product.levels
        bid, ask = levels.price_text(quote["b"]), levels.price_text(quote["a"])
        yield self._told(
            "ticker", product,
            f'{{"type":"ticker","sequence":{self._sequences[product.name]},"product_id":"{product.name}","price":"{bid}",'
            f'"best_bid":"{bid}","best_bid_size":"{levels.size_text(quote["B"])}","best_ask":"{ask}",'
            f'"best_ask_size":"{levels.size_text(quote["A"])}","time":"{clock_text(self.now_ns)}"}}',
        )  # fmt: skip

    def beat(self) -> Iterator[Told]:
        """Of each product, with its newest trade."""
        for product in self.named.values():
            newest = int(product.trades[-1]["t"]) if product.trades else 0
            text = (
                f'{{"type":"heartbeat","sequence":{self._sequences[product.name]},"last_trade_id":{newest},'
                f'"product_id":"{product.name}","time":"{clock_text(self.now_ns)}"}}'
            )
            yield Told(self.now_ns, KEYS["heartbeat"] + product.name, text.encode(), symbol=product.name)

    # What a client says.

    def answer(self, listener: Listener, message: str | bytes) -> list[bytes]:
        request = object_in(message) or {}
        kind, names, channels = request.get("type"), request.get("product_ids"), request.get("channels")
        if kind not in ("subscribe", "unsubscribe"):
            return [self._failure(listener, "Failed to parse JSON", "unknown type")]
        if not isinstance(names, list) or any(name not in self.named for name in names):
            return [self._failure(listener, "Failed to subscribe", f"{names} is not a valid product")]
        if not isinstance(channels, list) or any(channel not in KEYS for channel in channels):
            return [self._failure(listener, "Failed to subscribe", f"{channels} is not a valid channel here")]
        keys = [KEYS[channel] + name for channel in channels for name in names]
        if kind == "unsubscribe":
            listener.unfollow(*keys)
            return [self._acknowledged(listener)]
        fresh = [key for key in keys if key not in listener.keys]
        listener.follow(*keys)
        told = [each for key in fresh for each in self._begin(key)]
        return [self._acknowledged(listener), *(self.payload(listener, each) for each in told)]

    def _begin(self, key: str) -> Iterator[Told]:
        """What a new subscription begins with."""
        product = self.named[key.partition(":")[2]]
        if key.startswith(BOOK) and product.levels.is_known:
            yield from self.whole_book(product)
        elif key.startswith(KEYS["matches"]) and product.trades:
            yield self._match(product, product.trades[-1], "last_match")

    def _acknowledged(self, listener: Listener) -> bytes:
        held = {channel: [name for name in self.named if key + name in listener.keys] for channel, key in KEYS.items()}
        channels = [{"name": channel, "product_ids": names} for channel, names in held.items() if names]
        return self.said_now(listener, {"type": "subscriptions", "channels": channels})

    def _failure(self, listener: Listener, message: str, why: str) -> bytes:
        return self.said_now(listener, {"type": "error", "message": message, "reason": why})

    # REST.

    def rest_paths(self) -> tuple[str, ...]:
        return (PRODUCTS_PATH, PRODUCTS_PATH + "/{id}")

    def rest(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        name = path.removeprefix(PRODUCTS_PATH).strip("/")
        if name and name not in self.named:
            return Answer(404, {"message": "NotFound"})
        return Answer(200, _listed(self.named[name]) if name else [_listed(each) for each in self.named.values()])


def _change(levels: Levels, change: Change, side: str = "") -> str:
    """A level as a list of texts, the first of them its side where that has to be told."""
    words = [side] * bool(side) + [levels.price(change[0]), levels.size(change[1])]
    return '["' + '","'.join(words) + '"]'


def _listed(product: Product) -> dict[str, Any]:
    return {
        "id": product.name, "base_currency": product.base, "quote_currency": product.quote,
        "quote_increment": decimal_text(product.instrument.price_tick),
        "base_increment": decimal_text(product.instrument.size_lot), "min_market_funds": "1", "status": "online",
    }  # fmt: skip
