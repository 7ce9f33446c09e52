"""Alpaca's market data: stocks or crypto, a login first, arrays of messages (https://docs.alpaca.markets/docs).

    [{"T":"success","msg":"connected"}]
    {"action":"auth","key":"...","secret":"..."}            [{"T":"success","msg":"authenticated"}]
    {"action":"subscribe","trades":["BTC/USD"]}             [{"T":"subscription","trades":["BTC/USD"],"quotes":[],...}]

The path tells which: `/v2/{feed}` for stocks (trades, quotes), `/v1beta3/crypto/{place}` for crypto (order books too,
the whole book first). Any key and secret will do, but for the word `wrong`; a key has one connection at a time. A
stock is told in shares: one lot of the market is one share, and round lots of a hundred before 2025-11-03, as the
venue had it. No heartbeats, no numbers. Only JSON is spoken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streamtrader.exchange.audience import Listener
from streamtrader.exchange.dialects.levels import Change, TextLevels, scaled
from streamtrader.exchange.dialects.translator import (
    BOOK,
    STAMP,
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
from streamtrader.units import NS_PER_S, decimal_text

KEYS = {"trades": "trade:", "quotes": "quote:", "orderbooks": BOOK}
STOCK_CHANNELS, CRYPTO_CHANNELS = ("trades", "quotes"), ("trades", "quotes", "orderbooks")
# Known to the venue, and never told of here: a session may ask for them.
SILENT_CHANNELS = ("bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances")
SHARES_SINCE_NS = 1_762_160_400 * NS_PER_S
ROUND_LOT = 100
WRONG = "wrong"
ASSETS_PATH = "/v2/assets"
ERRORS = {
    400: "invalid syntax", 401: "not authenticated", 402: "auth failed", 403: "already authenticated",
    406: "connection limit exceeded", 410: "invalid subscribe action for this feed",
}  # fmt: skip


@dataclass(slots=True, eq=False)
class AlpacaGuest(Guest):
    is_crypto: bool = False
    key: str = ""  # empty until it is let in


class Alpaca(Translator[AlpacaGuest]):
    name = "alpaca"
    separator = "/"
    stream_paths = ("/v2/{feed}", "/v1beta3/crypto/{place}")
    published = Published(30, 60.0, 5)  # nothing is published: what clients are told
    has_beats = False

    def name_of(self, symbol: str) -> str:
        """A symbol that cannot be taken apart is a stock."""
        name = super().name_of(symbol)
        base, _, quote = name.partition(self.separator)
        return name if len(base) >= 3 and quote in ("USD", "USDT", "USDC", "BTC") and symbol != base else symbol

    def greet(self, listener: Listener, path: str) -> list[bytes]:
        self.guests[listener] = AlpacaGuest(listener, is_crypto=path.startswith("/v1beta3"))
        return [self.said_now(listener, [{"T": "success", "msg": "connected"}])]

    def book_begun_by(self, payload: bytes) -> str:
        is_one = payload.startswith(b'[{"T":"o"') and b'"r":true' in payload
        return self.symbol_in(payload[:60]) if is_one else ""

    def has_all(self, listener: Listener) -> bool:
        guest = self.guests[listener]
        channels = CRYPTO_CHANNELS if guest.is_crypto else STOCK_CHANNELS
        names = [name for name in self.named if ("/" in name) == guest.is_crypto]
        return bool(names) and {KEYS[channel] + name for channel in channels for name in names} <= listener.keys

    def stamped(self, listener: Listener, text: bytes, stamp_ns: int) -> bytes:
        """The stamp is the last key of the last message of the array."""
        return text[:-2] + STAMP % stamp_ns + b"}]" if listener.is_stamped else text

    # What the market says.

    def book(self, product: Product, bids: TextLevels, asks: TextLevels, at_ms: int) -> Iterator[Told]:
        changes = product.levels.apply(bids, asks)
        if (changes[0] or changes[1]) and "/" in product.name:
            yield self._book_told(product, changes, clock_text_of_ms(at_ms), "")

    def whole_book(self, product: Product) -> Iterator[Told]:
        if "/" in product.name:
            yield self._book_told(product, product.levels.whole(), clock_text(self.now_ns), ',"r":true')

    def _book_told(self, product: Product, sides: tuple[list[Change], list[Change]], clock: str, mark: str) -> Told:
        levels = product.levels
        bids, asks = (
            "[" + ",".join(f'{{"p":{levels.price(price)},"s":{levels.size(size)}}}' for price, size in side) + "]"
            for side in sides
        )
        text = f'[{{"T":"o","S":"{product.name}","t":"{clock}","b":{bids},"a":{asks}{mark}}}]'
        return Told(self.now_ns, BOOK + product.name, text.encode(), symbol=product.name)

    def trade(self, product: Product, trade: dict[str, Any]) -> Iterator[Told]:
        price, clock = product.levels.price_text(trade["p"]), clock_text_of_ms(trade["T"])
        if "/" in product.name:
            tail = f'"s":{product.levels.size_text(trade["q"])},"i":{int(trade["t"])},"tks":"{"S" if trade["m"] else "B"}"'
        else:
            shares = scaled(trade["q"], product.levels.size_places)
            condition = "@" if trade.get("M", True) else "I"  # an odd lot counts as volume only
            tail = f'"s":{shares},"i":{int(trade["t"])},"x":"V","c":["{condition}"],"z":"C"'
        text = f'[{{"T":"t","S":"{product.name}","p":{price},{tail},"t":"{clock}"}}]'
        yield Told(self.now_ns, "trade:" + product.name, text.encode(), symbol=product.name)

    def quote(self, product: Product, quote: dict[str, Any]) -> Iterator[Told]:
        levels = product.levels
        bid, ask = levels.price_text(quote["b"]), levels.price_text(quote["a"])
        if "/" in product.name:
            bid_size, ask_size, more = levels.size_text(quote["B"]), levels.size_text(quote["A"]), ""
        else:
            bid_size, ask_size = (self._quoted_shares(product, quote[side]) for side in "BA")
            more = ',"bx":"V","ax":"V","c":["R"],"z":"C"'
        text = (
            f'[{{"T":"q","S":"{product.name}","bp":{bid},"bs":{bid_size},"ap":{ask},"as":{ask_size}{more},'
            f'"t":"{clock_text(self.now_ns)}"}}]'
        )
        yield Told(self.now_ns, "quote:" + product.name, text.encode(), symbol=product.name)

    def _quoted_shares(self, product: Product, text: str) -> str:
        shares = scaled(text, product.levels.size_places)
        return str(shares if self.now_ns >= SHARES_SINCE_NS else max(shares // ROUND_LOT, 1))

    # What a client says.

    def answer(self, listener: Listener, message: str | bytes) -> list[bytes]:
        request = object_in(message) or {}
        action = request.get("action")
        guest = self.guests[listener]
        if action == "auth":
            return [self._let_in(guest, request)]
        if action not in ("subscribe", "unsubscribe"):
            return [self._error(listener, 400)]
        if not guest.key:
            return [self._error(listener, 401)]
        wanted = {channel: names for channel, names in request.items() if channel != "action"}
        served = CRYPTO_CHANNELS if guest.is_crypto else STOCK_CHANNELS
        if any(channel not in (*served, *SILENT_CHANNELS) for channel in wanted):
            return [self._error(listener, 410)]
        keys = [
            KEYS[channel] + name
            for channel, names in wanted.items()
            if channel in served and isinstance(names, list)
            for name in (self.named if names == ["*"] else names)
            if name in self.named and ("/" in name) == guest.is_crypto
        ]
        if action == "unsubscribe":
            listener.unfollow(*keys)
            return [self._subscribed(listener)]
        fresh = [key for key in keys if key not in listener.keys]
        listener.follow(*keys)
        begun = [self.named[key.removeprefix(BOOK)] for key in fresh if key.startswith(BOOK)]
        told = [each for product in begun if product.levels.is_known for each in self.whole_book(product)]
        return [self._subscribed(listener), *(self.payload(listener, each) for each in told)]

    def _let_in(self, guest: AlpacaGuest, request: dict[str, Any]) -> bytes:
        key, secret = request.get("key"), request.get("secret")
        if guest.key:
            return self._error(guest.listener, 403)
        if not (isinstance(key, str) and isinstance(secret, str) and key and secret) or WRONG in (key, secret):
            return self._error(guest.listener, 402)
        others = [other for other in self.guests.values() if other.key == key]
        if any(other.is_crypto == guest.is_crypto for other in others):
            return self._error(guest.listener, 406)
        guest.key = key
        return self.said_now(guest.listener, [{"T": "success", "msg": "authenticated"}])

    def _subscribed(self, listener: Listener) -> bytes:
        held = {
            channel: [name for name in self.named if key + name in listener.keys] for channel, key in KEYS.items()
        }
        return self.said_now(listener, [{"T": "subscription", **held, "bars": []}])

    def _error(self, listener: Listener, code: int) -> bytes:
        return self.said_now(listener, [{"T": "error", "code": code, "msg": ERRORS[code]}])

    # REST.

    def rest_paths(self) -> tuple[str, ...]:
        return (ASSETS_PATH, ASSETS_PATH + "/{symbol:.+}")

    def rest(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        name = path.removeprefix(ASSETS_PATH).removeprefix("/")
        if name:
            found = self.named.get(name)
            return (
                Answer(200, _asset(found))
                if found
                else Answer(404, {"code": 40410000, "message": f"asset not found for {name}"})
            )
        kind = query.get("asset_class", [""])[0]
        assets = [_asset(product) for product in self.named.values()]
        return Answer(200, [asset for asset in assets if kind in ("", asset["class"])])


def _asset(product: Product) -> dict[str, Any]:
    is_crypto = "/" in product.name
    steps = {
        "min_order_size": decimal_text(product.instrument.size_lot),
        "min_trade_increment": decimal_text(product.instrument.size_lot),
        "price_increment": decimal_text(product.instrument.price_tick),
    }
    return {
        "id": f"00000000-0000-0000-0000-{sum(product.name.encode()):012d}",
        "class": "crypto" if is_crypto else "us_equity",
        "exchange": "CRYPTO" if is_crypto else "NASDAQ",
        "symbol": product.name,
        "status": "active",
        "tradable": True,
        "fractionable": True,
    } | (steps if is_crypto else {})
