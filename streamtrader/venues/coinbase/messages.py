"""The messages of Advanced Trade as msgspec reads them, told apart by their channel in one pass. Texts that it sends:

    {"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z","sequence_num":0,"events":[
     {"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z",
     "price_level":"21921.73","new_quantity":"0.06317902"}]}]}
    {"channel":"market_trades",...,"events":[{"type":"update","trades":[{"trade_id":"12345","product_id":"ETH-USD",
     "price":"1260.01","size":"0.3","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}      newest first
    {"channel":"heartbeats",...,"events":[{"current_time":"...","heartbeat_counter":"3049"}]}
    {"channel":"subscriptions",...,"events":[{"subscriptions":{"level2":["ETH-USD"]}}]}
    {"type":"error","message":"..."}

Every message of a connection has a `sequence_num`, but for errors. Numbers are texts.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from streamtrader.errors import BadMessage
from streamtrader.instruments import Most
from streamtrader.units import NS_PER_S
from streamtrader.venues.coinbase.feed import Product
from streamtrader.venues.values import IDENTITY_MOST, NS_MOST, check_candle, check_quote, decoder, no_level

SIDES = {"BUY": 1, "SELL": 0}  # of the maker -> the aggressor's
ID_DIGITS = 18  # fewer digits than an int64 has

Level = tuple[float, float]
Rows = list[Level]


class Update(msgspec.Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: float
    new_quantity: float


class BookEvent(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    product_id: str
    updates: list[Update]


class Trade(msgspec.Struct, gc=False):
    product_id: str
    trade_id: str
    price: float
    size: float
    side: Literal["BUY", "SELL"]
    time: str = ""


class TradeEvent(msgspec.Struct, gc=False):
    type: str
    trades: list[Trade]


class Ticker(msgspec.Struct, gc=False):
    """A market without bids or asks, and `ticker_batch`, leave the best ones empty."""

    product_id: str
    best_bid: str = ""
    best_bid_quantity: str = ""
    best_ask: str = ""
    best_ask_quantity: str = ""


class TickerEvent(msgspec.Struct, gc=False):
    tickers: list[Ticker]


class Candle(msgspec.Struct, gc=False):
    """Five minutes; `start` in seconds."""

    product_id: str
    start: int = 0
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    volume: float = 0.0

    @property
    def start_ns(self) -> int:
        return self.start * NS_PER_S


class CandleEvent(msgspec.Struct, gc=False):
    type: str
    candles: list[Candle]


class StatusEvent(msgspec.Struct, gc=False):
    products: list[Product]


class BeatEvent(msgspec.Struct, gc=False):
    heartbeat_counter: int


class Message(msgspec.Struct, gc=False, tag_field="channel"):
    sequence_num: int
    timestamp: str = ""


class BookMessage(Message, tag="l2_data"):
    events: list[BookEvent] = []


class TradeMessage(Message, tag="market_trades"):
    events: list[TradeEvent] = []


class TickerMessage(Message, tag="ticker"):
    events: list[TickerEvent] = []


class TickerBatchMessage(Message, tag="ticker_batch"):
    events: list[TickerEvent] = []


class CandleMessage(Message, tag="candles"):
    events: list[CandleEvent] = []


class StatusMessage(Message, tag="status"):
    events: list[StatusEvent] = []


class BeatMessage(Message, tag="heartbeats"):
    events: list[BeatEvent] = []


class Acknowledgement(Message, tag="subscriptions"):
    pass


class Envelope(msgspec.Struct, gc=False):
    """What is known of any message."""

    channel: str = ""
    type: str = ""
    sequence_num: int = -1
    message: str = ""
    reason: str = ""


KNOWN = (
    BookMessage, TradeMessage, TickerMessage, TickerBatchMessage, CandleMessage, StatusMessage, BeatMessage,
    Acknowledgement,
)  # fmt: skip
CHANNELS = frozenset(str(kind.__struct_config__.tag) for kind in KNOWN)
AnyMessage = (
    BookMessage | TradeMessage | TickerMessage | TickerBatchMessage | CandleMessage | StatusMessage | BeatMessage
    | Acknowledgement
)  # fmt: skip
message_of = msgspec.json.Decoder(AnyMessage, strict=False).decode
envelope_of = decoder(Envelope)


def levels_of(event: BookEvent, contract_size: float, most: Most) -> tuple[Rows, Rows]:
    """Bids and asks of an event, sizes in units of base; a size of zero removes its level."""
    bids: Rows = []
    asks: Rows = []
    price_most, size_most = most
    for update in event.updates:
        price, size = update.price_level, update.new_quantity * contract_size
        if not (0.0 < price <= price_most and 0.0 <= size <= size_most):  # a NaN compares false
            raise no_level(price, size, most)
        (bids if update.side == "bid" else asks).append((price, size))
    return bids, asks


def trade_id_of(text: str) -> int:
    """0 where the venue's id is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= ID_DIGITS else 0


def best_of(ticker: Ticker, contract_size: float, most: Most) -> tuple[Level, Level] | None:
    """Bid and ask; None where the ticker leaves one of them out."""
    texts = (ticker.best_bid, ticker.best_bid_quantity, ticker.best_ask, ticker.best_ask_quantity)
    if not all(texts):
        return None
    bid, bid_size, ask, ask_size = (msgspec.convert(text, float, strict=False) for text in texts)
    if 0.0 in (bid, bid_size, ask, ask_size):
        return None  # an empty side
    best = (bid, bid_size * contract_size), (ask, ask_size * contract_size)
    check_quote(*best, most)
    return best


def check_dated_candle(candle: Candle) -> None:
    check_candle(candle.open, candle.high, candle.low, candle.close, candle.volume)
    if not 0 < candle.start <= NS_MOST // NS_PER_S:
        raise BadMessage("a clock outside of its range")


def check_sequence(sequence: int) -> None:
    if not 0 <= sequence < IDENTITY_MOST:
        raise BadMessage("a sequence number outside of its range")
