"""The channels of OKX that tell how a market is run: mark prices, funding, liquidations, maintenance, states."""

from __future__ import annotations

from collections.abc import Callable

from streamtrader.events import Kind, TradingStatus
from streamtrader.kernel.ring import Ring
from streamtrader.venues.okx import markets, messages
from streamtrader.venues.okx.messages import SIDES
from streamtrader.venues.streamed_venue import StreamedVenue
from streamtrader.venues.values import check_trade, nanoseconds

Reader = Callable[[bytes, int, Ring], None]
Sizes = Callable[[int, float], float]
REAL = "1"  # the environment that is not the demo


class Condition:
    """What is known of one instrument: its mark, what it pays next, and its state as the venue calls it."""

    __slots__ = ("due_ns", "mark", "rate", "settled_due_ns", "state")

    def __init__(self) -> None:
        self.mark = self.rate = 0.0
        self.due_ns = 0  # when `rate` is paid
        self.settled_due_ns = 0  # `due_ns` when a settlement was last told
        self.state = ""


class Conditions:
    """Reads the frames of those channels for an adapter; `size_of` is its size of a number of contracts."""

    def __init__(self, venue: StreamedVenue, size_of: Sizes) -> None:
        self._venue = venue
        self._size_of = size_of
        self._known = [Condition() for _ in venue.instruments]
        self.readers: dict[bytes, Reader] = {
            markets.MARK.encode(): self.read_marks,
            markets.FUNDING.encode(): self.read_fundings,
            markets.LIQUIDATION.encode(): self.read_liquidations,
            markets.STATUS.encode(): self.read_maintenance,
            markets.RULES.encode(): self.read_rules,
        }

    def read_marks(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        marks = messages.marks_of(frame).data
        known = [self._venue.instrument_of(mark.instrument) for mark in marks]
        for instrument, mark in zip(known, marks, strict=True):
            condition = self._known[instrument]
            condition.mark = mark.price
            self._write(instrument, (nanoseconds(mark.ts), received_ns), condition.rate, 0.0, ring)

    def read_fundings(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        """Funding is told beside the last mark price; without any it is only remembered.

        While a settlement is "processing" the venue may name the next one already, so a payment is told once the
        state is "settled" again and another time is due than at the last one.
        """
        fundings = messages.fundings_of(frame).data
        known = [self._venue.instrument_of(funding.instrument) for funding in fundings]
        for instrument, funding in zip(known, fundings, strict=True):
            condition, clocks = self._known[instrument], (nanoseconds(funding.ts), received_ns)
            condition.rate, condition.due_ns = funding.rate, nanoseconds(funding.due)
            if funding.state != "processing":
                is_paid = 0 < condition.settled_due_ns < condition.due_ns and funding.settled_rate
                condition.settled_due_ns = condition.due_ns
                if is_paid:
                    self._write(instrument, clocks, messages.rate_of(funding.settled_rate), 1.0, ring)
            self._write(instrument, clocks, condition.rate, 0.0, ring)

    def read_liquidations(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        """The venue tells those of all instruments of a type; others than ours are left out."""
        venue, found = self._venue, []
        for each in messages.liquidations_of(frame).data:
            instrument = venue.index.get(each.instrument, -1)
            for detail in each.details if instrument >= 0 else ():
                size = self._size_of(instrument, detail.size)
                check_trade(detail.price, size)
                clocks = nanoseconds(detail.ts), received_ns
                found.append((instrument, SIDES[detail.side], 0, *clocks, detail.price, size))
        for row in found:
            ring.write(Kind.LIQUIDATION, *row)
        venue.counters.liquidations += len(found)
        venue.counters.notices += not found

    def read_maintenance(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        """Of the trading service: all instruments. Of parts of it the venue does not say which: nobody knows."""
        venue, status = self._venue, None
        for maintenance in messages.maintenances_of(frame).data:
            told = markets.MAINTENANCE.get(maintenance.state)
            if told is None or maintenance.environment != REAL:
                continue  # planned, or on the demo
            if maintenance.service == markets.TRADING_SERVICE:
                status = told
            elif maintenance.service in markets.TRADING_IN_PARTS:
                status = TradingStatus.UNKNOWN if told != TradingStatus.TRADING else told
        if status is None:
            venue.counters.notices += 1
            return
        for instrument in range(len(venue.instruments)):
            self._write_status(instrument, status, received_ns, ring)

    def read_rules(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        """The list of all instruments, then what changes; only a new state is an event."""
        is_new = False
        for rules in messages.rules_of(frame).data:
            instrument = self._venue.index.get(rules.instrument, -1)
            if instrument >= 0 and rules.state != self._known[instrument].state:
                is_new = True
                self._known[instrument].state = rules.state
                status = markets.STATES.get(rules.state, TradingStatus.UNKNOWN)
                self._write_status(instrument, status, received_ns, ring)
        self._venue.counters.notices += not is_new

    def _write(self, instrument: int, clocks: tuple[int, int], rate: float, settled: float, ring: Ring) -> None:
        condition = self._known[instrument]
        if not condition.mark:
            self._venue.counters.notices += 1
            return
        words = (condition.mark, 0.0, rate, settled)
        ring.write(Kind.MARK, instrument, 0, 0, *clocks, *words, id=condition.due_ns)
        self._venue.counters.marks += 1

    def _write_status(self, instrument: int, status: TradingStatus, received_ns: int, ring: Ring) -> None:
        ring.write(Kind.STATUS, instrument, 0, 0, 0, received_ns, float(status))
        self._venue.counters.statuses += 1
