"""Best prices of a tape at any number of moments, in one pass over it, from the kernel's own books.

The tape is played to a bare engine, which stops where somebody wants to look. What is kept grows with the moments,
never with the tape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.events import ASK, BID
from streamtrader.runtime.assembly import Placement, Terms, assemble
from streamtrader.runtime.loading import class_sources, loop_sources
from streamtrader.strategies.strategy import PythonStrategy

if TYPE_CHECKING:
    from streamtrader.runtime.engine import Engine
    from streamtrader.storage.tape import Tape

Numbers = np.ndarray[Any, np.dtype[np.int64]]


class _Silent(PythonStrategy):
    """A seat that listens to nothing: an engine has at least one."""


class Moments:
    """Wanted best prices: `ask` for each, `look` once, then `bests[number]` are bid and ask in ticks.

    Both are -1 where a side was empty or the books crossed, and after the last event of the tape.
    """

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._instruments: list[int] = []
        self.bests: Numbers = np.zeros((0, 2), np.int64)

    def ask(self, at_ns: int, instrument: int, *, before: bool) -> int:
        """The number of a moment: with all that was heard until `at_ns`, or with what was `before` it."""
        self._keys.append(2 * at_ns + (not before))
        self._instruments.append(instrument)
        return len(self._keys) - 1

    def look(self, tapes: Sequence[Tape]) -> None:
        """Play the tapes, one continuing the other."""
        keys, instruments = np.array(self._keys, np.int64), np.array(self._instruments, np.int64)
        order = np.argsort(keys, kind="stable")
        keys, instruments = keys[order], instruments[order]
        found = np.full((len(keys), 2), -1, np.int64)
        engine = _bare_engine(tapes[0])
        tops = engine.state.markets["book"]["top"]
        done, last_ns = 0, 0
        for tape in tapes:
            for block, events in enumerate(tape.events()):
                tape.verify(block, block + 1)
                clock = np.maximum(np.maximum.accumulate(events["received_ns"]), last_ns)
                last_ns = int(clock[-1])
                stop = int(np.searchsorted(keys, 2 * last_ns, side="right"))
                cuts = np.searchsorted(2 * clock, keys[done:stop], side="left")
                at = 0
                for cut in np.unique(cuts).tolist():
                    _play(engine, events, at, cut)
                    at = cut
                    first, last = done + np.searchsorted(cuts, (cut, cut + 1))
                    found[first:last] = tops[instruments[first:last]]
                _play(engine, events, at, len(events))
                done = stop
        ended = int(np.searchsorted(keys, 2 * last_ns + 1, side="right"))  # the last moment itself is told as it ended
        found[done:ended] = tops[instruments[done:ended]]
        is_known = (found[:, BID] >= 0) & (found[:, ASK] > found[:, BID])
        found[~is_known] = -1
        self.bests = np.empty_like(found)
        self.bests[order] = found

    def middle(self, number: int) -> int:
        """Bid plus ask in ticks: twice the middle; -1 where it is not known."""
        bid, ask = self.bests[number].tolist()
        return bid + ask if bid >= 0 else -1

    def spread_ticks(self, number: int) -> int:
        bid, ask = self.bests[number].tolist()
        return ask - bid if bid >= 0 else -1


def _play(engine: Engine, events: np.ndarray[Any, Any], at: int, stop: int) -> None:
    while at < stop:
        at = engine.play(events, -1, at, stop)


def _bare_engine(tape: Tape) -> Engine:
    silent = [Placement(_Silent(), 0)]
    return assemble(tape.instruments, silent, Terms(), loop_sources=loop_sources(), class_sources=class_sources(()))
