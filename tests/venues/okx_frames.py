"""Frames as OKX sends them, made by hand."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

SPOT, SWAP = "BTC-USDT", "BTC-USDT-SWAP"
NOW_MS = 1_700_000_000_000
BIDS = (("100.1", "1.5"), ("100", "0.02"))
ASKS = (("100.2", "3"), ("100.4", "0.1"))
Levels = Sequence[tuple[str, str]]


def compact(document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def data(channel: str, rows: list, symbol: str = SPOT, **more) -> bytes:
    return compact({"arg": {"channel": channel, "instId": symbol}, **more, "data": rows})


def crc_of(bids: Levels, asks: Levels) -> int:
    """Written without the code under test: bid, ask, bid, ask, as long as there are any of 25."""
    words = []
    for index in range(25):
        for side in (bids, asks):
            words += side[index : index + 1]
    checksum = zlib.crc32(":".join(f"{price}:{size}" for price, size in words).encode())
    return checksum - 2**32 if checksum >= 2**31 else checksum


def book(action: str, bids: Levels, asks: Levels, symbol: str = SPOT, **fields) -> bytes:
    """`fields` are checksum, prevSeqId, seqId."""
    sides = {name: [[*level, "0", "1"] for level in levels] for name, levels in (("asks", asks), ("bids", bids))}
    return data("books", [{**sides, "ts": str(NOW_MS), **fields}], symbol, action=action)


def snapshot(sequence: int = 10, symbol: str = SPOT) -> bytes:
    """As the venue sends it since it computes no checksums any more."""
    return book("snapshot", BIDS, ASKS, symbol, checksum=0, prevSeqId=-1, seqId=sequence)


def update(previous: int, sequence: int, bids: Levels = (), asks: Levels = (), symbol: str = SPOT) -> bytes:
    return book("update", bids, asks, symbol, checksum=0, prevSeqId=previous, seqId=sequence)


def checked_snapshot(symbol: str = SPOT) -> bytes:
    """As the venue sent it before it numbered its messages."""
    return book("snapshot", BIDS, ASKS, symbol, checksum=crc_of(BIDS, ASKS))


def checked_update(symbol: str = SPOT, size: str = "9") -> bytes:
    """The second bid becomes 9."""
    return book("update", [("100", size)], [], symbol, checksum=crc_of([BIDS[0], ("100", "9")], ASKS))


def best(channel: str = "bbo-tbt", bid: str = "100.1", symbol: str = SPOT, sequence: int = 11) -> bytes:
    sides = {"asks": [["100.2", "3", "0", "1"]], "bids": [[bid, "2", "0", "1"]]}
    return data(channel, [{**sides, "ts": str(NOW_MS), "seqId": sequence}], symbol)


def ticker(bid: str = "100.1", symbol: str = SPOT) -> bytes:
    prices = {"last": "100.1", "askPx": "100.2", "askSz": "11", "bidPx": bid, "bidSz": "5", "open24h": ""}
    return data("tickers", [{"instType": "SPOT", "instId": symbol, **prices, "ts": str(NOW_MS)}], symbol)


def trade(symbol: str = SPOT, size: str = "0.5", side: str = "sell") -> bytes:
    row = {"instId": symbol, "tradeId": "130639474", "px": "100.1", "sz": size, "side": side, "ts": str(NOW_MS)}
    return data("trades", [row | {"count": "3"}], symbol)


def candle(start_ms: int = NOW_MS, confirm: str = "1", symbol: str = SPOT, channel: str = "candle1m") -> bytes:
    row = [str(start_ms), "100", "110.5", "90", "101", "12.5", "1250", "1250", confirm]
    return data(channel, [row], symbol)


def mark(price: str = "100.3", symbol: str = SWAP) -> bytes:
    row = {"instType": "SWAP", "instId": symbol, "markPx": price, "ts": str(NOW_MS)}
    return data("mark-price", [row], symbol)


def funding(due_ms: int, state: str = "settled", rate: str = "0.0002", symbol: str = SWAP) -> bytes:
    row = {
        "instId": symbol, "fundingRate": rate, "fundingTime": str(due_ms), "nextFundingRate": "",
        "settFundingRate": "0.0001", "settState": state, "ts": str(NOW_MS),
    }  # fmt: skip
    return data("funding-rate", [row], symbol)


def liquidation(*symbols: str) -> bytes:
    detail = {
        "bkLoss": "0",
        "bkPx": "99.5",
        "ccy": "",
        "posSide": "long",
        "side": "sell",
        "sz": "13",
        "ts": str(NOW_MS),
    }
    rows = [{"details": [detail], "instFamily": "", "instId": symbol, "instType": "SWAP"} for symbol in symbols]
    return compact({"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": rows})


def maintenance(state: str, service: str = "5", environment: str = "1") -> bytes:
    row = {"begin": "1", "end": "2", "state": state, "serviceType": service, "env": environment, "title": "x"}
    return compact({"arg": {"channel": "status"}, "data": [row]})


def rules(**states: str) -> bytes:
    rows = [{"instId": symbol.replace("_", "-"), "state": state} for symbol, state in states.items()]
    return compact({"arg": {"channel": "instruments", "instType": "SPOT"}, "data": rows})


def event(name: str, **fields: str) -> bytes:
    return compact({"event": name, **fields, "connId": "a4d3ae55"})


def of_spot() -> list[bytes]:
    """All that the public address sends for one spot instrument, in a possible order."""
    return [
        event("subscribe"),
        snapshot(10),
        update(10, 13, [("100", "9")], [("100.4", "0")]),
        update(13, 13),
        update(13, 3, [("99.9", "1")]),
        best(),
        best("books5"),
        ticker(),
        trade(),
        candle(),
        maintenance("ongoing"),
        rules(BTC_USDT="live"),
        event("error", code="60012", msg="Invalid request"),
        event(
            "notice", code="64008", msg="The connection will soon be closed for a service upgrade. Please reconnect."
        ),
        b"pong",
    ]


def of_swap() -> list[bytes]:
    """The same of a perpetual, from the time of checksums."""
    return [
        checked_snapshot(SWAP),
        checked_update(SWAP),
        ticker(symbol=SWAP),
        trade(SWAP, "7", "buy"),
        mark(),
        funding(NOW_MS),
        funding(NOW_MS + 28_800_000),
        liquidation(SWAP, "IOST-USDT-SWAP"),
        event("unsubscribe"),
    ]
