"""The frames of the loopback benchmarks: Binance's combined spot streams with the sender's clock as the last key.

Update ids run on without a gap and the two sides of the book never meet, so an adapter that checks sequences takes
every frame. All frames of a kind are made before the first is sent. Standard library only.
"""

from __future__ import annotations

import functools
import random

KINDS = ("trade", "book", "depth10", "depth20", "mixed50")
STAMP_BASE_NS = 10**18  # plus the monotonic clock: 19 digits, and another process on the machine can subtract
STAMP_DIGITS = 19
VENUE_MS = 1_704_067_200_123


def trade(source: random.Random, index: int) -> str:
    price = 50_000 + source.randint(-50_000, 50_000) / 100
    size = source.randint(1, 2000) / 1000
    return (
        f'{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{VENUE_MS},"s":"BTCUSDT","t":{3_000_000_000 + index},'
        f'"p":"{price:.8f}","q":"{size:.8f}","T":{VENUE_MS},"m":{"true" if source.random() < 0.5 else "false"},"M":true}}'
    )


def book(source: random.Random, index: int) -> str:
    bid = 50_000 + source.randint(-50_000, 50_000) / 100
    sizes = [source.randint(1, 9999) / 1000 for _ in range(2)]
    return (
        f'{{"stream":"btcusdt@bookTicker","data":{{"u":{400_900_217 + index},"s":"BTCUSDT","b":"{bid:.8f}",'
        f'"B":"{sizes[0]:.8f}","a":"{bid + 0.01:.8f}","A":"{sizes[1]:.8f}"}}'
    )


def depth(source: random.Random, index: int, levels: int) -> str:
    """Levels in a row from up to 40 cents off a middle that stands still; one in five is removed."""

    def side(sign: int) -> str:
        nearest = source.randint(1, 40)
        prices = (50_000 + sign * (nearest + step) / 100 for step in range(levels))
        sizes = (0 if source.random() < 0.2 else source.randint(1, 9999) / 1000 for _ in range(levels))
        return ",".join(f'["{price:.8f}","{size:.8f}"]' for price, size in zip(prices, sizes, strict=True))

    first = 1 + index * 40
    return (
        f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{VENUE_MS},"s":"BTCUSDT",'
        f'"U":{first},"u":{first + 39},"b":[{side(-1)}],"a":[{side(1)}]}}'
    )


def mixed_symbols(count: int) -> list[str]:
    return [f"S{number:02d}USDT" for number in range(count)]


def mixed(source: random.Random, index: int, symbols: list[str]) -> str:
    """Each symbol in turn: four trades, three best quotes and three messages of depth in every ten of its messages."""
    number, turn = index // len(symbols), index // len(symbols) % 10
    if turn in (0, 2, 5, 7):
        text = trade(source, number)
    elif turn in (1, 4, 8):
        text = book(source, number)
    else:
        text = depth(source, number // 10 * 3 + (3, 6, 9).index(turn), 10)
    symbol = symbols[index % len(symbols)]
    return text.replace("btcusdt", symbol.lower()).replace("BTCUSDT", symbol)


@functools.lru_cache(maxsize=1)
def heads(kind: str, count: int) -> list[bytes]:
    """`count` messages up to where the stamp goes; `STAMP_DIGITS` digits and a closing brace finish each."""
    source = random.Random(7)
    match kind:
        case "trade":
            texts = [trade(source, index) for index in range(count)]
        case "book":
            texts = [book(source, index) for index in range(count)]
        case "depth10" | "depth20":
            texts = [depth(source, index, int(kind[5:])) for index in range(count)]
        case "mixed50":
            symbols = mixed_symbols(50)
            texts = [mixed(source, index, symbols) for index in range(count)]
        case _:
            raise ValueError(f"no such kind of frame: {kind}; there are {', '.join(KINDS)}")
    return [f'{text},"ns":'.encode() for text in texts]


def message(head: bytes, stamp_ns: int) -> bytes:
    return b"%b%019d}" % (head, stamp_ns)


def wire_head(head: bytes) -> bytes:
    """The head with its websocket header: one unmasked text frame, as servers send them."""
    size = len(head) + STAMP_DIGITS + 1
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return b"\x81" + length + head
