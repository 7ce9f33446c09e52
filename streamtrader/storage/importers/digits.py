"""Decimal text as numbers, a whole column at once: eight digits are one 64-bit word, and no loop goes over rows.

Numbers of up to 15 digits become the nearest double to their text: an integer below 2**53 divided by a power of ten
below 10**23 is rounded once (Clinger, "How to read floating point numbers accurately", 1990). What the fast way cannot
read (a sign, an exponent, more digits, no number at all) is marked and left to the caller.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Integers = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

WORD = 8  # digits at once
MARGIN = 3 * WORD  # bytes that must lie before and behind the text: words are read across its ends
INTEGER_DIGITS = 19  # of the largest 64-bit integer, 9_223_372_036_854_775_807
EXACT_BELOW = 1 << 53
PLACES_MOST = 18

_ZEROS = np.uint64(0x3030303030303030)
_ABOVE_NINE = np.uint64(0x7676767676767676)  # added to a byte of 10 or more it sets the byte's high bit
_HIGH_BITS = np.uint64(0x8080808080808080)
_PAIRS = np.uint64(0x000000FF000000FF)
_TEN, _BYTE, _TWO_BYTES, _FOUR_BYTES = np.uint64(10), np.uint64(8), np.uint64(16), np.uint64(32)
_HUNDREDS, _ONES = np.uint64(0x000F424000000064), np.uint64(0x0000271000000001)
_POWERS = np.array([10**exponent for exponent in range(PLACES_MOST + 1)], np.int64)
_LEADING_MOST = 921  # of 19 digits the first three may be 921 at most, so that the rest cannot overflow


class Text:
    """Bytes with margins, seen as single bytes and as the 64-bit word that begins at each of them."""

    __slots__ = ("data", "words")

    def __init__(self, content: bytes) -> None:
        margin = b"\n" * MARGIN
        padded = b"".join((margin, content, margin))
        self.data = np.frombuffer(padded, np.uint8)
        # Unaligned on purpose: one gather fetches eight characters of each row.
        self.words = np.ndarray((len(padded) - WORD + 1,), np.dtype("<u8"), padded, strides=(1,))


def integers(text: Text, starts: Integers, ends: Integers) -> tuple[Integers, Flags]:
    """Non-negative integers of up to 19 digits, and which of the fields are none."""
    lengths = ends - starts
    longest = int(lengths.max(initial=0))
    values, is_bad = _eight_digits(text, ends, lengths)
    is_bad |= (lengths < 1) | (lengths > INTEGER_DIGITS)
    for done in range(WORD, min(longest, MARGIN), WORD):
        part, is_part_bad = _eight_digits(text, ends - done, lengths - done)
        is_bad |= is_part_bad
        if done == 2 * WORD:
            is_bad |= part > _LEADING_MOST
        values += part * (10**done)
    return values, is_bad


def decimals(text: Text, starts: Integers, points: Integers, ends: Integers) -> tuple[Floats, Flags]:
    """Non-negative decimals, and which of the fields the fast way cannot read.

    `points` is where the decimal point of each field is, or the field's end where it has none.
    """
    places = np.maximum(ends - points - 1, 0)
    digits = (points - starts) + places
    if not places.any():
        whole, is_bad = integers(text, starts, ends)
        is_bad |= whole >= EXACT_BELOW
        return whole.astype(np.float64), is_bad
    is_bad = (digits < 1) | (digits > PLACES_MOST) | (points <= starts)
    places[is_bad] = 0
    whole, is_whole_bad = integers(text, starts, points)
    fraction, is_fraction_bad = integers(text, np.minimum(points + 1, ends), ends)
    is_bad |= is_whole_bad | (is_fraction_bad & (places > 0))
    fraction[is_bad | (places == 0)] = 0
    whole[is_bad] = 0
    powers = _POWERS[places]
    whole *= powers
    whole += fraction
    is_bad |= whole >= EXACT_BELOW
    return whole / powers, is_bad


def finest_place(text: Text, points: Integers, ends: Integers) -> int:
    """The last decimal place that is not zero anywhere; 8 where that lies further right."""
    places = ends - points - 1
    is_longer = places > WORD
    if is_longer.any() and finest_place(text, points[is_longer] + WORD, ends[is_longer]):
        return WORD
    unwanted = ((WORD - np.clip(places, 0, WORD)) << 3).astype(np.uint64)
    words = text.words[points + 1] ^ _ZEROS
    words <<= unwanted  # what is behind the field goes out at the top
    words >>= unwanted
    return (int(np.bitwise_or.reduce(words)).bit_length() + 7) // 8 if len(words) else 0


def _eight_digits(text: Text, ends: Integers, lengths: Integers) -> tuple[Integers, Flags]:
    """The numbers that the last eight characters (or fewer) before `ends` are; what lies further left is left out."""
    count = np.clip(lengths, 0, WORD)
    words = text.words[ends - WORD]
    words ^= _ZEROS
    unwanted = ((WORD - count) << 3).astype(np.uint64)  # the first character is the lowest byte
    words >>= unwanted
    words <<= unwanted
    is_bad = ((words + _ABOVE_NINE) | words) & _HIGH_BITS != 0
    words = words * _TEN + (words >> _BYTE)
    high = (words & _PAIRS) * _HUNDREDS
    low = ((words >> _TWO_BYTES) & _PAIRS) * _ONES
    return ((high + low) >> _FOUR_BYTES).astype(np.int64), is_bad
