"""The symbols of a connection, as the scanner finds them in a frame: by their bytes, in a table without objects.

Plain functions over bytes like those of `venues/tokens.py`, compiled together with the scanner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from streamtrader.instruments import BELIEVED, Most
from streamtrader.kernel.record import Record, boxed
from streamtrader.venues.tokens import after, literal

NAME_BYTES = 32  # longer symbols take the slow path
QUOTE_MARK = literal('"')


class Listed(Record):
    """One slot: a symbol as streams and as messages write it, and what is believed of it.

    `has_trades` once a single trade of it came.
    """

    def __init__(self) -> None:
        self.lower = np.zeros(NAME_BYTES, np.uint8)
        self.upper = np.zeros(NAME_BYTES, np.uint8)
        self.length = 0
        self.instrument = -1
        self.has_trades = 0
        self.price_most, self.size_most = BELIEVED


def table_of(symbols: Sequence[str], most: Sequence[Most] = ()) -> np.ndarray[Any, np.dtype[Any]]:
    """An open-addressing table from the bytes of a stream's symbol to its instrument; at most a quarter full.

    `most` is what is believed of each symbol; none: what is believed of all.
    """
    slots = 1 << max(4, (4 * len(symbols) - 1).bit_length())
    table = boxed(*[Listed()] * slots)
    for instrument, symbol in enumerate(symbols):
        lower, upper = symbol.lower().encode(), symbol.upper().encode()
        if len(lower) > NAME_BYTES or len(lower) != len(upper):
            continue  # the slow path knows it
        slot = 0
        for byte in lower:
            slot = (slot * 33 + byte) & 0xFFFFFFFF
        slot &= slots - 1
        while table[slot]["length"]:
            slot = (slot + 1) & (slots - 1)
        table[slot]["lower"][: len(lower)] = np.frombuffer(lower, np.uint8)
        table[slot]["upper"][: len(upper)] = np.frombuffer(upper, np.uint8)
        table[slot]["length"] = len(lower)
        table[slot]["instrument"] = instrument
        if most:
            table[slot]["price_most"], table[slot]["size_most"] = most[instrument]
    return table


def trade_flags_of(table: np.ndarray[Any, np.dtype[Any]], instruments: int) -> list[memoryview[int]]:
    """`has_trades` of each instrument, as the one word that it shares with the scanner."""
    flags = [np.zeros(1, np.int64).data for _ in range(instruments)]
    words = table["has_trades"].data
    for slot, instrument in enumerate(table["instrument"].tolist()):
        if instrument >= 0:
            flags[instrument] = words[slot : slot + 1]
    return flags


def find_slot(frame: Any, at: int, stop: int, table: Any) -> tuple[int, int]:
    """The slot of the symbol that ends at the next `@`, and the place after that."""
    if at < 0:
        return -1, -1
    code, length, most = 0, 0, min(NAME_BYTES, stop - at)
    while length < most and frame[at + length] != 64:
        code = (code * 33 + frame[at + length]) & 0xFFFFFFFF
        length += 1
    if length == 0 or length == most:  # noqa: PLR1714 - compiled, without a tuple
        return -1, -1
    mask = len(table) - 1
    slot = code & mask
    for _ in range(len(table)):
        listed = table[slot]
        if listed["length"] == 0:
            return -1, -1
        if listed["length"] == length:
            equal = True
            for index in range(length):
                equal = equal and listed["lower"][index] == frame[at + index]
            if equal:
                return slot, at + length + 1
        slot = (slot + 1) & mask
    return -1, -1


def symbol(frame: Any, at: int, stop: int, key: Any, listed: Any) -> int:
    """The place after a key such as `,"s":"` and the symbol behind it, when it is that of the stream."""
    at = after(frame, at, stop, key)
    length = listed["length"]
    if at < 0 or at + length >= stop:
        return -1
    for index in range(length):
        if frame[at + index] != listed["upper"][index]:
            return -1
    return after(frame, at + length, stop, QUOTE_MARK)
