"""What may be true: the checks that every adapter makes where bytes become numbers, and how it reads them.

Each check raises `BadMessage`; an adapter makes all of them before it writes the first row of a message.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from streamtrader.errors import BadMessage
from streamtrader.instruments import BELIEVED, Most
from streamtrader.units import ABSURD_PRICE, ABSURD_VOLUME, NS_PER_MS, NS_PER_S, NS_PER_US
from streamtrader.venues.tokens import MS_MOST

IDENTITY_MOST = 2**62
NS_MOST = MS_MOST * NS_PER_MS
FRACTION_DIGITS = 9
USUAL_LENGTH = len("2026-08-02T03:35:51.660084Z")
_SCALES = [10 ** (FRACTION_DIGITS - digits) for digits in range(FRACTION_DIGITS + 1)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Message = TypeVar("Message")


def decoder(kind: type[Message]) -> Callable[[bytes | msgspec.Raw], Message]:
    """Read one kind of message, numbers in texts too; whatever is wrong with it becomes a `BadMessage`."""
    decode = msgspec.json.Decoder(kind, strict=False).decode
    name = getattr(kind, "__name__", str(kind))

    def checked(text: bytes | msgspec.Raw) -> Message:
        try:
            return decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
            raise BadMessage(f"{name}: {error}") from error

    return checked


def check_prices(*prices: float) -> None:
    """Prices that become no tick: those of candles and marks."""
    for price in prices:
        if not 0.0 < price <= ABSURD_PRICE:  # a NaN compares false
            raise BadMessage(f"{price} is no price: above 0 and at most {ABSURD_PRICE:g}")


def check_trade(price: float, size: float, most: Most = BELIEVED) -> None:
    """What was traded; `most` is the instrument's own where it becomes ticks and lots."""
    if not (0.0 < price <= most.price and 0.0 < size <= most.size):
        raise BadMessage(f"{size} at {price} is no trade: {_bounds(most)}")


def check_quote(bid: tuple[float, float], ask: tuple[float, float], most: Most) -> None:
    """The best (price, size) of both sides."""
    check_trade(*bid, most)
    check_trade(*ask, most)


def check_sides(bid: tuple[float, float], ask: tuple[float, float], most: Most) -> None:
    """The same where zeros say that nobody quotes."""
    for price, size in (bid, ask):
        if not (0.0 <= price <= most.price and 0.0 <= size <= most.size):
            raise BadMessage(f"{size} at {price} is no quote: {_bounds(most)}")


def check_levels(levels: Iterable[tuple[float, float]], most: Most) -> None:
    """(price, size) of a book; size 0 removes a level."""
    price_most, size_most = most
    for price, size in levels:
        if not (0.0 < price <= price_most and 0.0 <= size <= size_most):
            raise no_level(price, size, most)


def no_level(price: float, size: float, most: Most) -> BadMessage:
    """For those who check levels while they sort them."""
    return BadMessage(f"{size} at {price} is no level of a book: {_bounds(most)}")


def _bounds(most: Most) -> str:
    return f"this market is believed up to {most.size:g} at {most.price:g}"


def check_candle(open_: float, high: float, low: float, close: float, volume: float) -> None:
    """A candle holds its own prices; its volume is a sum, so that many sizes fit it."""
    check_prices(open_, high, low, close)
    if not 0.0 <= volume <= ABSURD_VOLUME:
        raise BadMessage(f"{volume} is no volume: from 0 to {ABSURD_VOLUME:g}")
    if high < max(open_, close) or low > min(open_, close):
        raise BadMessage("a candle that leaves its own range")


def check_identity(*values: int) -> None:
    """Trade ids and update ids."""
    for value in values:
        if not 0 <= value < IDENTITY_MOST:
            raise BadMessage("an id outside of its range")


def check_milliseconds(*values: int) -> None:
    for value in values:
        if not 0 <= value <= MS_MOST:
            raise BadMessage("a clock outside of its range")


def nanoseconds(milliseconds: int) -> int:
    return milliseconds * NS_PER_MS


def word_of(number: float) -> int:
    """The bits of a float as the integer that `Ring.write` packs: the last word of a candle is its volume."""
    return int.from_bytes(struct.pack("<d", number), "little", signed=True)


def nanoseconds_of(text: str) -> int:
    """An RFC 3339 time such as `2026-08-02T03:35:51.660084Z`, with up to nine decimals, as ns since the epoch.

    An empty text is 0: the venue sent no clock.
    """
    if not text:
        return 0
    try:
        if len(text) == USUAL_LENGTH and text[26] == "Z" and text[19] == "." and text[20:26].isdecimal():
            value = _second_ns(text[:19], "Z") + int(text[20:26]) * NS_PER_US
        else:
            zone = text[19:].lstrip(".0123456789")
            fraction = text[20 : len(text) - len(zone)]
            if fraction and (text[19] != "." or len(fraction) > FRACTION_DIGITS):
                raise ValueError(text)
            value = _second_ns(text[:19], zone) + (int(fraction) * _SCALES[len(fraction)] if fraction else 0)
    except (ValueError, OverflowError, IndexError) as error:
        raise BadMessage(f"{text[:40]!r} is no time") from error
    if not 0 <= value <= NS_MOST:
        raise BadMessage("a clock outside of its range")
    return value


@functools.lru_cache(maxsize=256)
def _second_ns(second: str, zone: str) -> int:
    """The start of `2026-08-02T03:35:51` in a zone; messages of one second ask for the same."""
    if zone not in ("Z", "z") and len(zone) != len("+00:00"):
        raise ValueError(zone)
    since = datetime.fromisoformat(second + zone) - _EPOCH
    return (since.days * 86_400 + since.seconds) * NS_PER_S
