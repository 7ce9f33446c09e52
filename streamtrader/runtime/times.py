"""One time as text: epoch numbers of any unit, told by their size, or ISO 8601. Exact, to the nanosecond."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from streamtrader.storage.importers.clocks import FIRST_S, LAST_S, LAST_YEAR, UNITS
from streamtrader.units import NS_PER_S

_EPOCH = re.compile(r"\d{9,20}(?:\.\d{1,9})?", re.ASCII)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)? ?(Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII
)
FORMS = "write 2024-08-09T12:00:00.123Z, or seconds, ms, us or ns since 1970"


def time_ns(text: str) -> int:
    """Nanoseconds since 1970 in UTC; a text without a zone is UTC. ValueError says what is wrong, with a remedy."""
    if _EPOCH.fullmatch(text):
        count = Decimal(text)
        for unit_ns in UNITS.values():
            told_ns = count * unit_ns
            if FIRST_S * NS_PER_S <= told_ns <= LAST_S * NS_PER_S and told_ns == int(told_ns):
                return int(told_ns)
        raise ValueError(f"{text} is no time between 1973 and {LAST_YEAR}; {FORMS}")
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time; {FORMS}")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction, zone = found.groups()[6:]
    try:
        wall = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time ({error}); {FORMS}") from None
    since = wall - datetime(1970, 1, 1, tzinfo=UTC) - _offset(zone)
    nanoseconds = (since.days * 86_400 + since.seconds) * NS_PER_S + int((fraction or "0").ljust(9, "0"))
    if not 0 < nanoseconds <= LAST_S * NS_PER_S:
        raise ValueError(f"{text!r} is no time between 1970 and {LAST_YEAR}; {FORMS}")
    return nanoseconds


def time_text(at_ns: int) -> str:
    """ISO 8601 in UTC with as many decimals as there are."""
    seconds, rest = divmod(at_ns, NS_PER_S)
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def _offset(zone: str | None) -> timedelta:
    if zone in (None, "Z", "UTC"):
        return timedelta(0)
    assert zone is not None
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return timedelta(minutes=-minutes if zone[0] == "-" else minutes)
