"""Tokens of JSON as venues write them: the words that the hand-written scanners are made of.

Plain functions over bytes, compiled or not. Every step takes the place `at` where it starts and gives the place
where it ended, or -1. A step that is given -1 gives -1, so a scanner reads straight on and asks once at the end.
What a step takes is a part of what JSON allows: the part whose value is certain.

The byte at `stop` must exist and be no digit (it is the bracket or comma that ends the data): so runs of digits end
by themselves, and their loops need one test less a byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamtrader.units import NS_PER_MS

DIGITS_EXACT = 15  # so many decimal digits always fit a double exactly
DIGITS_MOST = 18  # so many always fit an int64
MS_DIGITS = 13  # milliseconds since the epoch, from 2001 on
MS_MOST = 9_000_000_000_000  # in the year 2255: as nanoseconds it still fits an int64
STAMP_BYTES = 25  # ,"ns": and 19 digits

TENS = np.array([10.0**power for power in range(DIGITS_MOST + 1)])


def literal(text: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Text to compare with; a constant of the module that uses it."""
    return np.frombuffer(text.encode(), np.uint8)


STAMP_KEY = literal(',"ns":')


def after(frame: Any, at: int, stop: int, text: Any) -> int:
    """The place after `text`, when it stands here."""
    if at < 0 or at + len(text) > stop:
        return -1
    for index in range(len(text)):
        if frame[at + index] != text[index]:
            return -1
    return at + len(text)


def integer(frame: Any, at: int) -> tuple[int, int]:
    """A whole number of at most 18 digits as JSON writes it: no sign, no leading zero."""
    if at < 0:
        return 0, -1
    start, value = at, 0
    while at - start <= DIGITS_MOST and 48 <= frame[at] <= 57:
        value = value * 10 + (frame[at] - 48)
        at += 1
    length = at - start
    if length == 0 or length > DIGITS_MOST or (length > 1 and frame[start] == 48):
        return 0, -1
    return value, at


def milliseconds(frame: Any, at: int) -> tuple[int, int]:
    """A clock of exactly 13 digits, as nanoseconds."""
    value, end = integer(frame, at)
    if end - at != MS_DIGITS or value > MS_MOST:
        return 0, -1
    return value * NS_PER_MS, end


def decimal(frame: Any, at: int) -> tuple[float, int]:
    """A decimal number that a double holds as exactly as its text: 15 significant digits, trailing zeros free."""
    if at < 0:
        return 0.0, -1
    start, digits, point = at, 0, -1
    while at - start <= DIGITS_MOST:
        byte = frame[at]
        if 48 <= byte <= 57:
            digits = digits * 10 + (byte - 48)
        elif byte == 46 and point < 0:
            point = at
        else:
            break
        at += 1
    length = at - start
    decimals = at - point - 1 if point >= 0 else 0
    whole = length - decimals - (1 if point >= 0 else 0)
    if whole < 1 or length > DIGITS_MOST or (point >= 0 and decimals == 0):
        return 0.0, -1
    if whole > 1 and frame[start] == 48:
        return 0.0, -1
    if length > DIGITS_EXACT:
        while decimals > 0 and digits % 10 == 0:
            digits //= 10
            decimals -= 1
        if digits >= 10**DIGITS_EXACT:
            return 0.0, -1
    return digits / TENS[decimals], at


def above_zero(value: float, most: float, at: int) -> int:
    """`at`, when the value may be a price or the size of a trade, of which `most` is the largest."""
    return at if 0.0 < value <= most else -1


def stamp(frame: Any, length: int) -> tuple[int, int]:
    """The market's own receive time behind the data of a stamped frame, and where that data ends."""
    at = after(frame, length - STAMP_BYTES - 1, length, STAMP_KEY)
    if at < 0 or frame[length - 1] != 125 or frame[at] == 48:
        return 0, -1
    value = 0
    for index in range(at, length - 1):
        digit = frame[index] - 48
        if digit < 0 or digit > 9:
            return 0, -1
        value = value * 10 + digit
    return value, length - STAMP_BYTES - 1
