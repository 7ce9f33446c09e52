"""Where Coinbase Exchange is reached, what it publishes about its limits and its products.

* Connections: 8 a second for one address, 20 in a burst; messages: 100 a second for one address, and a newer page
  counts them among those 8 (https://docs.cdp.coinbase.com/exchange/websocket-feed/rate-limits): we keep to 8.
* Ten subscriptions of one product on one channel for an account, so one connection may have it all.
* `level2` needs a key (https://docs.cdp.coinbase.com/exchange/websocket-feed/authentication), `level2_batch` none: it
  gathers 50 ms. No age of a connection is published; one that subscribes to nothing is closed after 5 seconds.
* Public REST requests: 10 a second. Products are written `BTC-USD`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

import msgspec

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.instruments import Instrument
from streamtrader.venues.listing import chosen
from streamtrader.venues.values import decoder
from streamtrader.venues.venue import Endpoints, Limits

BOOK, BOOK_BATCH = "level2", "level2_batch"
MATCHES, TICKER, HEARTBEAT, STATUS = "matches", "ticker", "heartbeat", "status"
BOOKS = (BOOK, BOOK_BATCH)
CHANNELS = (HEARTBEAT, BOOK_BATCH, MATCHES, TICKER)
OTHER_CHANNELS = (MATCHES, TICKER, HEARTBEAT, STATUS)
ENDPOINTS = (Endpoints("wss://ws-feed.exchange.coinbase.com", "https://api.exchange.coinbase.com"),)
LIMITS = Limits(
    streams=2_000,
    messages_per_s=8.0,
    connections=8,
    connections_window_s=1.0,
    weight_per_minute=300,
    silence_s=10.0,  # each product's heartbeat is due every second
    frame_bytes_most=16 << 20,  # the snapshot of a book has every level there is, at about 100 bytes each
)
SILENCE_S = {BOOK: 60.0, BOOK_BATCH: 60.0}
MAKER_FEE_BPS, TAKER_FEE_BPS = 40.0, 60.0  # of the lowest tier


class _Product(msgspec.Struct, gc=False):
    id: str
    base_currency: str
    quote_currency: str
    base_increment: str
    quote_increment: str
    min_market_funds: str = "0"


_products_of = decoder(list[_Product])
_product_of = decoder(_Product)


def instruments_path(symbols: Sequence[str]) -> str:
    """The REST request for the rules of one product, or of all."""
    return f"/products/{quote(symbols[0])}" if len(symbols) == 1 else "/products"


def instruments_of(body: bytes, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    """The instruments of a products answer, in the order in which they were asked for."""
    products = _products_of(body) if body.lstrip().startswith(b"[") else [_product_of(body)]
    listed = {product.id: product for product in products}
    wanted = chosen(listed, symbols, "coinbase-exchange", "its products are written BTC-USD")
    return tuple(_instrument(product) for product in wanted)


def _instrument(product: _Product) -> Instrument:
    try:
        return Instrument(
            venue="coinbase-exchange",
            symbol=product.id,
            base=product.base_currency,
            quote=product.quote_currency,
            price_tick=Decimal(product.quote_increment).normalize(),
            size_lot=Decimal(product.base_increment).normalize(),
            minimum_notional=Decimal(product.min_market_funds),
            maker_fee_bps=MAKER_FEE_BPS,
            taker_fee_bps=TAKER_FEE_BPS,
        )
    except (InvalidOperation, ConfigError, ValueError) as error:
        raise BadMessage(f"the rules of {product.id[:40]} cannot be read: {error!r}") from error
