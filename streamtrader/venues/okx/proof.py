"""OKX's checksum: the signed CRC32 over price and size of the best 25 levels, as the venue wrote them.

`bid:size:ask:size:bid:size:...` from the top, and where one side is shorter, the rest of the other one
(https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel). Since 23 June 2026 the venue
sends 0 instead and tells clients to rely on the sequence alone; recordings from before it still prove themselves so.
"""

from __future__ import annotations

import zlib
from itertools import chain

from streamtrader.venues.ladder import Ladder
from streamtrader.venues.okx.messages import TextLevel

CHECKED = 25  # levels a side
TextRow = tuple[float, float, bytes]  # price, size, what the checksum says of them; nothing for a size of 0


class Proof:
    """How one symbol's book is proved, as its snapshot began it; and both its sides, where that is by checksum."""

    __slots__ = ("asks", "bids", "checksum", "is_checked", "is_numbered")

    def __init__(self) -> None:
        self.asks, self.bids = Ladder(1.0), Ladder(-1.0)
        self.is_checked = self.is_numbered = False
        self.checksum: int | None = None

    def begin(self, *, is_checked: bool, is_numbered: bool) -> None:
        """A snapshot follows."""
        self.is_checked, self.is_numbered = is_checked, is_numbered
        self.asks.clear()
        self.bids.clear()
        self.checksum = None

    def apply(self, bids: list[TextRow], asks: list[TextRow]) -> int:
        """Take the changes of one message, and give the checksum that the venue should have sent with it."""
        is_top = False
        for ladder, rows in ((self.bids, bids), (self.asks, asks)):
            for price, _, mark in rows:
                is_top = ladder.put(price, mark) < CHECKED or is_top
        if is_top or self.checksum is None:
            self.checksum = signed_crc32(self.bids.marks[:CHECKED], self.asks.marks[:CHECKED])
        return self.checksum


def signed_crc32(bids: list[bytes], asks: list[bytes]) -> int:
    """The checksum over marks such as `b"8477:7"`, best first.

    >>> signed_crc32([b"3366.1:7"], [b"3366.8:9", b"3368:8"])
    -1471518219
    """
    pairs = min(len(bids), len(asks))
    marks = [*chain.from_iterable(zip(bids, asks, strict=False)), *bids[pairs:], *asks[pairs:]]
    checksum = zlib.crc32(b":".join(marks))
    return checksum - (1 << 32) if checksum >= 1 << 31 else checksum


def text_rows_of(levels: list[TextLevel]) -> list[TextRow]:
    """The levels as numbers beside their texts, unchecked; a size of 0 removes its level."""
    rows: list[TextRow] = []
    for level in levels:
        price, size = float(level.price), float(level.size)
        rows.append((price, size, f"{level.price}:{level.size}".encode() if size else b""))
    return rows
