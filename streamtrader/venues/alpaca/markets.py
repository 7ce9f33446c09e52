"""Where Alpaca is reached, what it publishes about its limits and its assets.

* A feed is the path of the stream (`STOCK_FEEDS`, `CRYPTO_FEEDS`). `iex` is one exchange and free; `sip` is the
  consolidated tape of all of them and needs a subscription, as `delayed_sip`, 15 minutes late, does not everywhere;
  `boats` and `overnight` are the night; `test` never sleeps (symbol FAKEPACA). Crypto is traded at Alpaca itself (`us`)
  or at Kraken (`us-1`, `eu-1`).
* One connection at a time for each of these in most plans (else error 406); 30 symbols without a subscription (405);
  ten seconds to log in (404). Nothing is published about messages and attempts: five a second, and thirty a minute.
* No heartbeat: we ask for what we have already, and the answer is the sign of life.
* REST: 200 requests a minute for one key, 10,000 with a subscription; the header `X-RateLimit-Reset` tells the rest.
* Stocks trade in shares and are quoted in cents above one dollar (Regulation NMS, rule 612); orders cost nothing here.
  Crypto has its own increments in the list of assets, and fees of 15 and 25 bp in the lowest tier.
* Quoted sizes of stocks were round lots of 100 shares until the consolidated tape changed to shares on 2025-11-03
  ("round lots prior to November 3, 2025", the schema of `StockQuote`); events carry shares throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

import msgspec

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.events import TradingStatus
from streamtrader.instruments import Instrument
from streamtrader.units import NS_PER_S
from streamtrader.venues.listing import chosen
from streamtrader.venues.values import decoder
from streamtrader.venues.venue import Endpoints, Limits

TRADES, QUOTES, BARS, UPDATED_BARS, DAILY_BARS = "trades", "quotes", "bars", "updatedBars", "dailyBars"
STATUSES, BANDS, IMBALANCES, BOOKS = "statuses", "lulds", "imbalances", "orderbooks"
STOCK_CHANNELS = (TRADES, QUOTES, STATUSES, BARS, UPDATED_BARS, DAILY_BARS, BANDS, IMBALANCES)
CRYPTO_CHANNELS = (TRADES, QUOTES, BOOKS, BARS, UPDATED_BARS, DAILY_BARS)
CHANNELS = (TRADES, QUOTES, STATUSES, BOOKS)  # of a session; bars would come beside the candles that we make
ALL_CHANNELS = tuple(dict.fromkeys((*STOCK_CHANNELS, *CRYPTO_CHANNELS)))
ADDED_CHANNELS = (STATUSES, UPDATED_BARS, DAILY_BARS, BANDS, IMBALANCES)  # that not every feed has
STOCK_FEEDS = {  # the usual one first
    "iex": "/v2/iex", "sip": "/v2/sip", "delayed_sip": "/v2/delayed_sip", "boats": "/v1beta1/boats",
    "overnight": "/v1beta1/overnight", "test": "/v2/test",
}  # fmt: skip
CRYPTO_FEEDS = {place: f"/v1beta3/crypto/{place}" for place in ("us", "us-1", "eu-1")}
STREAM_URL = "wss://stream.data.alpaca.markets"
ENDPOINTS = (  # the same data; keys of a paper account may ask only its own address for assets
    Endpoints(STREAM_URL, "https://api.alpaca.markets"),
    Endpoints(STREAM_URL, "https://paper-api.alpaca.markets"),
)
DATA_URL = "https://data.alpaca.markets"
LIMITS = Limits(
    streams=100_000,  # the plan's own limit is the venue's to tell
    messages_per_s=5.0,
    connections=30,
    connections_window_s=60.0,
    rotate_after_s=30 * 86_400.0,  # no cut-off is published
    weight_per_minute=100,
    silence_s=60.0,
)
ASK_EVERY_S = 20.0
SILENCE_S = {BOOKS: 120.0}
# Quotes count as shares from this moment on: the first session of the new rule, 2025-11-03 04:00 in New York.
SHARES_SINCE_NS = 1_762_160_400 * NS_PER_S
ROUND_LOT = 100.0
# The CTA's 5 to 9 and A to F are indications, imbalances and restrictions: trading goes on, or stays halted.
HALTS = {
    "2": TradingStatus.HALTED,
    "3": TradingStatus.TRADING,
    "H": TradingStatus.HALTED,
    "P": TradingStatus.HALTED,  # a volatility pause
    "Q": TradingStatus.AUCTION,  # quotes are taken, trading has not resumed
    "T": TradingStatus.TRADING,
}
INDICATIONS = frozenset("56789ACDEF")
STOCK_FEES_BPS, CRYPTO_FEES_BPS = (0.0, 0.0), (15.0, 25.0)
CENT, SHARE = Decimal("0.01"), Decimal(1)
LOT_DIGITS = 10


class _Asset(msgspec.Struct, gc=False):
    symbol: str
    asset_class: str = msgspec.field(name="class")
    min_trade_increment: str | None = None
    min_order_size: str | None = None
    price_increment: str | None = None


class _Refusal(msgspec.Struct, gc=False):
    message: str


_assets_of = decoder(list[_Asset])
_asset_of = decoder(_Asset)
_refusal_of = decoder(_Refusal)


def is_crypto(symbol: str) -> bool:
    """Pairs of currencies are written `BTC/USD`; a stock has no slash."""
    return "/" in symbol


def feeds_of(*, is_crypto: bool) -> dict[str, str]:
    """The paths of the feeds of a class."""
    return CRYPTO_FEEDS if is_crypto else STOCK_FEEDS


def channels_of(*, is_crypto: bool) -> tuple[str, ...]:
    return CRYPTO_CHANNELS if is_crypto else STOCK_CHANNELS


def instruments_path(symbols: Sequence[str]) -> str:
    """The REST request for the rules of one symbol, or else of all that are traded of its class."""
    if len(symbols) == 1:
        return f"/v2/assets/{quote(symbols[0], safe='')}"
    classes = {"crypto" if is_crypto(symbol) else "us_equity" for symbol in symbols}
    return "/v2/assets?status=active" + (f"&asset_class={classes.pop()}" if len(classes) == 1 else "")


def instruments_of(body: bytes, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    """The instruments of an answer about assets, in the order in which they were asked for."""
    if body.lstrip()[:1] == b"[":
        assets = _assets_of(body)
    elif b'"symbol"' in body:
        assets = [_asset_of(body)]
    else:
        raise ConfigError(
            f"alpaca does not tell the rules of {', '.join(symbols)}: {_refusal_of(body).message[:200]}"
        )
    listed = {asset.symbol: asset for asset in assets}
    wanted = chosen(listed, symbols, "alpaca", "stocks are written AAPL, crypto BTC/USD")
    return tuple(_instrument(asset) for asset in wanted)


def _instrument(asset: _Asset) -> Instrument:
    is_coin = asset.asset_class == "crypto"
    try:
        tick = Decimal(asset.price_increment) if is_coin and asset.price_increment else CENT
        lot = Decimal(asset.min_trade_increment) if is_coin and asset.min_trade_increment else SHARE
        if is_coin and asset.min_order_size:
            lot = lot_of(lot, Decimal(asset.min_order_size))
        return instrument_of(asset.symbol, tick.normalize(), lot.normalize())
    except (InvalidOperation, ConfigError, ValueError) as error:
        raise BadMessage(f"the rules of {asset.symbol[:40]} cannot be read: {error!r}") from error


def lot_of(step: Decimal, smallest_order: Decimal) -> Decimal:
    """The venue's step of a coin's sizes, but no finer than ten digits behind the first of its smallest order.

    The venue has billionths of every coin, which is next to nothing of those that are themselves worth next to nothing, and
    more lots than can be counted in one level of their books.

    >>> lot_of(Decimal("1E-9"), Decimal("78740.157")), lot_of(Decimal("1E-9"), Decimal("0.00002"))
    (Decimal('0.000001'), Decimal('1E-9'))
    """
    return max(step, Decimal(1).scaleb(smallest_order.adjusted() - LOT_DIGITS))


def instrument_of(symbol: str, price_tick: Decimal = CENT, size_lot: Decimal = SHARE) -> Instrument:
    """A symbol with its steps, and the fees of its class."""
    base, _, quoted = symbol.partition("/")
    fees_bps = CRYPTO_FEES_BPS if is_crypto(symbol) else STOCK_FEES_BPS
    return Instrument(
        venue="alpaca",
        symbol=symbol,
        base=base,
        quote=quoted or "USD",
        price_tick=price_tick,
        size_lot=size_lot,
        maker_fee_bps=fees_bps[0],
        taker_fee_bps=fees_bps[1],
    )
