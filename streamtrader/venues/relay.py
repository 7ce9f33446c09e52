"""Two links overlap at a venue whose messages have no numbers of the market's own: who tells what, and when.

    message                                     becomes
    ------------------------------------------  ---------------------------------------------------------------
    whole in itself (a snapshot, a best quote)
      of the newer link                         told: that link tells this channel of this symbol from now on
      of the older one, after that              passed over
    a change of what came before
      of the link that tells the channel        told
      of the other one                          passed over
    trade that was told                         passed over
    trade of the newer link, the next by its id told
    trade of the newer link, further on         waits: the older one may bring those between; at most `HOLD_NS`
    trade of the older link                     told, and what waited and is next

So a book changes its link where the newer one sends its snapshot: it is LIVE before and LIVE after, and between the
two stands one whole message. Trades count without holes at such venues, which makes two streams of them one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from streamtrader.units import NS_PER_S
from streamtrader.venues.venue import Counters

HOLD_NS = 2 * NS_PER_S
ECHO_NS = 60 * NS_PER_S  # so long after the older link ended, the newer one may still repeat what that had told
WAITING_MOST = 4_096  # trades of all instruments; a ring has room for them
ALL = 1 << 63  # an id behind all others


class Told(NamedTuple):
    """A checked trade, as its adapter wrote it."""

    id: int
    side: int
    clocks: tuple[int, int]
    price: float
    size: float


class Relay:
    """One for the life of an adapter. `link` is who speaks; `is_on` while two overlap, and a little longer."""

    def __init__(self, instruments: int, counters: Counters) -> None:
        self.newest_trades = [0] * instruments  # by their ids, whoever told them
        self._counters = counters
        self._tellers: defaultdict[str, list[int]] = defaultdict(lambda: [0] * instruments)
        self._waiting: list[list[Told]] = [[] for _ in range(instruments)]
        self.held = 0  # trades that wait
        self.begin()

    def begin(self) -> None:
        """There is one link, and it is the first."""
        self.link = self._newest = 0
        self.is_on = False
        self._until_ns = 0  # 0: both links stand
        self._tellers.clear()
        for waiting in self._waiting:
            waiting.clear()
        self.held = 0

    def turn_to(self, link: int) -> None:
        self.link = link
        if link > self._newest:
            self._newest, self.is_on, self._until_ns = link, True, 0

    def passes_over(self, channel: str, instrument: int, *, is_whole: bool = True) -> bool:
        """Whether another link tells this channel of this instrument."""
        tellers = self._tellers[channel]
        teller = tellers[instrument]
        if teller == self.link:
            return False
        if is_whole and self.link > teller:
            tellers[instrument] = self.link
            return False
        self._counters.repeated += 1
        return True

    def told_by(self, link: int, channel: str) -> list[int]:
        """The instruments whose channel a link tells."""
        return [instrument for instrument, teller in enumerate(self._tellers[channel]) if teller == link]

    def hand_on(self, link: int, heir: int, received_ns: int) -> None:
        """A link has ended; what it told, the heir tells."""
        for tellers in self._tellers.values():
            tellers[:] = [heir if teller == link else teller for teller in tellers]
        self._newest = max(self._newest, heir)
        self.is_on, self._until_ns = True, received_ns + ECHO_NS

    # Trades.

    def trades(self, instrument: int, told: Told) -> Iterator[Told]:
        """Those that are to be written now, the one that came among them, or before them, or not."""
        received_ns, waiting, newest = told.clocks[1], self._waiting[instrument], self.newest_trades[instrument]
        if self._until_ns and received_ns > self._until_ns and not waiting:
            self.is_on = False
        if not told.id or not self.is_on:
            yield self._written(instrument, told)
        elif told.id > newest + 1 and self.link == self._newest and not self._until_ns:
            waiting.append(told)
            self.held += 1
        else:
            yield from self.released(instrument, received_ns, before=told.id)
            if told.id > self.newest_trades[instrument]:
                yield self._written(instrument, told)
            else:
                self._counters.repeated += 1
        yield from self.released(instrument, received_ns)

    def released(self, instrument: int, received_ns: int, *, before: int = 0) -> Iterator[Told]:
        """What needs to wait no more: all ids `before` one that comes behind them, or that follow without a hole."""
        waiting = self._waiting[instrument]
        while waiting:
            told = waiting[0]
            newest = self.newest_trades[instrument]
            is_due = told.id < before or self.held > WAITING_MOST or received_ns - told.clocks[1] > HOLD_NS
            if told.id > newest + 1 and not is_due:
                return
            del waiting[0]
            self.held -= 1
            if told.id > newest:
                yield self._written(instrument, told._replace(clocks=(told.clocks[0], received_ns)))
            else:
                self._counters.repeated += 1

    def _written(self, instrument: int, told: Told) -> Told:
        self.newest_trades[instrument] = told.id
        return told
