"""The script of a bad day: what goes wrong on the embedded exchange, and when. Pure: texts in, faults out.

    at=5s reset-mid-frame
    at=10s refuse status=429 retry-after=2s count=3
    at=12s frozen symbol=BTCUSDT for=70s

`at` counts from the market's first moment, on the market's clock, so that a script does the same at every speed. A
file holds the same as TOML (`[[fault]]` with `at`, `kind` and the options) or as a JSON list of such objects or lines.

    kind               does                                                            options (their defaults)
    -----------------  --------------------------------------------------------------  --------------------------------
    half-open          every connection stays open and says nothing any more
    reset-mid-frame    half a frame, then a reset
    accept-drop        resets all, then accepts and resets the next ones               count=1
    shutdown           the venue's notice where it has one, then an orderly close      after=0.2s (of real time)
    ping-storm         so many pings at once                                           count=1000
    compression-bomb   a deflated frame of 64 MiB that nobody asked to be compressed
    huge-frame         a frame of that size                                            bytes=16777216
    html               a web page where JSON is due
    refuse             resets all, answers the next handshakes with a status; 200 is   status=429 count=1 retry-after=1s
                       a web page
    rest-refuse        answers the next REST requests with a status; 200 is a web page  status=429 count=1 retry-after=1s
    rest-bomb          answers the next REST requests with 64 MiB in 64 KiB            count=1
    frozen             a symbol falls silent while all else lives, until it is left    symbol=(first) for=(none)
                       by an unsubscription, or for a while
    old-snapshot       resets all; the next snapshots are older than the deltas        count=1
    duplicate          the next messages of books come twice                           count=1
    reorder            the next messages of books change places with the one behind    count=1
    clock-jump         the venue's own clocks are off by so much, for a while          by=1h for=2s
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamtrader.errors import ConfigError
from streamtrader.units import NS_PER_MS, NS_PER_S

KINDS: dict[str, dict[str, str]] = {
    "half-open": {},
    "reset-mid-frame": {},
    "accept-drop": {"count": "1"},
    "shutdown": {"after": "0.2s"},
    "ping-storm": {"count": "1000"},
    "compression-bomb": {},
    "huge-frame": {"bytes": "16777216"},
    "html": {},
    "refuse": {"status": "429", "count": "1", "retry-after": "1s"},
    "rest-refuse": {"status": "429", "count": "1", "retry-after": "1s"},
    "rest-bomb": {"count": "1"},
    "frozen": {"symbol": "", "for": "0s"},
    "old-snapshot": {"count": "1"},
    "duplicate": {"count": "1"},
    "reorder": {"count": "1"},
    "clock-jump": {"by": "1h", "for": "2s"},
}
_DURATION = re.compile(r"(-?\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS_NS = {"ms": NS_PER_MS, "s": NS_PER_S, "m": 60 * NS_PER_S, "h": 3_600 * NS_PER_S, None: NS_PER_S}
COUNT_MOST = 1_000_000
BYTES_MOST = 1 << 30


@dataclass(frozen=True, slots=True)
class Fault:
    """One of them; the fields that its kind does not use keep their zeros."""

    kind: str
    at_ns: int
    count: int = 0
    status: int = 0
    retry_after_s: float = 0.0
    after_s: float = 0.0
    size_bytes: int = 0
    symbol: str = ""
    for_ns: int = 0
    by_ns: int = 0


def duration_ns(text: str, name: str) -> int:
    """`5s`, `250ms`, `2m`, `-1h`, or a number of seconds."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"fault: {name}={text} is no duration: 250ms, 5s, 2m, 1h")
    return int(float(found[1]) * _UNITS_NS[found[2]])


def fault_of(text: str) -> Fault:
    """One line: the kind, and `name=value` of its options."""
    words = text.split()
    kinds = [word for word in words if "=" not in word]
    if len(kinds) != 1:
        raise ConfigError(f"fault {text!r} must name one kind of {', '.join(KINDS)}")
    return _made(kinds[0], dict(word.split("=", 1) for word in words if "=" in word))


def faults_of(lines: Iterable[str]) -> tuple[Fault, ...]:
    """In the order of their time."""
    return _in_order([fault_of(line) for line in lines])


def faults_in(path: Path) -> tuple[Fault, ...]:
    """A script from a file, TOML or JSON by its name."""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text).get("fault", [])
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: no script of faults: {error}") from error
    if not isinstance(document, list):
        raise ConfigError(f"{path}: a script is a list of faults")
    return _in_order([_listed(entry, path) for entry in document])


def _listed(entry: Any, path: Path) -> Fault:
    if isinstance(entry, str):
        return fault_of(entry)
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        raise ConfigError(f"{path}: {entry!r} is no fault: it needs kind and at")
    return _made(entry["kind"], {name: str(value) for name, value in entry.items() if name != "kind"})


def _in_order(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: fault.at_ns))


def _made(kind: str, options: Mapping[str, str]) -> Fault:
    if kind not in KINDS:
        raise ConfigError(f"fault: {kind!r} is not known; there are: {', '.join(KINDS)}")
    if "at" not in options:
        raise ConfigError(f"fault {kind}: say when, as in at=5s")
    values = KINDS[kind] | {name.replace("_", "-"): value for name, value in options.items() if name != "at"}
    unknown = sorted(set(values) - set(KINDS[kind]))
    if unknown:
        raise ConfigError(
            f"fault {kind}: {', '.join(unknown)} is no option of it; it has {', '.join(KINDS[kind]) or 'none'}"
        )
    at_ns, for_ns = duration_ns(options["at"], "at"), duration_ns(values.get("for", "0"), "for")
    if min(at_ns, for_ns) < 0:
        raise ConfigError(f"fault {kind}: at and for must not be negative")
    return Fault(
        kind,
        at_ns,
        count=_number(kind, "count", values, COUNT_MOST),
        status=_number(kind, "status", values, 599),
        retry_after_s=duration_ns(values.get("retry-after", "0"), "retry-after") / NS_PER_S,
        after_s=duration_ns(values.get("after", "0"), "after") / NS_PER_S,
        size_bytes=_number(kind, "bytes", values, BYTES_MOST),
        symbol=values.get("symbol", ""),
        for_ns=for_ns,
        by_ns=duration_ns(values.get("by", "0"), "by"),
    )


def _number(kind: str, name: str, values: Mapping[str, str], most: int) -> int:
    text = values.get(name, "0")
    if not (text.isascii() and text.isdigit()) or int(text) > most or (name in values and not int(text)):
        raise ConfigError(f"fault {kind}: {name} must be a whole number from 1 to {most}, not {text}")
    return int(text)
