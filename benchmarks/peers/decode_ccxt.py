"""ccxt.pro's own handlers on recorded frames, from text to its unified structures: `.peers/ccxt` runs it.

As its client does it: `orjson.loads`, then the exchange's `handle_message`. Nobody waits for the results, so what it
takes to wake a `watch_*` is not in the figures. A recording that it cannot read is told as such.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Callable

import ccxt.pro
import orjson
from ccxt.async_support.base.ws.client import Client

from benchmarks.results import emit
from benchmarks.venue_frames import OTHER, WORDS, Case, Frame, load, timed

IDS = {
    "binance": "binanceusdm",
    "okx": "okx",
    "bybit": "bybit",
    "coinbase-exchange": "coinbaseexchange",
    "kraken": "kraken",
}
URLS = {
    "binance": "wss://fstream.binance.com/ws/0",
    "okx": "wss://ws.okx.com:8443/ws/v5/public",
    "bybit": "wss://stream.bybit.com/v5/public/linear",
    "coinbase-exchange": "wss://ws-feed.exchange.coinbase.com",
    "kraken": "wss://ws.kraken.com/v2",
}
SYMBOLS = re.compile(rb'"(?:symbol|instId|product_id|s)":"([^"]+)"')
QUOTES = ("USDT", "USDC", "USD", "EUR", "GBP", "BTC")


def market_of(exchange, name: str, *, is_swap: bool) -> dict:
    """A market of its own shape, with as much as its handlers look at."""
    plain = name.removesuffix("-SWAP")
    parts = re.split(r"[-/]", plain)
    base = parts[0]
    quote = parts[1] if len(parts) > 1 else next((each for each in QUOTES if plain.endswith(each)), "USDT")
    base = base if len(parts) > 1 else base.removesuffix(quote)
    symbol = f"{base}/{quote}" + (f":{quote}" if is_swap else "") + (f"-{parts[2]}" if len(parts) > 2 else "")
    return exchange.safe_market_structure(
        {
            "id": name, "lowercaseId": name.lower(), "symbol": symbol, "base": base, "quote": quote,
            "baseId": base, "quoteId": quote, "type": "swap" if is_swap else "spot", "spot": not is_swap,
            "swap": is_swap, "contract": is_swap, "linear": is_swap or None, "inverse": False if is_swap else None,
            "active": True, "contractSize": 1.0 if is_swap else None, "precision": {"price": 1e-8, "amount": 1e-8},
        }
    )  # fmt: skip


def exchange_of(case: Case, kept: list) -> Callable[[], Callable[[Frame], object]]:
    names = {name.decode() for frame in case.frames for name in SYMBOLS.findall(frame.text[:400])}
    is_swap = case.venue in ("binance", "bybit")

    def make() -> Callable[[Frame], object]:
        exchange = getattr(ccxt.pro, IDS[case.venue])()
        exchange.set_markets(
            [market_of(exchange, name, is_swap=is_swap or name.endswith("SWAP")) for name in sorted(names)]
        )
        client = Client(URLS[case.venue], None, None, None, None)
        kept[:] = [exchange]
        if case.venue == "binance":
            for url, body in case.answers.items():
                if "/depth?" in url:
                    name, book = re.search("symbol=([A-Z]+)", url)[1], json.loads(body)
                    symbol = exchange.market(name)["symbol"]
                    exchange.orderbooks[symbol] = exchange.order_book({}, 1000)
                    parsed = exchange.parse_order_book(book, symbol)
                    parsed["nonce"] = book["lastUpdateId"]
                    exchange.orderbooks[symbol].reset(parsed)
        else:
            for market in exchange.markets.values():
                for key in (f"level2:{market['id']}", f"books:{market['id']}"):
                    client.subscriptions[key] = {"symbol": market["symbol"], "limit": None}
        loads, handle_message = orjson.loads, exchange.handle_message

        def handle(frame: Frame) -> None:
            handle_message(client, loads(frame.text))

        return handle

    return make


async def measure(venue: str) -> dict:
    case, kept = load(venue), []
    texts = [frame._replace(text=frame.text) for frame in case.frames]
    make = exchange_of(case, kept)
    figures = timed(make, case._replace(frames=texts))
    exchange = kept[0]
    seen = {
        "books": sum(bool(book["bids"] and book["asks"]) for book in exchange.orderbooks.values()),
        "trades": sum(len(trades) for trades in exchange.trades.values()),
        "tickers": len(exchange.tickers) + len(getattr(exchange, "bidsasks", {})),
    }
    return {"us": {kind: each for kind, each in figures.items() if kind != OTHER}, "seen": seen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venue", choices=list(WORDS), required=True)
    options = parser.parse_args()
    result = {"bench": "decode", "by": "ccxt", "venue": options.venue}
    try:
        emit(result | asyncio.run(measure(options.venue)))
    except Exception as error:
        emit(result | {"failed": f"{type(error).__name__}: {error}"[:300]})


if __name__ == "__main__":
    main()
