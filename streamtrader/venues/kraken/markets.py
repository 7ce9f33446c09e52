"""Where Kraken is reached, what it publishes about its limits and its pairs.

* `wss://ws.kraken.com/v2` needs no key for market data; a heartbeat comes about once a second while anything is
  subscribed; connections: about 150 within ten minutes for one address (Cloudflare), then a ban of ten minutes.
* The limit of messages depends on load and is not published ("Exceeded msg rate" is the answer): five a second.
* The book has 10, 25, 100, 500 or 1,000 levels a side, and a CRC32 over the best ten in every message.
* Pairs are written `BTC/USD`; the REST answer still writes XBT and XDG in `wsname`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

import msgspec

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.events import TradingStatus
from streamtrader.instruments import Filters, Instrument
from streamtrader.units import decimal_of_places
from streamtrader.venues.listing import chosen
from streamtrader.venues.values import decoder
from streamtrader.venues.venue import Endpoints, Limits

BOOK, TRADE, TICKER, CANDLE, INSTRUMENT = "book", "trade", "ticker", "ohlc", "instrument"
CHANNELS = (BOOK, TRADE, TICKER)
DEPTHS = (10, 25, 100, 500, 1000)
AS_TOLD = 0  # a depth that is learnt from the acknowledgement, or else from the snapshot
CANDLE_MINUTES = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
MAKER_FEE_BPS, TAKER_FEE_BPS = 25.0, 40.0  # of the lowest tier
ENDPOINTS = (Endpoints("wss://ws.kraken.com", "https://api.kraken.com"),)
LIMITS = Limits(
    streams=2_000,
    messages_per_s=5.0,
    connections=150,
    connections_window_s=600.0,
    silence_s=10.0,  # a heartbeat is due every second
)
SILENCE_S = {BOOK: 60.0}
# "No order matching will occur" in cancel_only and post_only; post_only precedes the opening.
STATUSES = {
    "online": TradingStatus.TRADING,
    "limit_only": TradingStatus.TRADING,
    "reduce_only": TradingStatus.TRADING,
    "post_only": TradingStatus.AUCTION,
    "cancel_only": TradingStatus.HALTED,
    "maintenance": TradingStatus.HALTED,
    "work_in_progress": TradingStatus.HALTED,
    "delisted": TradingStatus.CLOSED,
}
OLD_NAMES = {"XBT": "BTC", "XDG": "DOGE"}


class _Pair(msgspec.Struct, gc=False):
    wsname: str = ""
    pair_decimals: int = 0
    lot_decimals: int = 0
    tick_size: str = ""
    costmin: str = "0"
    ordermin: str = "0"
    fees: list[tuple[float, float]] = []
    fees_maker: list[tuple[float, float]] = []


class _AssetPairs(msgspec.Struct, gc=False):
    error: list[str] = []
    result: dict[str, _Pair] = {}


_asset_pairs_of = decoder(_AssetPairs)


def instruments_path(symbols: Sequence[str]) -> str:
    """The REST request for the rules of some pairs; of all where none is named."""
    return "/0/public/AssetPairs" + (f"?pair={quote(','.join(symbols))}" if symbols else "")


def instruments_of(body: bytes, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    """The instruments of an AssetPairs answer, in the order in which they were asked for."""
    answer = _asset_pairs_of(body)
    if answer.error:
        raise BadMessage(f"kraken: {', '.join(answer.error)[:200]}")
    listed = {symbol_of(pair.wsname): pair for pair in answer.result.values()}
    wanted = chosen(listed, symbols, "kraken", "its pairs are written BTC/USD")
    return tuple(_instrument(pair) for pair in wanted)


def symbol_of(wsname: str) -> str:
    """`XBT/USD` is `BTC/USD` on the websocket v2."""
    return "/".join(OLD_NAMES.get(part, part) for part in wsname.split("/"))


def _instrument(pair: _Pair) -> Instrument:
    symbol = symbol_of(pair.wsname)
    base, _, quoted = symbol.partition("/")
    try:
        tick = Decimal(pair.tick_size) if pair.tick_size else decimal_of_places(pair.pair_decimals)
        return Instrument(
            venue="kraken",
            symbol=symbol,
            base=base,
            quote=quoted,
            price_tick=tick.normalize(),
            size_lot=decimal_of_places(pair.lot_decimals),
            minimum_notional=Decimal(pair.costmin),
            maker_fee_bps=pair.fees_maker[0][1] * 100.0 if pair.fees_maker else MAKER_FEE_BPS,
            taker_fee_bps=pair.fees[0][1] * 100.0 if pair.fees else TAKER_FEE_BPS,
            filters=Filters(minimum_size=Decimal(pair.ordermin)),
        )
    except (InvalidOperation, ConfigError, ValueError) as error:
        raise BadMessage(f"the rules of {symbol} cannot be read: {error!r}") from error
