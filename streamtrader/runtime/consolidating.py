"""Tapes of several venues, played together by the clock of receipt: who leads the price, for how long, and by how much.

Shares are of time, to the nanosecond: between two events nothing changes but the age of the legs, and the moment at
which one is too old is a moment like that of an event. Counting starts when every leg was told a first time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import ConfigError, MarketFileError
from streamtrader.instruments import Instrument
from streamtrader.storage.tape_reader import Tape
from streamtrader.units import NS_PER_S
from streamtrader.venues.consolidated import KINDS, Best, ConsolidatedBook, Crossing, Leg, Touch

MAX_AGE_S = 5.0
LEADS = ("bid", "ask", "quoted_bid", "quoted_ask")  # the touches of `Best`
_WORDS = ("received_ns", "kind", "side", "flags", "a", "b", "c", "d")


Row = tuple[int, int, int, int, int, float, float, float, float]  # received_ns, leg, kind, side, flags, a, b, c, d


@dataclass(slots=True)
class Episodes:
    """A state that comes and goes: how long in all, how often, the longest, and how far it went."""

    total_ns: int = 0
    count: int = 0
    longest_ns: int = 0
    widest_bps: float = 0.0
    _now_ns: int = 0

    def add(self, duration_ns: int, *, is_on: bool, width_bps: float = 0.0) -> None:
        if not is_on:
            self._now_ns = 0
            return
        if duration_ns == 0:
            return
        self.count += self._now_ns == 0
        self._now_ns += duration_ns
        self.total_ns += duration_ns
        self.longest_ns = max(self.longest_ns, self._now_ns)
        self.widest_bps = max(self.widest_bps, width_bps)

    def as_dict(self, duration_ns: int) -> dict[str, Any]:
        return {
            "share": share(self.total_ns, duration_ns),
            "episodes": self.count,
            "longest_ms": self.longest_ns / 1e6,
            "widest_bps": self.widest_bps,
        }


@dataclass(slots=True)
class Tally:
    """Time by what was the case; each list has one entry a leg."""

    legs: int
    duration_ns: int = 0
    two_sided_ns: int = 0
    counted_ns: list[int] = field(default_factory=list)
    led_ns: dict[str, list[int]] = field(default_factory=dict)
    locked: Episodes = field(default_factory=Episodes)
    crossed: Episodes = field(default_factory=Episodes)
    profitable: Episodes = field(default_factory=Episodes)

    def __post_init__(self) -> None:
        self.counted_ns = [0] * self.legs
        self.led_ns = {name: [0] * self.legs for name in LEADS}

    def add(self, best: Best, counts: Sequence[bool], duration_ns: int) -> None:
        """`best` was the case for so long."""
        if duration_ns <= 0:
            return
        self.duration_ns += duration_ns
        for index, is_counted in enumerate(counts):
            self.counted_ns[index] += duration_ns * is_counted
        for name, led_ns in self.led_ns.items():
            touch: Touch | None = getattr(best, name)
            if touch is not None:
                led_ns[touch.leg] += duration_ns
        crossing = best.crossing
        self.two_sided_ns += duration_ns * (crossing is not Crossing.ONE_SIDED)
        self.locked.add(duration_ns, is_on=crossing is Crossing.LOCKED)
        self.crossed.add(duration_ns, is_on=crossing is Crossing.CROSSED, width_bps=-best.quoted_spread_bps)
        self.profitable.add(duration_ns, is_on=best.is_profitable, width_bps=-best.net_spread_bps)


class Player:
    """Plays rows to the legs and keeps the tally; what is the case is worked out anew only when it may have changed."""

    def __init__(self, book: ConsolidatedBook) -> None:
        self.book = book
        self.tally = Tally(len(book.legs))
        self.begin_ns = 0  # when every leg was told a first time
        self.clock_ns = 0
        self._since_ns = 0
        self._best = Best()
        self._counts: list[bool] = []
        self._expiry_ns = 0

    def play(self, rows: Iterable[Row]) -> None:
        """All rows, in the order of their clocks."""
        legs = self.book.legs
        for received_ns, index, kind, side, flags, a, b, c, d in rows:
            self.clock_ns = max(self.clock_ns, received_ns)
            while self._expiry_ns and self._expiry_ns <= self.clock_ns:
                self._look(self._expiry_ns)
            if legs[index].take(kind, side, flags, self.clock_ns, a, b, c, d):
                if self.begin_ns:
                    self._look(self.clock_ns)
                elif all(leg.told_ns for leg in legs):
                    self.begin_ns = self._since_ns = self.clock_ns
                    self._look(self.clock_ns)
        if self.begin_ns:
            self._look(self.clock_ns)

    def _look(self, now_ns: int) -> None:
        """What was the case ends now; see what is."""
        self.tally.add(self._best, self._counts, now_ns - self._since_ns)
        self._since_ns = now_ns
        self._best = self.book.best(now_ns)
        self._counts = [self.book.counts(leg, now_ns) for leg in self.book.legs]
        self._expiry_ns = self.book.next_expiry_ns(now_ns)


def rows_of(tape: Tape, instruments: dict[int, int]) -> Iterator[Row]:
    """The rows of a tape that concern its legs (instrument -> leg). A clock that runs backwards stands still."""
    last_ns = 0
    for events in tape.events():
        wanted = np.isin(events["kind"], KINDS) & np.isin(events["instrument"], list(instruments))
        chosen = events[wanted]
        legs = [instruments[instrument] for instrument in chosen["instrument"].tolist()]
        columns = (chosen[word].tolist() for word in _WORDS)
        for leg, received_ns, *rest in zip(legs, *columns, strict=True):
            last_ns = max(last_ns, received_ns)
            yield (last_ns, leg, *rest)


def consolidate_tapes(
    paths: Sequence[Path | str], assets: Sequence[str] = (), *, max_age_s: float = MAX_AGE_S
) -> dict[str, Any]:
    """What the tapes say together of one asset, for JSON. `assets` are pairs such as BTC/USDT that count as the same."""
    if not 0.0 < max_age_s < 1e9:
        raise ConfigError(f"--max-age-s must be above zero, not {max_age_s:g}")
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise ConfigError("a tape is given twice: it would be compared with itself")
    tapes = [Tape.open(path) for path in paths]
    pairs = _pairs(tapes, assets)
    found = [
        (tape, index, instrument)
        for tape in tapes
        for index, instrument in enumerate(tape.instruments)
        if _pair(instrument) in pairs
    ]
    if len(found) < 2:
        there_are = ", ".join(sorted({f"{_pair(each)} ({each.market})" for tape in tapes for each in tape.instruments}))
        count = f"{len(found)} market{'s' * (not found)} of it on these tapes"
        raise MarketFileError(f"{', '.join(pairs)}: {count}; two or more are compared, of {there_are}")
    legs = [Leg(each.venue, each.symbol, kind=each.kind, taker_fee_bps=each.taker_fee_bps) for _, _, each in found]
    _check_overlap([tape for tape, _, _ in found])
    player = Player(ConsolidatedBook(legs, int(max_age_s * NS_PER_S)))
    streams = [
        rows_of(tape, {index: leg for leg, (other, index, _) in enumerate(found) if other is tape})
        for tape in {id(tape): tape for tape, _, _ in found}.values()
    ]
    player.play(heapq.merge(*streams))
    if not player.begin_ns:
        silent = ", ".join(_name(leg) for leg in legs if not leg.told_ns)
        raise MarketFileError(f"{silent}: not one whole message of its book on these tapes")
    sources = [str(tape.path) for tape, _, _ in found]
    return {"assets": pairs, "max_age_s": max_age_s} | _told(player, sources)


def _check_overlap(tapes: Sequence[Tape]) -> None:
    last = max(tapes, key=lambda tape: tape.first_received_ns)
    first = min(tapes, key=lambda tape: tape.last_received_ns)
    if last.first_received_ns >= first.last_received_ns:
        raise MarketFileError(f"{first.path} ends before {last.path} begins: they have no moment in common")


def share(part_ns: int, whole_ns: int) -> float:
    return part_ns / whole_ns if whole_ns else 0.0


def _pair(instrument: Instrument) -> str:
    return f"{instrument.base}/{instrument.quote}"


def _pairs(tapes: Sequence[Tape], assets: Sequence[str]) -> list[str]:
    """What was asked for, else the one pair that every tape has."""
    if assets:
        return list(dict.fromkeys(assets))
    listed = [{_pair(instrument) for instrument in tape.instruments} for tape in tapes]
    common = sorted(set.intersection(*listed)) if listed else []
    if len(common) != 1:
        there_are = ", ".join(sorted(set().union(*listed)))
        raise ConfigError(
            f"say with --asset which pair is meant, or which ones count as the same; there are {there_are}"
        )
    return common


def _name(leg: Leg) -> str:
    return f"{leg.venue} {leg.symbol}" + (f" {leg.kind}" if leg.kind != "spot" else "")


def _told(player: Player, sources: list[str]) -> dict[str, Any]:
    book, tally = player.book, player.tally
    duration_ns, best = tally.duration_ns, player.book.best(player.clock_ns)
    legs = [
        {
            "venue": leg.venue,
            "symbol": leg.symbol,
            "kind": leg.kind,
            "tape": sources[index],
            "taker_fee_bps": leg.taker_fee_bps,
            "counts_share": share(tally.counted_ns[index], duration_ns),
            **{f"leads_{name}_share": share(led_ns[index], duration_ns) for name, led_ns in tally.led_ns.items()},
        }
        for index, leg in enumerate(book.legs)
    ]
    return {
        "first_ns": player.begin_ns,
        "last_ns": player.clock_ns,
        "duration_s": duration_ns / NS_PER_S,
        "legs": legs,
        "two_sided_share": share(tally.two_sided_ns, duration_ns),
        "locked": tally.locked.as_dict(duration_ns),
        "crossed": tally.crossed.as_dict(duration_ns),
        "profitable": tally.profitable.as_dict(duration_ns),
        "last": {name: _touch(book, getattr(best, name)) for name in LEADS}
        | {
            "crossing": best.crossing.name.lower(),
            "net_spread_bps": best.net_spread_bps,
            "quoted_spread_bps": best.quoted_spread_bps,
        },
    }


def _touch(book: ConsolidatedBook, touch: Touch | None) -> dict[str, Any] | None:
    if touch is None:
        return None
    leg = book.legs[touch.leg]
    told = touch._asdict() | {"venue": leg.venue, "symbol": leg.symbol, "kind": leg.kind}
    del told["leg"]
    return told
