"""Candles from trades, closed by the received clock.

A candle covers [start, start + interval). It is closed by the first event of any instrument at or after its end, so a
quiet minute is closed by whatever else happens or by a TIMER event, never by a later trade alone. An interval
without a trade gives a flat candle of volume 0 at the last close; after a long silence only the last
`SILENT_LIMIT` intervals are given, the others are counted as skipped. A trade whose price says nothing of this moment
adds volume only: an interval of such alone is flat at the last close, and none while no close is known.

Candles from outside (a venue's, a data set's, those before a session) reach strategies only where none are built: before
the first trade of the instrument, or with an interval of 0. So no interval is told twice.
"""

from __future__ import annotations

from streamtrader.kernel.record import Record

FAR_NS = 1 << 62
SILENT_LIMIT = 1_440
RANGE_SPAN = 14  # Wilder, "New Concepts in Technical Trading Systems", 1978


class CandleBuilder(Record):
    """`interval_ns` 0: no candles. `end_ns` is FAR until the first trade."""

    def __init__(self, interval_ns: int = 0) -> None:
        self.interval_ns = interval_ns
        self.end_ns = FAR_NS
        self.count = 0
        self.skipped_count = 0
        self.trade_count = 0  # in the interval, without those that add volume only
        self.open = 0.0
        self.high = 0.0
        self.low = 0.0
        self.close = 0.0
        self.volume = 0.0
        self.last_close = 0.0  # of the candle before this one
        self.average_range = 0.0  # Wilder's average of the true range; 0 until a candle has closed

    def go_on(self, end_ns: int, close: float) -> None:
        """Ours begin where a candle from outside ended; until a trade comes they are flat at its close."""
        self.end_ns = end_ns + self.interval_ns
        self.open = close
        self.high = close
        self.low = close
        self.close = close
        self.last_close = close

    def add(self, price: float, size: float, now_ns: int) -> None:
        """Take a trade into the interval that `now_ns` lies in; an earlier interval was closed before."""
        if self.end_ns == FAR_NS:
            self.end_ns = now_ns - now_ns % self.interval_ns + self.interval_ns
        if self.trade_count == 0:
            self.open = price
            self.high = price
            self.low = price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += size
        self.trade_count += 1

    def add_volume(self, size: float, now_ns: int) -> None:
        """Take a trade that moves no price."""
        if self.end_ns == FAR_NS:
            self.end_ns = now_ns - now_ns % self.interval_ns + self.interval_ns
        self.volume += size

    def skip_to(self, now_ns: int) -> None:
        """Leave out what lies further back than `SILENT_LIMIT` intervals."""
        waiting = (now_ns - self.end_ns) // self.interval_ns
        if waiting > SILENT_LIMIT and self.volume == 0.0:
            self.skipped_count += waiting - SILENT_LIMIT
            self.end_ns += (waiting - SILENT_LIMIT) * self.interval_ns

    def forget(self) -> None:
        """An interval has ended before any price was known: begin anew with the next trade."""
        self.end_ns = FAR_NS
        self.volume = 0.0

    def next_interval(self) -> None:
        """Begin the interval after the one just closed."""
        before = self.last_close if self.last_close > 0.0 else self.open
        true_range = max(self.high, before) - min(self.low, before)
        share = 1.0 / min(RANGE_SPAN, self.count + 1)  # the plain mean until there are enough
        self.average_range += (true_range - self.average_range) * share
        self.last_close = self.close
        self.count += 1
        self.end_ns += self.interval_ns
        self.trade_count = 0
        self.open = self.close
        self.high = self.close
        self.low = self.close
        self.volume = 0.0
