"""A raw capture of the venue as a market: its frames verbatim, in order, with their receive times as stamps.

The file is read twice. The first pass, bounded, learns what the exchange must know before anybody asks: which
symbols, spot or USD-M (only USD-M has `pu`), the tick and lot (the finest decimal that is not zero), where REST
snapshots lie, which lines are of no use. The second pass streams, so the size of a file does not matter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from streamtrader.errors import MarketFileError
from streamtrader.exchange.capture_lines import checked_paths, is_silent, known, parsed, read_lines
from streamtrader.exchange.market import DEPTH, SNAPSHOT, Channel, ChannelTable, Frame, MarketKind
from streamtrader.exchange.rules import venue_instrument
from streamtrader.instruments import Instrument

INSPECTED_LINES = 200_000
BATCH_FRAMES = 512


@dataclass(slots=True)
class _Decimals:
    """The most decimals seen that were not zero."""

    price: int = 0
    size: int = 0

    def see(self, price: object, size: object) -> None:
        if isinstance(price, str) and isinstance(size, str):
            self.price = max(self.price, _places(price))
            self.size = max(self.size, _places(size))

    def see_levels(self, levels: object) -> None:
        """Each level counts: a lone old order may be finer than what is traded now."""
        for level in levels if isinstance(levels, list) else ():
            if isinstance(level, list) and len(level) == 2:
                self.see(*level)


@dataclass(slots=True)
class Inspection:
    """What the first pass learned. Lines are counted over all files, from 0."""

    kind: MarketKind = "spot"
    lines: int = 0
    frames: int = 0
    is_complete: bool = False
    start_ns: int = 0
    bad_lines: set[int] = field(default_factory=set)  # silent ones too
    skipped: int = 0  # lines of no use and files that break off; silent lines do not count
    first_problem: str = ""
    decimals: dict[str, _Decimals] = field(default_factory=dict)
    update_ids: dict[str, list[int]] = field(default_factory=dict)
    channels: ChannelTable = field(default_factory=ChannelTable)
    snapshots: dict[int, tuple[int, int]] = field(default_factory=dict)  # line -> stamp, last update id

    def owner_of(self, snapshot_id: int) -> str:
        """Whose snapshot it is: a snapshot does not say, so the symbol whose update ids come nearest."""

        def distance(symbol: str) -> int:
            ids = self.update_ids[symbol]
            at = bisect_left(ids, snapshot_id)
            return min(abs(snapshot_id - known) for known in ids[max(0, at - 1) : at + 1])

        return min(self.update_ids, key=distance, default=next(iter(self.decimals)))


class CaptureMarket:
    """The frames of one or more capture files that continue each other."""

    seed: int | None = None

    def __init__(self, names: Sequence[str], *, inspected_lines: int = INSPECTED_LINES) -> None:
        self._paths = checked_paths(names)
        self.name = ",".join(path.name for path in self._paths)
        self._inspection = inspection = _inspected(self._paths, inspected_lines)
        self._owners = {line: inspection.owner_of(found[1]) for line, found in inspection.snapshots.items()}
        self.kind: MarketKind = inspection.kind
        self.instruments: dict[str, Instrument] = {
            symbol: venue_instrument(symbol, self.kind, seen.price, seen.size)
            for symbol, seen in inspection.decimals.items()
        }
        self.start_ns = inspection.start_ns
        self.frames_total = inspection.frames if inspection.is_complete else None
        self.skipped_lines = inspection.skipped
        self.first_problem = inspection.first_problem

    def opening_book(self, symbol: str) -> bytes | None:
        return None

    def has_snapshot_after(self, symbol: str, stamp_ns: int) -> bool:
        return any(
            self._owners[line] == symbol and found[0] > stamp_ns for line, found in self._inspection.snapshots.items()
        )

    def frames(self) -> Iterator[list[Frame]]:
        """All usable lines; a stamp that does not grow is made one nanosecond larger than the one before it."""
        channels, batch, stamp_ns = ChannelTable(), [], 0
        inspected, bad_lines = self._inspection.lines, self._inspection.bad_lines
        new = tuple.__new__  # a third of the cost of calling the class, and this is done for every frame
        for line, (_, _, raw) in enumerate(read_lines(self._paths, self._note_damage)):
            if line in bad_lines:
                continue
            found = known(raw) if line < inspected else None
            if found is None:
                found = self._parsed(line, raw)
                if found is None:
                    continue
            found_ns, stream, text = found
            stamp_ns = found_ns if found_ns > stamp_ns else stamp_ns + 1
            batch.append(new(Frame, (stamp_ns, channels[stream], text)))
            if len(batch) == BATCH_FRAMES:
                yield batch
                batch = []
        if batch:
            yield batch

    def _parsed(self, line: int, raw: bytes) -> tuple[int, str, bytes] | None:
        """Stamp, stream and text of a line, taken apart with care; None, and counted, when it is of no use."""
        found = parsed(raw)
        if isinstance(found, str):
            self.skipped_lines += not is_silent(raw)
            return None
        stream = found.stream
        if not stream:
            symbol = self._owners.get(line) or self._inspection.owner_of(found.document["lastUpdateId"])
            stream = f"{symbol.lower()}@{SNAPSHOT}"
        return found.stamp_ns, stream, found.text

    def _note_damage(self, path: Path, number: int, problem: str) -> None:
        if not self._inspection.is_complete:
            self.skipped_lines += 1


def _inspected(paths: Sequence[Path], lines_limit: int) -> Inspection:
    """The first pass; raises when the files hold nothing that could be sent."""
    inspection, seen_stamp_ns = Inspection(is_complete=True), 0

    def note(path: Path, number: int, problem: str) -> None:
        inspection.skipped += 1
        inspection.first_problem = inspection.first_problem or f"{path}, line {number}: {problem}"

    for line, (path, number, raw) in enumerate(read_lines(paths, note)):
        if line == lines_limit:
            inspection.is_complete = False
            break
        inspection.lines = line + 1
        found = "" if is_silent(raw) else _inspect_line(inspection, line, raw, seen_stamp_ns)
        if isinstance(found, int):
            seen_stamp_ns = found
            continue
        inspection.bad_lines.add(line)
        if found:
            note(path, number, found)
    if not inspection.decimals:
        reason = inspection.first_problem or f"{paths[0]}: holds no line"
        raise MarketFileError(f"not a usable capture: {reason}", path=str(paths[0]))
    for ids in inspection.update_ids.values():
        ids.sort()
    return inspection


def _inspect_line(inspection: Inspection, line: int, raw: bytes, seen_stamp_ns: int) -> int | str:
    """Learn from one line; its stamp, made larger than the one before, or what is wrong with it."""
    found = parsed(raw)
    if isinstance(found, str):
        return found
    stamp_ns = max(found.stamp_ns, seen_stamp_ns + 1)
    inspection.start_ns = inspection.start_ns or stamp_ns
    if found.stream:
        inspection.frames += 1
        _learn(inspection, inspection.channels[found.stream], found.document["data"])
    else:
        inspection.snapshots[line] = (stamp_ns, found.document["lastUpdateId"])
    return stamp_ns


def _learn(inspection: Inspection, channel: Channel, data: dict[str, Any]) -> None:
    """Decimals, kind and update ids from one frame; a value of a wrong type teaches nothing."""
    decimals = inspection.decimals.setdefault(channel.symbol, _Decimals())
    match channel.feed:
        case "trade":
            decimals.see(data.get("p"), data.get("q"))
        case "bookTicker":
            decimals.see(data.get("b"), data.get("B"))
            decimals.see(data.get("a"), data.get("A"))
        case feed if feed == DEPTH:
            if "pu" in data:
                inspection.kind = "usdm"
            ids = inspection.update_ids.setdefault(channel.symbol, [])
            if type(data.get("u")) is int:
                ids.append(data["u"])
            decimals.see_levels(data.get("b"))
            decimals.see_levels(data.get("a"))
        case _:
            pass  # other feeds are passed on, their numbers follow other rules


@lru_cache(maxsize=1 << 16)  # the same prices and sizes come again and again: half the time of the first pass
def _places(number: str) -> int:
    """How many decimals a number's text has, without trailing zeros."""
    decimals = number.partition(".")[2].rstrip("0")
    return len(decimals) if decimals.isdigit() else 0
