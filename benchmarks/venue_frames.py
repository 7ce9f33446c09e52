"""The recorded frames that all decoders of `run_venues` read: the same bytes, in the same order, in the same classes.

Standard library and `zstandard` only: the rivals' environments import it. The folder of recordings is that of the tests,
`STREAMTRADER_SHARED_DATA`; nothing of it is copied.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import zstandard

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("STREAMTRADER_SHARED_DATA", ROOT.parent / "shared" / "data")) / "wire"
TRADE, DEPTH, TICKER, OTHER = "trade", "depth", "ticker", "other"
REPEATS = 5


class Frame(NamedTuple):
    kind: str  # one of the four above; the snapshots of books are "other"
    received_ns: int
    text: bytes


class Case(NamedTuple):
    """One connection of a recording; `answers` are the bodies of REST requests by URL."""

    venue: str
    frames: list[Frame]
    answers: dict[str, str]
    config: dict[str, list[str]]  # what the recorder had subscribed to, in cryptofeed's words


# venue: recording, connection, marks of a class that a frame holds near its beginning
WORDS: dict[str, tuple[str, str, dict[str, tuple[bytes, ...]]]] = {
    "binance": ("binance/cryptofeed_BINANCE_FUTURES.jsonl.zst", "BINANCE_FUTURES.ws.1",
                {TRADE: (b"@aggTrade",), DEPTH: (b"@depth",), TICKER: (b"@bookTicker",)}),
    "okx": ("okx/cryptofeed_OKX.jsonl.zst", "OKX.ws.1",
            {TRADE: (b'"trades"',), DEPTH: (b'"update"',), TICKER: (b'"tickers"',)}),
    "bybit": ("bybit/cryptofeed_BYBIT.jsonl.zst", "BYBIT.ws.2",
              {TRADE: (b'"publicTrade.',), DEPTH: (b'"delta"',), TICKER: (b'"tickers.',)}),
    "coinbase-exchange": ("coinbase/cryptofeed_COINBASE_EXCHANGE_2021.ws.txt.gz", "",
                          {TRADE: (b'"match"',), DEPTH: (b'"l2update"',), TICKER: (b'"ticker"',)}),
    "kraken": ("kraken/crossbook_kraken_btcusd_sample.cbcap", "", {DEPTH: (b'"book","type":"update"',)}),
}  # fmt: skip


def kind_of(venue: str, text: bytes) -> str:
    head = text[:110]
    if venue == "bybit" and head.startswith(b'{"topic":"tickers.'):
        return TICKER
    if b'"event"' in head or b'"success"' in head:
        return OTHER
    for kind, marks in WORDS[venue][2].items():
        if any(mark in head for mark in marks):
            return kind
    return OTHER


def load(venue: str) -> Case:
    name, connection, _ = WORDS[venue]
    path = DATA / name
    answers: dict[str, str] = {}
    config: dict[str, list[str]] = {}
    lines: list[tuple[int, bytes]] = []
    if name.endswith(".zst"):
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            for record in map(json.loads, reader.read().splitlines()):
                if record["t"] == "recv" and record["conn"] == connection:
                    lines.append((int(record["ts"] * 1e9), record["data"].encode()))
                elif record["t"] == "http":
                    answers.setdefault(record["url"], record["data"])
                elif record["t"] == "header":
                    config = record["config"]
    elif name.endswith(".gz"):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            clock, _, text = line.partition(b": ")
            if clock[:1].isdigit():
                lines.append((int(float(clock) * 1e9), text))
    else:
        content = path.read_bytes()
        at = content.index(b"\n") + 1
        while at < len(content):
            end = content.index(b"\n", at)
            clock, length = map(int, content[at:end].split())
            lines.append((clock, content[end + 1 : end + 1 + length]))
            at = end + 2 + length
    frames = [Frame(kind_of(venue, text), clock, text) for clock, text in lines]
    return Case(venue, frames, answers, config)


def timed(make: Callable[[], Callable[[Frame], object]], case: Case) -> dict[str, dict[str, float]]:
    """Median microseconds of each class of frames, over several passes, each with a decoder that knows nothing yet.

    One frame, one reading of the clock: books change with every frame, so none can be repeated alone. What reading
    the clock takes is measured and left out.
    """
    empty: list[int] = []
    for _ in range(2_000):
        started = time.perf_counter_ns()
        empty.append(time.perf_counter_ns() - started)
    overhead_ns = statistics.median(empty)
    passes: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(REPEATS):
        handle, taken = make(), defaultdict(list)
        for frame in case.frames:
            started = time.perf_counter_ns()
            handle(frame)
            taken[frame.kind].append(time.perf_counter_ns() - started - overhead_ns)
        for kind, each in taken.items():
            passes[kind].append((statistics.median(each) / 1e3, statistics.fmean(each) / 1e3))
    return {
        kind: {
            "median_us": round(statistics.median(median for median, _ in found), 2),
            "mean_us": round(statistics.median(mean for _, mean in found), 2),
            "frames": sum(frame.kind == kind for frame in case.frames),
        }
        for kind, found in passes.items()
        if kind != OTHER
    }
