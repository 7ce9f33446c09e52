"""What a session wrote, added up as it is written: it agrees with the database by construction, and stays small."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamtrader.observers.screen_state import Activity
from streamtrader.units import NS_PER_S

if TYPE_CHECKING:
    from streamtrader.runtime.live import Session
    from streamtrader.storage.rows import Row

ACTIVITY_KEPT = 64


@dataclass(slots=True)
class Tally:
    """What the written rows add up to; fed by the recorder, so it agrees with the database by construction."""

    orders: Counter[str] = field(default_factory=Counter)  # by the newest status
    fills: Counter[str] = field(default_factory=Counter)  # by liquidity
    refusals: Counter[str] = field(default_factory=Counter)  # by rule
    activity: deque[Activity] = field(default_factory=lambda: deque(maxlen=ACTIVITY_KEPT))

    def take(self, session: Session, rows: list[Row]) -> None:
        for table, values in rows:
            if table == "orders" and values[8] in ("filled", "cancelled", "rejected", "refused"):
                self.orders[values[8]] += 1
            elif table == "fills":
                self.fills[values[11]] += 1
                self._note(session, values, values[4], f"{values[4].upper()} {values[7]} at {values[5]} {values[11]}")
            elif table == "refusals":
                self.refusals[values[10]] += 1
                size = values[7]
                self._note(session, values, "refused", f"{values[4]} {size} refused by {values[10]}")
            elif table == "intents" and values[11] == 0:
                price = values[6] or "market"
                self._note(session, values, "order", f"{values[4]} {values[8]} at {price}")

    def _note(self, session: Session, values: tuple[Any, ...], kind: str, text: str) -> None:
        seat = session.recorder.journal.seats[values[2]]
        symbol = session.feed.instruments[seat.instrument].symbol
        self.activity.append(Activity(time=clock_text(values[1]), kind=kind, symbol=symbol, text=f"{text}  {seat.strategy}"))


def clock_text(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / NS_PER_S, UTC).strftime("%H:%M:%S") if at_ns > 0 else "--:--:--"
