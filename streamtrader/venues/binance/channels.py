"""The channels that come seldom enough to be read without a scanner: klines, marks, liquidations, partial depth.

* kline: only closed ones become a CANDLE. The event does not say its interval, so one connection has one interval.
  Candles that never came (a lost link) are counted in `candles_missing`; one that was told before, or that is older
  than the newest, in `candles_late`, and is not written: a candle is never told backwards.
* markPrice: the rate is the forecast for the next funding; the stream does not say what was paid in the end, so
  `is_settled` stays 0.
* forceOrder: the venue tells at most one order a second and symbol, and not all that it closed
  (https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Liquidation-Order-Streams).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streamtrader.errors import BadMessage, ConfigError, UnknownMessage
from streamtrader.events import Kind, Side
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import messages
from streamtrader.venues.binance.markets import KLINE, LIQUIDATION, MARK, PARTIAL, base_of
from streamtrader.venues.binance.partial import PartialBook
from streamtrader.venues.values import nanoseconds, word_of
from streamtrader.venues.venue import Counters


def check_symbol(told: str, instrument: Instrument) -> None:
    if told != instrument.symbol:
        raise BadMessage("a message of another symbol than its stream's")


class SlowChannels:
    """What these channels remember between frames. Rows are written only after everything was checked."""

    def __init__(
        self, instruments: Sequence[Instrument], counters: Counters, channels: Sequence[str], *, has_depth: bool
    ) -> None:
        intervals = {channel.removeprefix(KLINE) for channel in channels if channel.startswith(KLINE)}
        partial = [channel for channel in channels if base_of(channel) in PARTIAL]
        if len(intervals) > 1:
            raise ConfigError("one binance connection carries candles of one interval")
        if len(partial) > 1 or (partial and has_depth):
            raise ConfigError("one binance connection carries the whole depth or one partial depth")
        self._instruments = instruments
        self._most = [instrument.most for instrument in instruments]
        self._counters = counters
        self._interval = intervals.pop() if intervals else ""  # of the first one that comes
        self._next_ms = [0] * len(instruments)  # where the next candle begins
        self._has_depth = has_depth
        self.has_partial = bool(partial)
        self.tops = [PartialBook(index, counters) for index in range(len(instruments))]

    def read(self, channel: str, data: msgspec.Raw, instrument: int, received_ns: int, ring: Ring) -> None:
        """Write the rows of a message of a known symbol, or raise `UnknownMessage`."""
        base = base_of(channel)
        if base.startswith(KLINE):
            self._read_candle(messages.kline_of(data), instrument, received_ns, ring)
        elif base == MARK:
            self._read_mark(messages.mark_of(data), instrument, received_ns, ring)
        elif base == LIQUIDATION:
            self._read_liquidation(messages.forced_of(data), instrument, received_ns, ring)
        elif base in PARTIAL:
            self._read_top(messages.top_of(data, self._most[instrument]), instrument, received_ns, ring)
        else:
            raise UnknownMessage(f"a stream {channel[:40]!r}")

    def _read_candle(self, data: messages.KlineData, instrument: int, received_ns: int, ring: Ring) -> None:
        check_symbol(data.s, self._instruments[instrument])
        candle, counters = data.k, self._counters
        self._interval = self._interval or candle.i
        if candle.i != self._interval:
            raise UnknownMessage(f"candles of {candle.i[:10]}")
        if not candle.x:
            counters.notices += 1
            return
        expected_ms, end_ms = self._next_ms[instrument], candle.T + 1
        if candle.t < expected_ms:
            counters.candles_late += 1
            return
        if expected_ms:
            counters.candles_missing += (candle.t - expected_ms) // (end_ms - candle.t)
        self._next_ms[instrument] = end_ms
        words = (candle.o, candle.h, candle.l, candle.c)
        ring.write(
            Kind.CANDLE, instrument, 0, 0, nanoseconds(candle.t), received_ns, *words, id=word_of(candle.v)
        )  # fmt: skip
        counters.candles += 1

    def _read_mark(self, data: messages.MarkData, instrument: int, received_ns: int, ring: Ring) -> None:
        check_symbol(data.s, self._instruments[instrument])
        clocks = (nanoseconds(data.E), received_ns)
        ring.write(Kind.MARK, instrument, 0, 0, *clocks, data.p, data.i, data.rate, id=nanoseconds(data.T))
        self._counters.marks += 1

    def _read_liquidation(self, order: messages.ForcedData, instrument: int, received_ns: int, ring: Ring) -> None:
        """At the price and of the size that were filled; at the order's own where nothing was yet."""
        check_symbol(order.s, self._instruments[instrument])
        side = Side.SELL if order.S == "SELL" else Side.BUY
        clocks = (nanoseconds(order.T), received_ns)
        ring.write(Kind.LIQUIDATION, instrument, side, 0, *clocks, order.ap or order.p, order.z or order.q)
        self._counters.liquidations += 1

    def _read_top(self, top: messages.Top, instrument: int, received_ns: int, ring: Ring) -> None:
        if top.symbol:
            check_symbol(top.symbol, self._instruments[instrument])
        if self._has_depth:
            self._counters.notices += 1  # the whole depth tells as much, with proof
            return
        clocks = (nanoseconds(top.clock_ms), received_ns)
        self.tops[instrument].take(top.update, *clocks, top.bids, top.asks, ring)
