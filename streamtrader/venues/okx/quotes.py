"""The best bid and ask of OKX, which three channels tell: every 10 ms, every 100 ms, and beside each ticker.

Only the quickest of them that speaks is believed: a ticker that comes behind it tells of the past.
"""

from __future__ import annotations

from streamtrader.kernel.ring import Ring
from streamtrader.venues.okx import markets, messages
from streamtrader.venues.okx.conditions import Reader, Sizes
from streamtrader.venues.streamed_venue import StreamedVenue
from streamtrader.venues.values import check_identity, check_milliseconds, check_sides, nanoseconds

RANKS = {markets.BEST: 0, markets.BOOK5: 1, markets.TICKER: 2}
RANK_LAST = 9
Side = tuple[float, float]


class BestQuotes:
    """Reads the frames of those channels for an adapter; `size_of` is its size of a number of contracts."""

    def __init__(self, venue: StreamedVenue, size_of: Sizes) -> None:
        self._venue = venue
        self._size_of = size_of
        self._ranks = [RANK_LAST] * len(venue.instruments)
        self._heard = venue.heard.get(markets.BEST, [0] * len(venue.instruments))
        self.readers: dict[bytes, Reader] = {
            markets.BEST.encode(): self.read_best,
            markets.BOOK5.encode(): self.read_best,
            markets.TICKER.encode(): self.read_tickers,
        }

    def connected(self) -> None:
        """Nobody has spoken yet."""
        self._ranks = [RANK_LAST] * len(self._ranks)

    def read_best(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        message = messages.book_of(frame)
        instrument, channel = self._venue.instrument_of(message.arg.instrument), message.arg.channel
        (data,) = message.data
        check_milliseconds(data.ts)
        check_identity(data.sequence + 1)  # -1 where there is none
        bids, asks = messages.rows_of(data.bids[:1]), messages.rows_of(data.asks[:1])
        if channel == markets.BEST:
            self._heard[instrument] = received_ns
        clocks = nanoseconds(data.ts), received_ns
        sides = self._sides(instrument, *bids, *asks) if bids and asks else None
        self._write(instrument, RANKS.get(channel, RANK_LAST), clocks, sides, ring, max(data.sequence, 0))

    def read_tickers(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        told = []
        for ticker in messages.tickers_of(frame).data:
            check_milliseconds(ticker.ts)
            bid, bid_size, ask, ask_size = messages.quoted_of(ticker)
            clocks = nanoseconds(ticker.ts), received_ns
            instrument = self._venue.instrument_of(ticker.instrument)
            told.append((instrument, clocks, self._sides(instrument, (bid, bid_size), (ask, ask_size))))
        for instrument, clocks, sides in told:
            self._write(instrument, RANKS[markets.TICKER], clocks, sides, ring)

    def _sides(self, instrument: int, bid: Side, ask: Side) -> tuple[Side, Side]:
        """Sizes in units of base, all of it checked."""
        bid, ask = ((price, self._size_of(instrument, size)) for price, size in (bid, ask))
        check_sides(bid, ask, self._venue.most[instrument])
        return bid, ask

    def _write(
        self, instrument: int, rank: int, clocks: tuple[int, int], sides: tuple[Side, Side] | None, ring: Ring,
        sequence: int = 0,
    ) -> None:  # fmt: skip
        """A notice where one side is empty, or where a quicker channel speaks."""
        if rank > self._ranks[instrument] or sides is None or not all(map(all, sides)):
            self._venue.counters.notices += 1
            return
        self._ranks[instrument] = rank
        self._venue.write_quote(instrument, clocks, *sides, ring, id=sequence)
