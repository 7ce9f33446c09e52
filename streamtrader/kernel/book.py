"""The L2 book: one open-addressing table of levels for both sides, in integer ticks and lots, best prices tracked.

Measured against sorted arrays and price windows on real captures, the table is the shortest, has no window to
re-centre, and its cost does not depend on where a level lies. It is bounded: ten minutes of Binance touch nearly
10,000 levels, a snapshot of Coinbase has 40,000 a side. When it is full it forgets the far levels, never better ones
than the best, and says from where. `edge[side]` is the nearest tick that was ever forgotten since the snapshot: inside
it the book is complete, beyond it is unknown. Once a best price has come that far the book is worn (`is_worn`): only a
snapshot tells what stands there.

A free slot is zeros, so that the system need not store the part of the table that no level ever came to.

The next level away from the middle stands within a few ticks of the last one as a rule. Where it does not, as where a
tick is a millionth of the price, a look through the table notes the best levels of that side in order (`near`), and that
list then follows what is put and removed there: one look serves many steps.

Best-quote feeds (`TOP`) keep one level a side outside the table.
"""

from __future__ import annotations

import numpy as np

from streamtrader.events import ASK, BID
from streamtrader.kernel.compiler import inlined
from streamtrader.kernel.record import Record

BOOK_SLOTS = 16_384  # of 16 bytes; 10,240 levels before far ones are forgotten
PROBES = 256  # ticks that are looked at one by one: nearly always enough, and cheaper than a list that follows the market
NEAR_SLOTS = 32  # best levels of a side that are kept in order
NEAR_FIRST = 16  # of them after a look through the table; full: the book is dense there, and needs no list
_FAR_TICKS = 1 << 62
_UNBOUNDED_TICKS = 1 << 61


class Book(Record):
    """`top[side]` is the best price in ticks or -1, `top_lots[side]` what stands there."""

    def __init__(self, slots: int = BOOK_SLOTS) -> None:
        self.top = np.full(2, -1)
        self.top_lots = np.zeros(2, np.int64)
        self.count = np.zeros(2, np.int64)  # levels in the table; 0 where a best-quote feed keeps the side
        self.reach_ticks = _UNBOUNDED_TICKS  # levels further than this from their best are not kept
        self.edge = np.array([-1, _FAR_TICKS])
        self.is_bounded = False  # levels were forgotten since the snapshot
        self.forgotten_count = 0
        self.prune_count = 0
        self.near = np.zeros((2, NEAR_SLOTS), np.int64)  # ticks, those of bids below zero: the best first
        self.near_count = np.zeros(2, np.int64)  # 0: no list is kept of that side
        self.has_near = False  # of either side
        self.table = np.zeros((slots, 2), np.int64)  # key (0: free), lots

    def clear(self) -> None:
        self.top[:] = -1
        self.top_lots[:] = 0
        self.count[:] = 0
        self.reach_ticks = _UNBOUNDED_TICKS
        self.edge[0] = -1
        self.edge[1] = _FAR_TICKS
        self.is_bounded = False
        self.forget_near()
        for slot in range(len(self.table)):
            if self.table[slot, 0] != 0:  # what was never written shall stay so
                self.table[slot, 0] = 0

    def best_lots(self, side: int) -> int:
        return self.top_lots[side]

    def lots_at(self, side: int, ticks: int) -> int:
        """What is displayed at a level; 0 where there is none."""
        if ticks == self.top[side]:
            return self.top_lots[side]
        if self.count[side] == 0:
            return 0
        key = (ticks + 1) * 2 + side
        slot = self.slot_of(key)
        return self.table[slot, 1] if self.table[slot, 0] == key else 0

    def is_crossed(self) -> bool:
        return self.top[0] >= 0 and self.top[1] >= 0 and self.top[0] >= self.top[1]

    def is_worn(self) -> bool:
        """Whether a best price has come to levels that were forgotten: better ones than it may stand there."""
        if self.edge[0] >= 0 and self.top[0] <= self.edge[0]:
            return True
        return self.edge[1] < _FAR_TICKS and (self.top[1] < 0 or self.top[1] >= self.edge[1])

    @inlined
    def set_top(self, side: int, ticks: int, lots: int) -> int:
        """The one level that a best-quote feed knows of a side; returns what stood at that price."""
        if self.count[side] > 0:
            self.clear()
        before = self.top_lots[side] if self.top[side] == ticks else 0
        self.top[side] = ticks if lots > 0 else -1
        self.top_lots[side] = lots
        return before

    @inlined
    def set_level(self, side: int, ticks: int, lots: int) -> int:
        """Put `lots` at the level and return what stood there."""
        key = (ticks + 1) * 2 + side
        mask = len(self.table) - 1
        slot = ((key & 0x7FFFFFFF) * 0x9E3779B1 >> 16) & mask
        while self.table[slot, 0] != key and self.table[slot, 0] != 0:
            slot = (slot + 1) & mask
        top = self.top[side]
        if self.table[slot, 0] == key:
            before = self.table[slot, 1]
            if lots > 0:
                self.table[slot, 1] = lots
                if ticks == top:
                    self.top_lots[side] = lots
            else:
                self.drop(side, ticks, slot)
            return before
        if lots > 0:
            self.insert(side, ticks, lots, slot)
        return 0

    def insert(self, side: int, ticks: int, lots: int, slot: int) -> None:
        top = self.top[side]
        behind = top - ticks if side == BID else ticks - top
        if top >= 0 and behind > self.reach_ticks:
            self.forget(side, ticks)
            return
        self.table[slot, 0] = (ticks + 1) * 2 + side
        self.table[slot, 1] = lots
        self.count[side] += 1
        if top < 0 or behind < 0:
            self.top[side] = ticks
            self.top_lots[side] = lots
        if self.has_near and self.near_count[side] > 0:
            self.put_near(side, ticks)
        if self.count[0] + self.count[1] > len(self.table) * 5 // 8:
            self.prune()

    def drop(self, side: int, ticks: int, slot: int) -> None:
        self.free(slot)
        if self.has_near and self.near_count[side] > 0:
            self.drop_near(side, ticks)
        if ticks == self.top[side]:
            best = self.next_level(side, ticks)
            self.top[side] = best
            self.top_lots[side] = 0
            if best >= 0:
                self.top_lots[side] = self.table[self.slot_of((best + 1) * 2 + side), 1]

    def home(self, key: int) -> int:
        return ((key & 0x7FFFFFFF) * 0x9E3779B1 >> 16) & (len(self.table) - 1)

    def slot_of(self, key: int) -> int:
        mask = len(self.table) - 1
        slot = self.home(key)
        while self.table[slot, 0] != key and self.table[slot, 0] != 0:
            slot = (slot + 1) & mask
        return slot

    def free(self, slot: int) -> None:
        """Close the gap, so that no probe ever needs a tombstone."""
        mask = len(self.table) - 1
        self.count[self.table[slot, 0] & 1] -= 1
        at = (slot + 1) & mask
        while self.table[at, 0] != 0:
            if ((at - self.home(self.table[at, 0])) & mask) >= ((at - slot) & mask):
                self.table[slot, 0] = self.table[at, 0]
                self.table[slot, 1] = self.table[at, 1]
                slot = at
            at = (at + 1) & mask
        self.table[slot, 0] = 0

    def forget(self, side: int, ticks: int) -> None:
        self.forgotten_count += 1
        self.is_bounded = True
        self.edge[side] = max(self.edge[side], ticks) if side == BID else min(self.edge[side], ticks)

    def prune(self) -> None:
        """Full: bring the reach in until two fifths are free again. Both sides weigh the same distance.

        By halves, for one absurd price may stand very far away; then by a half back, where that still fits.
        """
        self.prune_count += 1
        self.forget_near()
        wanted = len(self.table) * 3 // 8
        reach = 0
        for slot in range(len(self.table)):
            key = self.table[slot, 0]
            if key > 0:
                reach = max(reach, abs((key >> 1) - 1 - self.top[key & 1]))
        while reach > 16 and self.within(reach) > wanted:
            reach = reach // 2
        wider = reach + reach // 2
        if self.within(wider) <= wanted:
            reach = wider
        slot = 0
        while slot < len(self.table):
            key = self.table[slot, 0]
            if key > 0 and abs((key >> 1) - 1 - self.top[key & 1]) > reach:
                self.forget(key & 1, (key >> 1) - 1)
                self.free(slot)
            else:
                slot += 1
        # Room to breathe: the next prune comes later, and levels stay known while the price drifts.
        self.reach_ticks = reach * 4

    def within(self, reach: int) -> int:
        """Levels no further than that from the best of their side."""
        kept = 0
        for slot in range(len(self.table)):
            key = self.table[slot, 0]
            if key > 0 and abs((key >> 1) - 1 - self.top[key & 1]) <= reach:
                kept += 1
        return kept

    def next_level(self, side: int, ticks: int) -> int:
        """The next level away from the middle, or -1."""
        if self.count[side] == 0:
            return -1
        if self.near_count[side] > 0:
            found = self.near_level(side, ticks)
            if found >= 0 or self.near_count[side] == self.count[side]:
                return found
        step = -1 if side == BID else 1
        for distance in range(1, PROBES + 1):
            key = (ticks + step * distance + 1) * 2 + side
            if self.table[self.slot_of(key), 0] == key:
                return ticks + step * distance
        if self.near_count[side] == 0:
            self.note_near(side)
            found = self.near_level(side, ticks)
            if found >= 0 or self.near_count[side] == self.count[side]:
                return found
        return self.look_through(side, ticks)

    def look_through(self, side: int, ticks: int) -> int:
        """The next level of all that are in the table, or -1."""
        here, best = (ticks + 1) * 2 + side, _FAR_TICKS if side == ASK else 0
        for slot in range(len(self.table)):
            key = self.table[slot, 0]
            if key & 1 == side and ((best < key < here) if side == BID else (here < key < best)):
                best = key
        return (best >> 1) - 1 if 0 < best < _FAR_TICKS else -1

    def near_level(self, side: int, ticks: int) -> int:
        """The next level of those that are noted, or -1."""
        sign = -1 if side == BID else 1
        for at in range(self.near_count[side]):
            if self.near[side, at] > ticks * sign:
                return self.near[side, at] * sign
        return -1

    def note_near(self, side: int) -> None:
        """Look through the table for the best levels of a side."""
        sign = -1 if side == BID else 1
        count = 0
        for slot in range(len(self.table)):
            key = self.table[slot, 0]
            if key & 1 == side and key > 0:
                place = ((key >> 1) - 1) * sign
                if count < NEAR_FIRST or place < self.near[side, count - 1]:
                    self.insert_near(side, place, min(count, NEAR_FIRST - 1))
                    count = min(count + 1, NEAR_FIRST)
        self.near_count[side] = count
        self.has_near = True

    def forget_near(self) -> None:
        self.near_count[:] = 0
        self.has_near = False

    def put_near(self, side: int, ticks: int) -> None:
        """A level is new: it is noted where it is better than the last one that is, or where all are."""
        count, place = self.near_count[side], -ticks if side == BID else ticks
        if place > self.near[side, count - 1] and count < self.count[side] - 1:
            return
        if count == NEAR_SLOTS:
            self.near_count[side] = 0
            return
        self.insert_near(side, place, count)
        self.near_count[side] = count + 1

    def insert_near(self, side: int, place: int, count: int) -> None:
        """Among the first `count`, those behind it move on by one."""
        at = count
        while at > 0 and self.near[side, at - 1] > place:
            self.near[side, at] = self.near[side, at - 1]
            at -= 1
        self.near[side, at] = place

    def drop_near(self, side: int, ticks: int) -> None:
        """A level is gone."""
        count, place = self.near_count[side], -ticks if side == BID else ticks
        if place > self.near[side, count - 1]:
            return
        at = 0
        while self.near[side, at] < place:
            at += 1
        for behind in range(at, count - 1):
            self.near[side, behind] = self.near[side, behind + 1]
        self.near_count[side] = count - 1
