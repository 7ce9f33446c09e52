"""One entry of a capture, whatever wrote it, and the clocks that captures carry."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from streamtrader.units import NS_PER_MS, NS_PER_S

CLOCK_DIGITS_MOST = 19
LAST_NS = 4_102_444_800 * NS_PER_S  # of the year 2100: a later clock is nonsense, and soon more than an event can hold
HELD_MOST = 1_000  # entries that wait for the first clock
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\d*Z")
_MILLISECONDS = re.compile(rb"(?<![\d.])1[0-9]{12}(?![\d.])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Role(enum.Enum):
    """What an entry tells of."""

    FRAME = "frame"  # came in over a websocket
    HTTP = "http"  # the body of a REST answer
    CONNECT = "connect"  # a websocket was opened
    ASIDE = "aside"  # what was sent, headers: for the record


class CaptureLine(NamedTuple):
    """`received_ns` is 0 where an entry has no clock; `problem` says why an entry cannot be used."""

    number: int
    received_ns: int
    text: bytes
    problem: str = ""
    connection: str = ""  # as the capture names it; "" where it holds one only
    role: Role = Role.FRAME
    url: str = ""  # of an answer, or of the websocket


def ns_of(clock: bytes) -> int:
    """Nanoseconds written as digits; 0 for what is no such clock."""
    return _believed(int(clock)) if clock.isdigit() and len(clock) <= CLOCK_DIGITS_MOST else 0


def ns_of_seconds(clock: bytes) -> int:
    """Unix seconds with decimals, exactly: `1618677817.0616` gives 1618677817061600000; 0 for what is none."""
    whole, _, fraction = clock.partition(b".")
    if not whole.isdigit() or len(whole) > 10 or (fraction and not fraction.isdigit()):
        return 0
    return _believed(int(whole) * NS_PER_S + int(fraction[:9].ljust(9, b"0")))


def ns_in(text: bytes) -> int:
    """The first time that a frame itself tells, in RFC 3339 or in milliseconds; 0 where there is none."""
    if found := _TIME.search(text):
        try:
            since = datetime.fromisoformat(found[1].decode() + "+00:00") - _EPOCH
        except ValueError:
            return 0
        seconds = since.days * 86_400 + since.seconds
        return _believed(max(0, seconds) * NS_PER_S + int((found[2] or b"").ljust(9, b"0")))
    found = _MILLISECONDS.search(text)
    return int(found[0]) * NS_PER_MS if found else 0


def _believed(at_ns: int) -> int:
    return at_ns if at_ns < LAST_NS else 0


def address_of(text: str) -> str:
    """A URL as it was written; "" for what can be none, so that whoever takes it apart needs no care."""
    try:
        urlsplit(text)
    except ValueError:  # an odd bracket is enough
        return ""
    return text


def clocked(entries: Iterable[CaptureLine]) -> Iterator[CaptureLine]:
    """Entries of a capture without clocks get the time that their frames tell, never backwards.

    Those before the first that tells one get its time; where none ever does, it is the first second of 1970.
    """
    held: list[CaptureLine] = []
    now_ns = 0
    for entry in entries:
        now_ns = max(now_ns, ns_in(entry.text))
        if not now_ns and len(held) < HELD_MOST:
            held.append(entry)
            continue
        now_ns = now_ns or NS_PER_S
        for earlier in held:
            yield earlier._replace(received_ns=now_ns)
        held = []
        yield entry._replace(received_ns=now_ns)
    for entry in held:
        yield entry._replace(received_ns=NS_PER_S)
