"""Quotes around what the position makes the market worth to us: Avellaneda and Stoikov (2008).

"High-frequency trading in a limit order book", Quantitative Finance 8(3): a maker with constant absolute aversion to
risk, gamma, in a market whose middle s is a Brownian motion of volatility sigma, and whose orders reach a distance d
from it at a rate of A exp(-k d). With q orders held and the time T - t to go

    reservation price = s - q gamma sigma^2 (T - t)
    spread            = gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma / k)

and the quotes stand half a spread on either side of the reservation price: a long position lowers both.
"""

from __future__ import annotations

import math

import numpy as np

from streamtrader.errors import ConfigError
from streamtrader.events import ASK, BID, BUY, SELL, Level, Link, Quote, Trade
from streamtrader.indicators import Diffusion, Ema
from streamtrader.indicators.indicator import above_zero, whole_number
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.record import int64
from streamtrader.strategies.strategy import Strategy
from streamtrader.units import ABSURD_PRICE, ABSURD_SIZE, NS_PER_DAY, NS_PER_S

LONGEST_S = 10_000 * NS_PER_DAY / NS_PER_S


class AvellanedaStoikov(Strategy):
    """One post-only quote a side, moved with each message about the book; the position counts in orders of `size`.

    `gamma` and `k` are in 1 / the price's unit, `volatility` in the price's unit per root of a second. A session of
    `horizon_s` begins again and again, on whole multiples of it on the clock. A `k` or `volatility` of 0 is taken from
    the feed: k is 1 / the mean distance of `k_span` trades from the middle, volatility that of the middle (`Diffusion`
    with `half_life_s`); until they are known nothing is quoted.

    `is_symmetric` is what the paper compares with: the session's mean spread, always around the middle. No order is
    asked for that could carry the position beyond `limit` either side (in the instrument's unit, as `size`). Prices
    are rounded away from the market, keep at least `least_spread_ticks` between them, and never reach the other side.
    A quote that is less than `tolerance_ticks` from where it should be keeps its place in the queue.
    """

    def __init__(
        self, *, gamma: float = 0.001, k: float = 0.0, volatility: float = 0.0, horizon_s: float = 60.0,
        size: float = 0.002, limit: float = 0.01, least_spread_ticks: int = 1, tolerance_ticks: int = 0,
        is_symmetric: bool = False, half_life_s: float = 10.0, k_span: int = 100,
    ) -> None:  # fmt: skip
        for name, given in (("k", k), ("volatility", volatility)):
            if not 0.0 <= given < math.inf:
                raise ConfigError(f"{name} must be above zero, or 0 to take it from the feed, not {given}")
        if not 0.0 < size <= limit < ABSURD_SIZE:
            raise ConfigError(f"0 < size <= limit must hold, not size {size} and limit {limit}")
        if not 1e-3 <= horizon_s < LONGEST_S:
            raise ConfigError(f"horizon_s must be at least a millisecond, not {horizon_s}")
        self.gamma = above_zero("gamma", gamma)
        self.k = float(k)
        self.volatility = float(volatility)
        self.horizon_ns = round(horizon_s * NS_PER_S)
        self.size = float(size)
        self.limit = float(limit)
        self.least_spread_ticks = whole_number("least_spread_ticks", least_spread_ticks)
        self.tolerance_ticks = whole_number("tolerance_ticks", tolerance_ticks, least=0)
        self.is_symmetric = bool(is_symmetric)
        self.diffusion = Diffusion(half_life_s)
        self.distance = Ema(k_span)
        self.quoted_ticks = np.zeros(2, np.int64)  # where the last quote of each side was asked for

    def on_trade(self, trade: Trade, broker: Broker) -> None:
        if self.k == 0.0:
            self.distance.update(abs(trade.price - broker.middle()))

    def on_book(self, level: Level, broker: Broker) -> None:
        self.requote(broker)

    def on_quote(self, quote: Quote, broker: Broker) -> None:
        """The only book there is where the venue tells no other."""
        if not broker.market.has_depth:
            self.requote(broker)

    def on_link(self, link: Link, broker: Broker) -> None:
        """Quotes do not outlive the trust in the book that they were made from."""
        if not broker.is_live():
            broker.cancel_all()

    def requote(self, broker: Broker) -> None:
        """Move both quotes to where they belong; without a sound book, or k and volatility unknown, have none."""
        if not broker.is_live() or broker.spread_ticks() <= 0:
            broker.cancel_all()
            return
        middle = broker.middle()
        if self.volatility == 0.0:
            self.diffusion.update(middle, broker.now_ns())
        remaining_s = self.remaining_s(broker.now_ns())
        half = 0.5 * self.spread(remaining_s)
        center = middle if self.is_symmetric else self.reservation_price(middle, broker.position(), remaining_s)
        if not abs(center) + half < ABSURD_PRICE:  # or it is nan: no comparison with that is true
            broker.cancel_all()
            return
        market = broker.market
        half = max(half, 0.5 * self.least_spread_ticks / market.ticks_per_unit)
        bid = int64(math.floor((center - half) * market.ticks_per_unit + 1e-3))
        ask = int64(math.ceil((center + half) * market.ticks_per_unit - 1e-3))
        self.keep_quote(BUY, min(self.steady(BUY, bid), market.book.top[ASK] - 1), broker)
        self.keep_quote(SELL, max(self.steady(SELL, ask), market.book.top[BID] + 1), broker)

    # --- the formulas ---

    def remaining_s(self, now_ns: int) -> float:
        """T - t: all of the horizon at its beginning, never nothing."""
        return (self.horizon_ns - now_ns % self.horizon_ns) / NS_PER_S

    def variance_to_come(self, remaining_s: float) -> float:
        """sigma^2 (T - t), in the price's unit squared; nan while the volatility is not known."""
        volatility = self.volatility
        if volatility == 0.0:
            volatility = self.diffusion.value if self.diffusion.ready else math.nan
        return volatility * volatility * remaining_s

    def reservation_price(self, middle: float, position: float, remaining_s: float) -> float:
        return middle - position / self.size * self.gamma * self.variance_to_come(remaining_s)

    def spread(self, remaining_s: float) -> float:
        """Between bid and ask, in the price's unit; the symmetric one is the mean over a session."""
        if self.is_symmetric:
            remaining_s = 0.5 * self.horizon_ns / NS_PER_S
        for_orders = 2.0 / self.gamma * math.log1p(self.gamma / self.decay())
        return self.gamma * self.variance_to_come(remaining_s) + for_orders

    def decay(self) -> float:
        """K, given or from the feed; nan while it is not known."""
        if self.k > 0.0:
            return self.k
        return 1.0 / self.distance.value if self.distance.ready and self.distance.value > 0.0 else math.nan

    # --- the quotes ---

    def steady(self, side: int, ticks: int) -> int:
        """The last price while it is near enough."""
        last = self.quoted_ticks[side]
        return last if abs(ticks - last) < self.tolerance_ticks else ticks

    def keep_quote(self, side: int, ticks: int, broker: Broker) -> None:
        """One quote a side: stay where it is right, move where it is not, none where there is no room or no price."""
        stands = broker.cancel_others(side, ticks)
        if not stands and ticks > 0 and self.has_room(side, broker):
            broker.quote(side, self.size, ticks)
            self.quoted_ticks[side] = ticks

    def has_room(self, side: int, broker: Broker) -> bool:
        """Whether the position stays within the limit if all that works on this side is filled, and this too."""
        market = broker.market
        held = broker.position_lots() if side == BUY else -broker.position_lots()
        return held + broker.working_lots(side) + market.lots_of(self.size) <= market.lots_of(self.limit)
