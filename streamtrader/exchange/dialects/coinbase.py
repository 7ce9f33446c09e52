"""Coinbase Advanced Trade's public websocket and its list of products (https://docs.cdp.coinbase.com/advanced-trade).

    {"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}
    {"channel":"l2_data","client_id":"","timestamp":"...","sequence_num":0,"events":[{"type":"snapshot","product_id":...}]}
    {"channel":"subscriptions",...,"sequence_num":1,"events":[{"subscriptions":{"level2":["BTC-USD"]}}]}

Every message of a connection has the next `sequence_num`, whatever its channel; errors have none. The snapshot comes
before the acknowledgement. Channels: level2, market_trades, ticker, heartbeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streamtrader.exchange.audience import Listener
from streamtrader.exchange.dialects.levels import Change, TextLevels
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

# The channels of products: what the messages of each are called, and how our keys begin.
CHANNELS = {"level2": "l2_data", "market_trades": "market_trades", "ticker": "ticker"}
KEYS = {"level2": BOOK, "market_trades": "trade:", "ticker": "quote:"}
HEARTBEATS = "heartbeats"
PRODUCTS_PATH = "/api/v3/brokerage/market/products"
NO_EVENT_TIME = "1970-01-01T00:00:00Z"


@dataclass(slots=True, eq=False)
class CoinbaseGuest(Guest):
    sequence: int = 0


class Coinbase(Translator[CoinbaseGuest]):
    name = "coinbase"
    separator = "-"
    stream_paths = ("/",)
    published = Published(8, 1.0, 8)

    def greet(self, listener: Listener, path: str) -> list[bytes]:
        self.guests[listener] = CoinbaseGuest(listener)
        return []

    def book_begun_by(self, payload: bytes) -> str:
        is_one = payload.startswith(b'{"channel":"l2_data"') and b'"type":"snapshot"' in payload
        return self.symbol_in(payload[:300]) if is_one else ""

    def has_all(self, listener: Listener) -> bool:
        wanted = {key + name for name in self.named for key in KEYS.values()} | {HEARTBEATS}
        return wanted <= listener.keys

    def payload(self, listener: Listener, told: Told) -> bytes:
        guest = self.guests[listener]
        text = b"%b%d%b" % (told.head, guest.sequence, told.tail)
        guest.sequence += 1
        return self.stamped(listener, text, told.stamp_ns)

    def _message(self, channel: str, key: str, events: str, clock: str, name: str = "") -> Told:
        """In two parts: the number goes between them."""
        head = f'{{"channel":"{channel}","client_id":"","timestamp":"{clock}","sequence_num":'
        return Told(self.now_ns, key, head.encode(), f',"events":[{events}]}}'.encode(), name)

    # What the market says.

    def book(self, product: Product, bids: TextLevels, asks: TextLevels, at_ms: int) -> Iterator[Told]:
        changes = product.levels.apply(bids, asks)
        if changes[0] or changes[1]:
            yield self._book_told(product, "update", changes, clock_text_of_ms(at_ms))

    def whole_book(self, product: Product) -> Iterator[Told]:
        yield self._book_told(product, "snapshot", product.levels.whole(), clock_text(self.now_ns))

    def _book_told(self, product: Product, kind: str, sides: tuple[list[Change], list[Change]], clock: str) -> Told:
        levels = product.levels
        updates = ",".join(
            f'{{"side":"{side}","event_time":"{clock if kind == "update" else NO_EVENT_TIME}",'
            f'"price_level":"{levels.price(price)}","new_quantity":"{levels.size(size)}"}}'
            for side, changes in zip(("bid", "offer"), sides, strict=True)
            for price, size in changes
        )
        event = f'{{"type":"{kind}","product_id":"{product.name}","updates":[{updates}]}}'
        return self._message("l2_data", BOOK + product.name, event, clock, product.name)

    def trade(self, product: Product, trade: dict[str, Any]) -> Iterator[Told]:
        yield self._trades_told(product, "update", [trade])

    def _trades_told(self, product: Product, kind: str, trades: list[dict[str, Any]]) -> Told:
        """The side is the maker's, and the newest trade comes first."""
        texts = ",".join(
            f'{{"trade_id":"{int(trade["t"])}","product_id":"{product.name}",'
            f'"price":"{product.levels.price_text(trade["p"])}","size":"{product.levels.size_text(trade["q"])}",'
            f'"side":"{"BUY" if trade["m"] else "SELL"}","time":"{clock_text_of_ms(trade["T"])}"}}'
            for trade in reversed(trades)
        )
        event = f'{{"type":"{kind}","trades":[{texts}]}}'
        return self._message("market_trades", "trade:" + product.name, event, clock_text(self.now_ns), product.name)

    def quote(self, product: Product, quote: dict[str, Any]) -> Iterator[Told]:
        levels = product.levels
        bid, ask = levels.price_text(quote["b"]), levels.price_text(quote["a"])
        last = levels.price_text(product.trades[-1]["p"]) if product.trades else bid
        event = (
            f'{{"type":"update","tickers":[{{"type":"ticker","product_id":"{product.name}","price":"{last}",'
            f'"volume_24_h":"0","low_24_h":"{last}","high_24_h":"{last}","low_52_w":"{last}","high_52_w":"{last}",'
            f'"price_percent_chg_24_h":"0","best_bid":"{bid}","best_bid_quantity":"{levels.size_text(quote["B"])}",'
            f'"best_ask":"{ask}","best_ask_quantity":"{levels.size_text(quote["A"])}"}}]}}'
        )
        yield self._message("ticker", "quote:" + product.name, event, clock_text(self.now_ns), product.name)

    def beat(self) -> Iterator[Told]:
        clock = clock_text(self.now_ns)
        event = f'{{"current_time":"{clock}","heartbeat_counter":"{self.beats}"}}'
        yield self._message(HEARTBEATS, HEARTBEATS, event, clock)

    # What a client says.

    def answer(self, listener: Listener, message: str | bytes) -> list[bytes]:
        request = object_in(message) or {}
        kind = request.get("type")
        if kind not in ("subscribe", "unsubscribe"):
            return [self._failure(listener, "failure to parse request")]
        channel, names = request.get("channel"), request.get("product_ids", [])
        if channel == HEARTBEATS:
            keys, products = [HEARTBEATS], []
        elif channel not in CHANNELS:
            return [self._failure(listener, "channel is not supported")]
        elif not isinstance(names, list) or any(name not in self.named for name in names):
            return [self._failure(listener, "product_ids: not a valid product")]
        else:
            products = [self.named[name] for name in names] or list(self.named.values())
            keys = [KEYS[channel] + product.name for product in products]
        if kind == "unsubscribe":
            listener.unfollow(*keys)
            return [self._acknowledged(listener)]
        fresh = [product for product in products if KEYS[channel] + product.name not in listener.keys]
        listener.follow(*keys)
        told = [each for product in fresh for each in self._begin(channel, product)]
        return [*(self.payload(listener, each) for each in told), self._acknowledged(listener)]

    def _begin(self, channel: str, product: Product) -> Iterator[Told]:
        """What a new subscription begins with."""
        if channel == "level2" and product.levels.is_known:
            yield from self.whole_book(product)
        elif channel == "market_trades":
            yield self._trades_told(product, "snapshot", list(product.trades))

    def _acknowledged(self, listener: Listener) -> bytes:
        held = {
            channel: [name for name in self.named if key + name in listener.keys] for channel, key in KEYS.items()
        }
        subscriptions = {channel: names for channel, names in held.items() if names}
        subscriptions |= {HEARTBEATS: [HEARTBEATS]} if HEARTBEATS in listener.keys else {}
        event = orjson.dumps({"subscriptions": subscriptions}).decode()
        return self.payload(listener, self._message("subscriptions", "", event, clock_text(self.now_ns)))

    def _failure(self, listener: Listener, why: str) -> bytes:
        return self.said_now(listener, {"type": "error", "message": why})

    # REST.

    def rest_paths(self) -> tuple[str, ...]:
        return (PRODUCTS_PATH,)

    def rest(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        names = query.get("product_ids") or list(self.named)
        listed = [_listed(self.named[name]) for name in names if name in self.named]
        if query.get("product_type", ["SPOT"]) != ["SPOT"]:
            listed = []
        return Answer(200, {"products": listed, "num_products": len(listed)})


def _listed(product: Product) -> dict[str, Any]:
    instrument = product.instrument
    tick, lot = decimal_text(instrument.price_tick), decimal_text(instrument.size_lot)
    return {
        "product_id": product.name,
        "base_increment": lot,
        "quote_increment": tick,
        "price_increment": tick,
        "quote_min_size": "1",
        "base_min_size": lot,
        "base_name": product.base,
        "quote_name": product.quote,
        "base_currency_id": product.base,
        "quote_currency_id": product.quote,
        "product_type": "SPOT",
        "status": "online",
        "trading_disabled": False,
        "is_disabled": False,
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "auction_mode": False,
        "product_venue": "CBE",
    }
