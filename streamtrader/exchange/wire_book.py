"""The exchange's own book: what a later snapshot request is answered with.

Built from the depth frames that went out, in the very text of the venue, so that a snapshot carries the same
number of decimals as the stream. It must stay exactly as far as the pump: a snapshot that is ahead of what the
client was sent could never be bridged.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import orjson

from streamtrader.exchange.frames import levels_text
from streamtrader.exchange.market import MarketKind

# Depth messages kept for a snapshot that is older than the newest of them (captures: REST answers come late).
RECENT = 256
ZEROS_KEPT = 4_096  # removed levels that may stay in a side: a small dictionary is a fast one
_ZEROS = frozenset(("0.00000000", "0.000", "0"))
Side = dict[str, str]


class WireBook:
    """One symbol's levels by price text; `is_whole` says that nothing is known to be missing."""

    def __init__(self, kind: MarketKind) -> None:
        self.kind = kind
        self.sides: tuple[Side, Side] = ({}, {})
        self.last_id: int | None = None
        self.venue_ms = 0
        self.is_whole = False
        self.gaps = 0
        self._purge_at = ZEROS_KEPT
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT)

    def apply(self, text: bytes) -> bool:
        """Take one combined depth frame; False when updates before it are missing."""
        data = orjson.loads(text).get("data")
        if not _is_update(data):
            return True  # passed on as it is: judging it is the client's business
        self._recent.append(data)
        return self._update(data)

    def reset(self, text: bytes) -> None:
        """Start anew from a REST snapshot, then repeat what is newer than it."""
        document = orjson.loads(text)
        for side, levels in zip(self.sides, (document["bids"], document["asks"]), strict=True):
            side.clear()
            _set_levels(side, levels)
        self.last_id = document["lastUpdateId"]
        self.is_whole = True
        for data in [data for data in self._recent if data["u"] > self.last_id]:
            self._update(data, is_first_after_snapshot=True)
        self._recent.clear()

    def _update(self, data: dict[str, Any], *, is_first_after_snapshot: bool = False) -> bool:
        first_id, last_id = data["U"], data["u"]
        if self.last_id is not None and last_id <= self.last_id:
            return True
        before = data.get("pu", first_id - 1)
        is_next = self.last_id is None or before <= self.last_id or is_first_after_snapshot
        _set_levels(self.sides[0], data["b"])
        _set_levels(self.sides[1], data["a"])
        if len(self.sides[0]) + len(self.sides[1]) > self._purge_at:
            self._purge()
        self.last_id = last_id
        self.venue_ms = data.get("E", self.venue_ms)
        if not is_next:
            self.is_whole = False
            self.gaps += 1
        return is_next

    def _purge(self) -> None:
        """Forget the levels that were removed."""
        for side in self.sides:
            kept = dict(_real_levels(side))
            side.clear()
            side.update(kept)
        self._purge_at = 2 * sum(map(len, self.sides)) + ZEROS_KEPT

    def best(self) -> tuple[float, float]:
        """Best bid and ask; nan where a side is empty."""
        bids, asks = ([float(price) for price, _ in _real_levels(side)] for side in self.sides)
        return max(bids, default=math.nan), min(asks, default=math.nan)

    def snapshot(self, limit: int, next_ids: tuple[int, int] | None) -> bytes:
        """The REST answer. `next_ids` are U and u of the next depth frame, where one is known."""
        bids = sorted(_real_levels(self.sides[0]), key=lambda level: -float(level[0]))[:limit]
        asks = sorted(_real_levels(self.sides[1]), key=lambda level: float(level[0]))[:limit]
        last_id = self._bridge_id(next_ids)
        times = "" if self.kind == "spot" else f'"E":{self.venue_ms},"T":{self.venue_ms},'
        return f'{{"lastUpdateId":{last_id},{times}"bids":{levels_text(bids)},"asks":{levels_text(asks)}}}'.encode()

    def _bridge_id(self, next_ids: tuple[int, int] | None) -> int:
        """An id that the next frame continues by the venue's own rule.

        Spot: the next U is this + 1. USD-M: update ids belong to the whole venue and jump, the first event must
        hold U <= id <= u, so the next frame's own U is named: applying that frame over this book changes nothing.
        Not so when it holds that one id only: it would look old, while its pu continues this book.
        """
        if next_ids is None or (self.kind == "spot" and self.last_id is not None):
            return self.last_id or 0
        first_id, last_id = next_ids
        if self.kind == "spot" or (first_id == last_id and self.last_id is None):
            return first_id - 1
        return first_id if first_id < last_id else self.last_id or 0


def _is_update(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and all(type(data.get(key, 0)) is int for key in ("U", "u", "pu", "E"))
        and "U" in data
        and "u" in data
        and all(isinstance(data.get(side), list) for side in ("b", "a"))
    )


def _set_levels(side: Side, levels: list[Any]) -> None:
    """Set levels in their own text. Removed ones stay with their zero until a purge, so that this runs at C speed."""
    try:
        side.update(levels)
    except (TypeError, ValueError):
        return  # not pairs of texts: judging them is the client's business


def _real_levels(side: Side) -> Iterator[tuple[str, str]]:
    """The levels that are there: two finite numbers as text, the size not zero."""
    for price, size in side.items():
        try:
            if size not in _ZEROS and math.isfinite(float(price)) and float(size) > 0:
                yield price, size
        except (TypeError, ValueError):
            continue
