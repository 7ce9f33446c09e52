"""Where Advanced Trade is reached, what it publishes about its limits and its products.

* Connections and unauthenticated messages: 8 a second each for one address
  (https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-rate-limits). No number of
  subscriptions and no age of a connection is published. Public REST requests: 10 a second.
* Market data needs no key. A connection that subscribes to nothing is closed after 5 seconds, and "most channels
  close within 60-90 seconds if no updates are sent": the heartbeats, one a second, keep them open.
* A product against USDC is the same book as the one against USD, and messages name the latter, but for USDT-USDC
  and EURC-USDC (https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels).
* Futures count contracts: BIP-20DEC30-CDE is worth 0.01 bitcoin.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode

import msgspec

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.instruments import Filters, Instrument
from streamtrader.venues.listing import chosen
from streamtrader.venues.values import decoder
from streamtrader.venues.venue import Endpoints, Limits

BOOK, TRADE, TICKER, TICKER_BATCH = "level2", "market_trades", "ticker", "ticker_batch"
CANDLE, STATUS, HEARTBEAT = "candles", "status", "heartbeats"
CHANNELS = (HEARTBEAT, BOOK, TRADE, TICKER)
ALL_CHANNELS = (*CHANNELS, TICKER_BATCH, CANDLE, STATUS)
KINDS = ("spot", "perpetual", "future")
ENDPOINTS = (Endpoints("wss://advanced-trade-ws.coinbase.com", "https://api.coinbase.com"),)
LIMITS = Limits(
    streams=2_000,
    messages_per_s=8.0,
    connections=8,
    connections_window_s=1.0,
    weight_per_minute=300,
    silence_s=10.0,  # a heartbeat is due every second
    frame_bytes_most=16 << 20,  # the snapshot of a book has every level there is, at about 100 bytes each
)
SILENCE_S = {BOOK: 60.0}
CANDLE_MINUTES = 5
FEES_BPS = {"spot": (60.0, 120.0)}  # maker, taker; those of futures depend on the contract
OTHER_FEES_BPS = (10.0, 10.0)
OWN_BOOKS = ("USDT-USDC", "EURC-USDC")


class _Perpetual(msgspec.Struct, gc=False):
    funding_rate: str = ""


class _Future(msgspec.Struct, gc=False):
    contract_size: str = ""
    contract_root_unit: str = ""
    contract_expiry_type: str = ""
    funding_rate: str | None = None
    perpetual_details: _Perpetual | None = None


class _Product(msgspec.Struct, gc=False):
    product_id: str
    product_type: str = "SPOT"
    base_currency_id: str = ""
    quote_currency_id: str = ""
    base_increment: str = ""
    quote_increment: str = ""
    price_increment: str = ""
    quote_min_size: str = "0"
    quote_max_size: str = "0"
    base_min_size: str = "0"
    base_max_size: str = "0"
    future_product_details: _Future | None = None

    @property
    def kind(self) -> str:
        """The venue calls its perpetuals EXPIRING too: what only they have is a rate of funding."""
        future = self.future_product_details
        if self.product_type == "SPOT" or future is None:
            return "spot"
        rates = (future.funding_rate, future.perpetual_details.funding_rate if future.perpetual_details else "")
        return "perpetual" if future.contract_expiry_type == "PERPETUAL" or any(rates) else "future"


class _Products(msgspec.Struct, gc=False):
    products: list[_Product]


_products_of = decoder(_Products)


def instruments_path(kind: str, symbols: Sequence[str]) -> str:
    """The REST request for the rules of some products; of all of a kind where none is named."""
    query = [("product_type", "SPOT" if kind == "spot" else "FUTURE")]
    return "/api/v3/brokerage/market/products?" + urlencode(query + [("product_ids", symbol) for symbol in symbols])


def instruments_of(body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    """The instruments of a products answer, in the order in which they were asked for."""
    listed = {product.product_id: product for product in _products_of(body).products}
    wanted = chosen(listed, symbols, "coinbase", "its products are written BTC-USD")
    return tuple(_instrument(product) for product in wanted if symbols or product.kind == kind)


def kind_of_symbol(symbol: str) -> str:
    """`BTC-USD` is spot, `BTC-PERP-INTX` a perpetual, `BIT-24APR26-CDE` a future."""
    parts = symbol.split("-")
    return "spot" if len(parts) < 3 else "perpetual" if parts[1] == "PERP" else "future"


def aliases_of(symbols: Iterable[str]) -> dict[str, str]:
    """The names under which messages of some products come, where it is not their own: `BTC-USD` for `BTC-USDC`."""
    own = set(symbols)
    other = {
        symbol.removesuffix("C"): symbol for symbol in own if symbol.endswith("-USDC") and symbol not in OWN_BOOKS
    }
    return {name: symbol for name, symbol in other.items() if name not in own}


def _instrument(product: _Product) -> Instrument:
    future, kind = product.future_product_details, product.kind
    maker_fee_bps, taker_fee_bps = FEES_BPS.get(kind, OTHER_FEES_BPS)
    try:
        contract_size = Decimal(future.contract_size or 1) if future is not None else Decimal(1)
        return Instrument(
            venue="coinbase",
            symbol=product.product_id,
            base=product.base_currency_id or (future.contract_root_unit if future is not None else ""),
            quote=product.quote_currency_id,
            price_tick=Decimal(product.price_increment or product.quote_increment).normalize(),
            size_lot=(Decimal(product.base_increment) * contract_size).normalize(),
            minimum_notional=Decimal(product.quote_min_size),
            maker_fee_bps=maker_fee_bps,
            taker_fee_bps=taker_fee_bps,
            kind=kind,
            contract_size=contract_size.normalize(),
            filters=Filters(
                minimum_size=Decimal(product.base_min_size or 0) * contract_size,
                maximum_size=Decimal(product.base_max_size or 0) * contract_size,
                maximum_notional=Decimal(product.quote_max_size or 0),
            ),
        )
    except (InvalidOperation, ConfigError, ValueError) as error:
        raise BadMessage(f"the rules of {product.product_id[:40]} cannot be read: {error!r}") from error
