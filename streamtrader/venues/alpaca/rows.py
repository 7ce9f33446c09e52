"""From Alpaca's messages to rows: what each says of a market, and whose rule that is.

* TRADE: `side` is inferred where the venue names none (all stocks): above the last different price a buyer, below it
  a seller (Lee and Ready 1991). `c` is 1 where the trade counts as volume only (`conditions`), `d` is the letter of
  the exchange as a number (`Trade.is_volume_only`, `Trade.exchange`). Trade ids are those of the exchange: id and `d`
  together name a trade.
* CORRECTION: `id` is that of the trade that was wrong, `c` the id under which the corrected one counts, `d` the
  exchange; a cancelled trade has size 0.
* QUOTE: the best of all exchanges of the feed, in shares. A stock's top of book is LIVE with its first quote, and
  STALE while one side is missing. Crypto is LIVE with the book that the venue sends whole (`r`).
* CANDLE: the minutes of the channel `bars`. A minute that is told again with trades that came late (`updatedBars`),
  or after a later one, counts as `candles_late` and is no row: candles are never told backwards. A minute without a
  trade has no bar of a stock, so only crypto can miss one. The day until now (`dailyBars`) is never closed, no row.
* STATUS: halts and resumptions. Indications, imbalances and price bands change nothing and count as notices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamtrader.errors import UnknownMessage
from streamtrader.events import BUY, BookState, Kind, TradingStatus
from streamtrader.instruments import Most
from streamtrader.kernel.ring import Ring
from streamtrader.units import NS_PER_S
from streamtrader.venues.alpaca import markets, messages
from streamtrader.venues.alpaca.conditions import TOLD_ONLY, VOLUME_ONLY, effect_of
from streamtrader.venues.alpaca.messages import SIDES, exchange_code, nanoseconds_at
from streamtrader.venues.streamed_venue import StreamedVenue
from streamtrader.venues.values import check_candle, check_levels, check_prices, check_quote, check_sides, check_trade

Reader = Callable[[Any, int, Ring], None]
Levels = list[tuple[float, float]]
MINUTE_NS = 60 * NS_PER_S

_TRADE, _STATUS, _CORRECTION, _LIVE = int(Kind.TRADE), int(Kind.STATUS), int(Kind.CORRECTION), BookState.LIVE


class MarketReader:
    """Writes the rows of one adapter's messages; each method checks all of a message before its first row."""

    def __init__(self, venue: StreamedVenue) -> None:
        self._venue = venue
        self._counters = venue.counters
        self._most = venue.most
        symbols = [instrument.symbol for instrument in venue.instruments]
        self.is_crypto = [markets.is_crypto(symbol) for symbol in symbols]
        self.has_depth = [is_crypto and markets.BOOKS in venue.channels for is_crypto in self.is_crypto]
        self._last_prices = [0.0] * len(symbols)
        self._last_sides = [BUY] * len(symbols)
        self._last_minutes = [0] * len(symbols)  # the newest candle that was written
        self.readers: dict[type, Reader] = {
            messages.Trade: self._read_trade,
            messages.Quote: self._read_quote,
            messages.Book: self._read_book,
            messages.Bar: self._read_bar,
            messages.UpdatedBar: self._read_bar,
            messages.DailyBar: self._read_bar,
            messages.Status: self._read_status,
            messages.Correction: self._read_correction,
            messages.Cancel: self._read_cancel,
            messages.Band: self._read_band,
            messages.Imbalance: self._read_imbalance,
        }

    def _read_trade(self, trade: messages.Trade, received_ns: int, ring: Ring) -> None:
        instrument = self._venue.instrument_of(trade.S)
        check_trade(trade.p, trade.s, self._most[instrument])
        messages.check_id(trade.i)
        venue_ns = nanoseconds_at(trade.t)
        effect = effect_of(trade.c or (), trade.z or "")
        if effect == TOLD_ONLY:
            self._counters.notices += 1
            return
        side = self._side_of(trade, instrument, effect)
        words = (trade.p, trade.s, float(effect), exchange_code(trade.x))
        ring.write(_TRADE, instrument, side, 0, venue_ns, received_ns, *words, trade.i)
        self._counters.trades += 1

    def _side_of(self, trade: messages.Trade, instrument: int, effect: int) -> int:
        """The taker's side as told, else by the tick rule against the last price that counted."""
        last = self._last_prices[instrument]
        side = SIDES.get(trade.tks, -1)
        if side < 0:
            is_moved = last > 0.0 and trade.p != last
            side = int(trade.p < last) if is_moved else self._last_sides[instrument]
        if effect != VOLUME_ONLY:
            self._last_prices[instrument], self._last_sides[instrument] = trade.p, side
        return side

    def _read_quote(self, quote: messages.Quote, received_ns: int, ring: Ring) -> None:
        instrument = self._venue.instrument_of(quote.S)
        check_sides((quote.bp, quote.bs), (quote.ap, quote.ask_size), self._most[instrument])
        venue_ns = nanoseconds_at(quote.t)
        book, has_depth = self._venue.books[instrument], self.has_depth[instrument]
        if not (quote.bp and quote.bs and quote.ap and quote.ask_size):
            self._counters.notices += 1  # 0 says that nobody buys, or that nobody sells
            if not has_depth and book.state is _LIVE:
                book.become(BookState.STALE, received_ns, ring)
            return
        is_in_lots = venue_ns < markets.SHARES_SINCE_NS and not self.is_crypto[instrument]
        lot = markets.ROUND_LOT if is_in_lots else 1.0
        bid, ask = (quote.bp, quote.bs * lot), (quote.ap, quote.ask_size * lot)
        check_quote(bid, ask, self._most[instrument])
        self._venue.write_quote(instrument, (venue_ns, received_ns), bid, ask, ring)
        if not has_depth and book.state is not _LIVE:
            book.live_ns = received_ns
            book.become(_LIVE, received_ns, ring)

    def _read_book(self, told: messages.Book, received_ns: int, ring: Ring) -> None:
        instrument = self._venue.instrument_of(told.S)
        if not self.has_depth[instrument]:
            raise UnknownMessage(f"a book of {told.S[:40]}, of which none was subscribed to")
        book = self._venue.suspect = self._venue.books[instrument]
        self._venue.heard[markets.BOOKS][instrument] = received_ns
        bids, asks = (_levels(side, self._most[instrument]) for side in (told.b, told.a))
        venue_ns = nanoseconds_at(told.t)
        if told.r:
            bids, asks = ([level for level in side if level[1]] for side in (bids, asks))
            book.snapshot(0, venue_ns, received_ns, bids, asks, ring)
        elif book.state is _LIVE:
            book.delta(0, venue_ns, received_ns, bids, asks, ring)
        else:
            self._counters.notices += 1  # the whole book is still to come

    def _read_bar(self, bar: messages.AnyBar, received_ns: int, ring: Ring) -> None:
        instrument = self._venue.instrument_of(bar.S)
        check_candle(bar.o, bar.h, bar.l, bar.c, bar.v)
        start_ns = nanoseconds_at(bar.t)
        last_ns = self._last_minutes[instrument]
        if isinstance(bar, messages.DailyBar):
            self._counters.notices += 1
        elif isinstance(bar, messages.UpdatedBar) or start_ns <= last_ns:
            self._counters.candles_late += 1
        else:
            if last_ns and self.is_crypto[instrument]:
                self._counters.candles_missing += max((start_ns - last_ns) // MINUTE_NS - 1, 0)
            self._last_minutes[instrument] = start_ns
            words = (bar.o, bar.h, bar.l, bar.c)
            self._venue.write_candle(instrument, (start_ns, received_ns), words, bar.v, ring)

    def _read_status(self, status: messages.Status, received_ns: int, ring: Ring) -> None:
        instrument = self._venue.instrument_of(status.S)
        venue_ns = nanoseconds_at(status.t)
        if status.sc in markets.INDICATIONS:
            self._counters.notices += 1
            return
        code = markets.HALTS.get(status.sc, TradingStatus.UNKNOWN)
        ring.write(_STATUS, instrument, 0, 0, venue_ns, received_ns, float(code))
        self._counters.statuses += 1

    def _read_correction(self, told: messages.Correction, received_ns: int, ring: Ring) -> None:
        instrument = self._venue.instrument_of(told.S)
        check_trade(told.cp, told.cs)
        messages.check_id(told.oi, told.ci)
        clocks = (nanoseconds_at(told.t), received_ns)
        words = (told.cp, told.cs, float(told.ci), exchange_code(told.x))
        ring.write(_CORRECTION, instrument, 0, 0, *clocks, *words, told.oi)
        self._counters.corrections += 1

    def _read_cancel(self, told: messages.Cancel, received_ns: int, ring: Ring) -> None:
        instrument = self._venue.instrument_of(told.S)
        check_trade(told.p, told.s)
        messages.check_id(told.i)
        clocks = (nanoseconds_at(told.t), received_ns)
        ring.write(_CORRECTION, instrument, 0, 0, *clocks, told.p, 0.0, 0.0, exchange_code(told.x), told.i)
        self._counters.corrections += 1

    def _read_band(self, band: messages.Band, received_ns: int, ring: Ring) -> None:
        self._venue.instrument_of(band.S)
        check_prices(*(price for price in (band.u, band.d) if price))  # 0 says that there is none
        nanoseconds_at(band.t)
        self._counters.notices += 1

    def _read_imbalance(self, imbalance: messages.Imbalance, received_ns: int, ring: Ring) -> None:
        self._venue.instrument_of(imbalance.S)
        check_prices(*(price for price in (imbalance.p,) if price))
        nanoseconds_at(imbalance.t)
        self._counters.notices += 1


def _levels(told: list[messages.Level], most: Most) -> Levels:
    levels = [(level.p, level.s) for level in told]
    check_levels(levels, most)
    return levels
