"""The messages of the Exchange feed as msgspec reads them, told apart by their type in one pass. Texts that it sends:

    {"type":"snapshot","product_id":"SKL-USD","asks":[["0.791","985.1"]],"bids":[["0.7901","1548.0"]]}
    {"type":"l2update","product_id":"SKL-USD","changes":[["buy","0.7901","1548.0"]],"time":"2021-04-17T16:44:07.8Z"}
    {"type":"match","trade_id":280232,"maker_order_id":"...","taker_order_id":"...","side":"sell","size":"985",
     "price":"0.00001305","product_id":"SKL-BTC","sequence":177100030,"time":"2021-04-17T16:43:37.089723Z"}
    {"type":"ticker","sequence":333938798,"product_id":"BAND-GBP","price":"14.7775",...,"best_bid":"14.7550",
     "best_ask":"14.8060","side":"buy","time":"...","trade_id":881613,"last_size":"0.04"}    newer: best_bid_size, ...
    {"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"2014-11-07T08:19:28.464459Z"}
    {"type":"subscriptions","channels":[{"name":"level2","product_ids":["BAND-GBP"]}]}
    {"type":"error","message":"...","reason":"..."}

Numbers of books and trades are texts. Nothing in a book is numbered.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from streamtrader.instruments import Most
from streamtrader.venues.coinbase.feed import Product
from streamtrader.venues.values import check_levels, decoder, no_level

SIDES = {"buy": 1, "sell": 0}  # of the maker -> the aggressor's

Rows = list[tuple[float, float]]


class Message(msgspec.Struct, gc=False, tag_field="type"):
    pass


class Snapshot(Message, tag="snapshot"):
    product_id: str
    bids: Rows
    asks: Rows
    time: str = ""


class Changes(Message, tag="l2update"):
    product_id: str
    changes: list[tuple[Literal["buy", "sell"], float, float]]
    time: str = ""


class Match(Message, tag="match"):
    product_id: str
    trade_id: int
    price: float
    size: float
    side: Literal["buy", "sell"]
    time: str = ""


class LastMatch(Message, tag="last_match"):
    """The newest trade from before the subscription."""

    product_id: str
    trade_id: int


class Ticker(Message, tag="ticker"):
    product_id: str
    best_bid: float
    best_ask: float
    best_bid_size: float = 0.0
    best_ask_size: float = 0.0
    time: str = ""


class Heartbeat(Message, tag="heartbeat"):
    product_id: str
    sequence: int
    last_trade_id: int


class Status(Message, tag="status"):
    products: list[Product] = []


class Channel(msgspec.Struct, gc=False):
    name: str
    product_ids: list[str] = []


class Subscriptions(Message, tag="subscriptions"):
    channels: list[Channel] = []


class VenueError(Message, tag="error"):
    message: str = ""
    reason: str = ""


class Envelope(msgspec.Struct, gc=False):
    """What is known of any message."""

    type: str = ""


KNOWN = (Snapshot, Changes, Match, LastMatch, Ticker, Heartbeat, Status, Subscriptions, VenueError)
TYPES = frozenset(str(kind.__struct_config__.tag) for kind in KNOWN)
AnyMessage = Snapshot | Changes | Match | LastMatch | Ticker | Heartbeat | Status | Subscriptions | VenueError
message_of = msgspec.json.Decoder(AnyMessage, strict=False).decode
envelope_of = decoder(Envelope)


def changes_of(message: Changes, most: Most) -> tuple[Rows, Rows]:
    """Bids and asks; a size of zero removes its level."""
    bids: Rows = []
    asks: Rows = []
    price_most, size_most = most
    for side, price, size in message.changes:
        if not (0.0 < price <= price_most and 0.0 <= size <= size_most):  # a NaN compares false
            raise no_level(price, size, most)
        (bids if side == "buy" else asks).append((price, size))
    return bids, asks


def levels_of(message: Snapshot, most: Most) -> tuple[Rows, Rows]:
    """Bids and asks of a snapshot, without those of size zero."""
    check_levels(message.bids, most)
    check_levels(message.asks, most)
    return [level for level in message.bids if level[1]], [level for level in message.asks if level[1]]
