"""Frames as Bybit sends them, made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence

BTC = "BTCUSDT"
NOW_MS = 1_700_000_000_000
BIDS = (("100.10", "1.5"), ("100.00", "0.02"))
ASKS = (("100.20", "3"), ("100.40", "0.1"))
UUID = "a9188a0a-82bc-50de-be60-03eedbe3cdd7"
Levels = Sequence[tuple[str, str]]


def compact(document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def message(topic: str, kind: str, data, **more) -> bytes:
    return compact({"topic": topic, "type": kind, "ts": NOW_MS, "data": data, **more})


def book(kind: str, update: int, bids: Levels = (), asks: Levels = (), symbol: str = BTC, depth: int = 50) -> bytes:
    data = {"s": symbol, "b": list(bids), "a": list(asks), "u": update, "seq": 7 * update}
    return message(f"orderbook.{depth}.{symbol}", kind, data, cts=NOW_MS - 2)


def snapshot(update: int = 10, symbol: str = BTC, depth: int = 50) -> bytes:
    return book("snapshot", update, BIDS, ASKS, symbol, depth)


def delta(update: int, bids: Levels = (("100.00", "9"),), asks: Levels = (), symbol: str = BTC) -> bytes:
    return book("delta", update, bids, asks, symbol)


def best(kind: str, update: int, bids: Levels = (), asks: Levels = (), symbol: str = BTC) -> bytes:
    return book(kind, update, bids, asks, symbol, depth=1)


def trade(identity: str = UUID, side: str = "Sell", symbol: str = BTC) -> bytes:
    row = {"T": NOW_MS - 1, "s": symbol, "S": side, "v": "0.004", "p": "100.10", "L": "MinusTick", "i": identity}
    return message(f"publicTrade.{symbol}", "snapshot", [row | {"BT": False, "seq": 753843954913}])


def ticker(kind: str = "snapshot", symbol: str = BTC, **fields: str) -> bytes:
    data = {"symbol": symbol, "lastPrice": "100.10", **fields}
    return compact({"topic": f"tickers.{symbol}", "type": kind, "data": data, "cs": 24987956059, "ts": NOW_MS})


def linear_ticker(symbol: str = BTC) -> bytes:
    return ticker(
        symbol=symbol, markPrice="100.12", indexPrice="100.15", fundingRate="-0.0001",
        nextFundingTime=str(NOW_MS + 60_000), bid1Price="100.10", bid1Size="5.9", ask1Price="100.20", ask1Size="10",
    )  # fmt: skip


def candle(start_ms: int = NOW_MS, symbol: str = BTC, interval: str = "1", *, confirm: bool = True) -> bytes:
    row = {
        "start": start_ms, "end": start_ms + 59_999, "interval": interval, "open": "100", "close": "101",
        "high": "110.5", "low": "90", "volume": "12.5", "turnover": "1250", "confirm": confirm,
    }  # fmt: skip
    return message(f"kline.{interval}.{symbol}", "snapshot", [row])


def liquidation(side: str = "Buy", symbol: str = BTC) -> bytes:
    row = {"T": NOW_MS, "s": symbol, "S": side, "v": "20", "p": "99.5"}
    return message(f"allLiquidation.{symbol}", "snapshot", [row])


def old_liquidation(side: str = "Buy", symbol: str = BTC) -> bytes:
    data = {"updatedTime": NOW_MS, "symbol": symbol, "side": side, "size": "20", "price": "99.5"}
    return message(f"liquidation.{symbol}", "snapshot", data)


def answer(op: str = "subscribe", told: str = "", *, success: bool = True) -> bytes:
    return compact({"success": success, "ret_msg": told, "conn_id": "cejreaspqfm9se7usbrg-2xh", "op": op})


def of_spot() -> list[bytes]:
    """All that the spot address sends for one instrument, in a possible order."""
    return [
        answer(),
        snapshot(10),
        delta(11, [("100.00", "9")], [("100.40", "0")]),
        book("snapshot", 1, BIDS, ASKS),
        delta(2),
        best("snapshot", 5, BIDS[:1], ASKS[:1]),
        best("delta", 6, [("100.10", "0"), ("100.00", "3")]),
        trade("2290000001189048101", "Buy"),
        ticker(usdIndexPrice="100.09"),
        candle(confirm=False),
        candle(),
        answer("ping", "pong"),
        answer(told="Invalid topic", success=False),
    ]


def of_linear() -> list[bytes]:
    """The same of the address of linear contracts."""
    return [
        snapshot(10),
        delta(11),
        trade(),
        linear_ticker(),
        ticker("delta", bid1Price="100.11", bid1Size="6.0"),
        ticker("delta", markPrice="100.13"),
        liquidation(),
        old_liquidation("Sell"),
        compact({"op": "pong", "args": ["1700000000000"]}),
    ]
