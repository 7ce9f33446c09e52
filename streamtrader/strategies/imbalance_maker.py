"""The demo: rest quotes at both touches, lean with the imbalance of the book, take a little when it is strong."""

from __future__ import annotations

from streamtrader.errors import ConfigError
from streamtrader.events import ASK, BID, BUY, SELL, Fill, Level, Link
from streamtrader.indicators import Ema
from streamtrader.kernel.broker import Broker
from streamtrader.strategies.strategy import Strategy
from streamtrader.units import NS_PER_MS


class ImbalanceMaker(Strategy):
    """Trade often at a tiny size, as maker and as taker: it shows the engine and is not a way to earn.

    The imbalance is (bid size - ask size) / (bid size + ask size) at the touches, from -1 to 1, smoothed over `span` book
    messages. Beyond `lean` the quote on the thin side, the next to be run over, steps back by `back_ticks`; beyond
    `take` it buys (or sells) `take_size` at the market, at most once in `pause_ms`. `quote_size`, `take_size` and `limit`
    are in the instrument's unit; no order is asked for that could carry the position beyond `limit` either side.
    """

    def __init__(
        self,
        *,
        quote_size: float = 0.002,
        take_size: float = 0.002,
        limit: float = 0.01,
        lean: float = 0.3,
        take: float = 0.6,
        span: int = 3,
        back_ticks: int = 2,
        pause_ms: int = 1_000,
    ) -> None:
        if not 0.0 < lean <= take <= 1.0:
            raise ConfigError(f"0 < lean <= take <= 1 must hold, not lean {lean} and take {take}")
        if not (0.0 < quote_size <= limit and 0.0 < take_size <= limit):
            raise ConfigError(f"quote_size {quote_size} and take_size {take_size} must lie within the limit {limit}")
        self.imbalance = Ema(span)
        self.quote_size = quote_size
        self.take_size = take_size
        self.limit = limit
        self.lean = lean
        self.take = take
        self.back_ticks = back_ticks
        self.pause_ns = pause_ms * NS_PER_MS
        self.next_take_ns = 0
        self.filled = 0.0  # turnover in the instrument's unit

    def on_link(self, link: Link, broker: Broker) -> None:
        """Quotes do not outlive the trust in the book that they were made from."""
        if not broker.is_live():
            broker.cancel_all()

    def on_book(self, level: Level, broker: Broker) -> None:
        if not broker.is_live():
            return
        bid_size, ask_size = broker.bid_size(), broker.ask_size()
        if broker.spread_ticks() <= 0 or bid_size + ask_size <= 0.0:
            return
        imbalance = self.imbalance.update((bid_size - ask_size) / (bid_size + ask_size))
        taking = self.side_to_take(imbalance, broker)
        book = broker.market.book
        bid = book.top[BID] - (self.back_ticks if imbalance < -self.lean else 0)
        ask = book.top[ASK] + (self.back_ticks if imbalance > self.lean else 0)
        # What is asked for in a turn does not count as working yet: the side that takes gets no new quote in it.
        self.keep_quote(BUY, bid, broker, is_free=taking != BUY)
        self.keep_quote(SELL, ask, broker, is_free=taking != SELL)
        if taking >= 0:
            self.take_touch(taking, broker)

    def on_fill(self, fill: Fill, broker: Broker) -> None:
        self.filled += fill.size

    def keep_quote(self, side: int, ticks: int, broker: Broker, is_free: bool) -> None:
        """One quote a side: stay where it is right, move where it is not, none where there is no room."""
        stands = broker.cancel_others(side, ticks)
        if is_free and not stands and ticks > 0 and self.has_room(side, self.quote_size, broker):
            broker.quote(side, self.quote_size, ticks)

    def side_to_take(self, imbalance: float, broker: Broker) -> int:
        """The side to take on now, or -1."""
        if abs(imbalance) < self.take or broker.now_ns() < self.next_take_ns:
            return -1
        side = BUY if imbalance > 0.0 else SELL
        return side if self.has_room(side, self.take_size, broker) else -1

    def take_touch(self, side: int, broker: Broker) -> None:
        self.next_take_ns = broker.now_ns() + self.pause_ns
        if side == BUY:
            broker.buy(self.take_size)
        else:
            broker.sell(self.take_size)

    def has_room(self, side: int, size: float, broker: Broker) -> bool:
        """Whether the position stays within the limit if all that works on this side is filled, and this too."""
        market = broker.market
        held = broker.position_lots() if side == BUY else -broker.position_lots()
        return held + broker.working_lots(side) + market.lots_of(size) <= market.lots_of(self.limit)
