"""Frames that every venue could send, in an order that makes its books LIVE: what the mutations begin with.

A venue's entry lists its kinds of instruments, symbols and frames; `answer` makes the body of a snapshot request.
Add recorded frames by reading them in place; here are only frames made by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from streamtrader.venues.venue import SnapshotRequest
from tests.venues import (
    alpaca_frames,
    bybit_frames,
    ccxt_frames,
    coinbase_exchange_frames,
    coinbase_frames,
    frames,
    okx_frames,
    test_kraken,
)
from tests.venues.streamed import STEPS


@dataclass(frozen=True)
class Seeds:
    """`symbols` are those of the frames, and one that no frame names."""

    symbols: Sequence[str]
    frames: Sequence[bytes]
    kind: str = ""
    answer: Callable[[SnapshotRequest], bytes] | None = None
    steps: tuple[Decimal, Decimal] = STEPS
    has_books: bool = True


def _kraken() -> Seeds:
    bids, asks = test_kraken.BIDS, test_kraken.ASKS
    changed = [("100.0", "9.00000000")]
    trade = (
        b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":100.1,"qty":40.0,'
        b'"ord_type":"market","trade_id":7,"timestamp":"2023-09-25T07:49:37.708706Z"}]}'
    )
    ticker = (
        b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":100.1,"bid_qty":740.0,"ask":100.2,'
        b'"ask_qty":740.0,"last":100.1,"volume":99.5,"timestamp":"2023-09-25T07:49:37.708706Z"}]}'
    )
    return Seeds(
        ("BTC/USD", "ETH/USD"),
        (
            b'{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2"}]}',
            b'{"method":"subscribe","result":{"channel":"book","depth":10,"symbol":"BTC/USD"},"success":true}',
            test_kraken.book("snapshot", bids, asks, test_kraken.crc_of(asks, bids)),
            test_kraken.book("update", changed, [], test_kraken.crc_of(asks, [bids[0], changed[0]])),
            trade,
            ticker,
            test_kraken.candle("2023-10-04T16:25:00.000000000Z", "101.0"),
            test_kraken.candle("2023-10-04T16:26:00.000000000Z", "102.0"),
            b'{"channel":"instrument","type":"update","data":{"pairs":[{"symbol":"BTC/USD","status":"online"}]}}',
            b'{"error":"Exceeded msg rate","method":"subscribe","success":false}',
            b'{"channel":"heartbeat"}',
        ),
        steps=test_kraken.BTC_STEPS,
    )


def _binance_spot() -> Seeds:
    return Seeds(
        ("BTCUSDT", "ETHUSDT"),
        (
            frames.spot_depth(11, 15, (("100.5", "1.0"), ("99.5", "0.0")), (("101.5", "2.0"),)),
            frames.spot_depth(16, 17, (("100.4", "1.0"),), (("101.6", "2.0"),)),
            frames.spot_aggregate(),
            frames.spot_trade(),
            frames.spot_quote(),
            frames.kline(frames.NOW_MS),
            frames.compact({"result": None, "id": 1}),
        ),
        "spot",
        lambda _request: frames.snapshot(10),
    )


def _binance_usdm() -> Seeds:
    return Seeds(
        ("BTCUSDT", "ETHUSDT"),
        (
            frames.usdm_depth(11, 15, 10, (("100.5", "1.0"),), (("101.5", "2.0"), ("102.5", "0.0"))),
            frames.of_today(frames.usdm_depth(16, 18, 15, (("100.4", "1.0"),))),
            frames.usdm_aggregate(is_new=False),
            frames.usdm_aggregate(2),
            frames.usdm_trade(),
            frames.of_today(frames.usdm_trade(2)),
            frames.usdm_quote(),
            frames.of_today(frames.usdm_quote(2)),
            frames.kline(frames.NOW_MS, is_closed=False),
            frames.kline(frames.NOW_MS),
            frames.mark(),
            frames.liquidation(),
            frames.usdm_partial(19, (("100.5", "1.0"),), (("101.5", "2.0"),)),
        ),
        "perpetual",
        lambda _request: frames.snapshot(10),
    )


def _binance_partial() -> Seeds:
    """Without the whole depth."""
    bids = (("100.5", "1.0"), ("100.4", "2.0"))
    return Seeds(
        ("BTCUSDT", "ETHUSDT"),
        (
            frames.spot_partial(12, bids, (("101.5", "2.0"),)),
            frames.spot_partial(13, bids[:1], (("101.5", "3.0"), ("101.6", "1.0"))),
            frames.usdm_partial(14, bids, (("101.5", "2.0"),)),
            frames.usdm_aggregate(),
        ),
        "spot",
        has_books=False,
    )


def _coinbase() -> Seeds:
    told = coinbase_frames
    best = {"best_bid": "100.10", "best_bid_quantity": "1.5", "best_ask": "100.20", "best_ask_quantity": "3.0"}
    ticker = {"type": "ticker", "product_id": "BTC-USD", "price": "100.1"} | best
    product = {"product_type": "SPOT", "id": "BTC-USD", "status": "online", "status_message": ""}
    frames_told = (
        told.message("subscriptions", 0, {"subscriptions": {"level2": ["BTC-USD"]}}),
        told.book(1, "snapshot", told.BIDS, told.ASKS),
        told.book(2, "update", [("100.10", "9.0"), ("100.00", "0")], [("100.30", "1.0")]),
        told.trades(3, told.trade("7"), told.trade("6", "SELL"), kind="snapshot"),
        told.trades(4, told.trade("9", "SELL"), told.trade("8"), told.trade("0b7c-4e")),
        told.message("ticker", 5, {"type": "update", "tickers": [ticker]}),
        told.candle(6, (told.START, "101"), kind="snapshot"),
        told.candle(7, (told.START + 300, "102"), (told.START, "101")),
        told.message("status", 8, {"type": "snapshot", "products": [product]}),
        told.beat(9, 42),
        b'{"type":"error","message":"rate limit exceeded"}',
        told.book(10, "snapshot", told.BIDS, told.ASKS),
    )
    return Seeds(("BTC-USD", "ETH-USD"), frames_told, "spot")


def _coinbase_exchange() -> Seeds:
    told = coinbase_exchange_frames
    return Seeds(
        ("SKL-USD", "SKL-GBP"),
        (
            told.subscribed("level2", "matches"),
            told.snapshot(),
            told.changes(("buy", "0.7901", "0.0"), ("sell", "0.7905", "7.5")),
            told.match(7, kind="last_match"),
            told.match(8, "buy"),
            told.ticker("0.7900", "0.7905", best_bid_size="20.0", best_ask_size="7.5"),
            told.heartbeat(90, 8),
            b'{"type":"status","products":[{"id":"SKL-USD","status":"online","cancel_only":false,"post_only":true}]}',
            b'{"type":"error","message":"Failed to subscribe","reason":"level2 needs a key"}',
            told.snapshot(),
        ),
    )


def _okx() -> list[Seeds]:
    return [
        Seeds((okx_frames.SPOT, "ETH-USDT"), okx_frames.of_spot(), "spot"),
        Seeds((okx_frames.SWAP, "ETH-USDT-SWAP"), okx_frames.of_swap(), "perpetual"),
    ]


def _bybit() -> list[Seeds]:
    return [
        Seeds((bybit_frames.BTC, "ETHUSDT"), bybit_frames.of_spot(), "spot"),
        Seeds((bybit_frames.BTC, "ETHUSDT"), bybit_frames.of_linear(), "perpetual"),
    ]


def _alpaca() -> list[Seeds]:
    """Stocks and crypto, each in both encodings."""
    seeds = []
    for encode in (alpaca_frames.text, alpaca_frames.binary):
        stocks = tuple(encode(*array) for array in alpaca_frames.STOCK_ARRAYS)
        crypto = tuple(encode(*array) for array in alpaca_frames.CRYPTO_ARRAYS)
        seeds += [Seeds(("AAPL", "MSFT"), stocks), Seeds(("BTC/USD", "ETH/USD"), crypto)]
    return seeds


# By the name in the registry; every registered venue must be here.
SEEDS: dict[str, list[Seeds]] = {
    "alpaca": _alpaca(),
    "binance": [_binance_spot(), _binance_usdm(), _binance_partial()],
    "coinbase": [_coinbase()],
    "coinbase-exchange": [_coinbase_exchange()],
    "bybit": _bybit(),
    "ccxt": [Seeds((ccxt_frames.SYMBOL, "ETH/USDT"), ccxt_frames.seed_frames(), steps=ccxt_frames.STEPS)],
    "kraken": [_kraken()],
    "okx": _okx(),
}
