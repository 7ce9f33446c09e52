"""Strategies and rules for tests of the engine. Few, because each class costs a third of a second to compile."""

from __future__ import annotations

import numpy as np

from streamtrader.events import ASK, BID, BUY, SELL
from streamtrader.risk import RiskRule
from streamtrader.strategies.strategy import PythonStrategy, Strategy

# What a `Planned` strategy does, and the fields of one line of its plan.
NOTHING, ORDER, CANCEL, CANCEL_ALL, HOLD, QUOTE, AMEND, MOVE_TRIGGER = range(8)
# Refinements of an order of the same turn: `side` is the number of its line in the plan, `size` the value.
STOP_AT, TAKE_PROFIT_AT, TRAIL_BY, TRAIL_BY_RANGE = 10, 11, 12, 13
REDUCE_ONLY, FILL_OR_KILL, EXPIRE_AFTER_MS, SHOW_ONLY, LINK, PROTECT = 14, 15, 16, 17, 18, 19
POST_ONLY, IMMEDIATE = 1, 2
AT_NS, WHAT, SIDE, SIZE, LIMIT, OPTIONS = range(6)
SEEN_SLOTS = 64


class Planned(Strategy):
    """Does what its plan says at the first market event at or after the given time; writes down what it is told."""

    def __init__(self, plan=(), start_ns=0) -> None:
        self.start_ns = start_ns
        self.next = 0
        self.plan = np.full((16, 6), np.inf)
        for at, line in enumerate(plan):
            self.plan[at] = line
        self.answers = np.zeros(16)
        self.seen_count = 0
        self.seen = np.zeros((SEEN_SLOTS, 6))  # kind, time since the start, two words of the event, position, cash

    def follow(self, broker):
        while self.next < len(self.plan) and self.plan[self.next, 0] <= broker.now_ns() - self.start_ns:
            at = self.next
            self.next += 1
            what, side, size = self.plan[at, 1], int(self.plan[at, 2]), self.plan[at, 3]
            limit, options = self.plan[at, 4], int(self.plan[at, 5])
            if what == 1:
                if side == 0:
                    self.answers[at] = broker.buy(size, limit, options & 1 != 0, options & 2 != 0)
                else:
                    self.answers[at] = broker.sell(size, limit, options & 1 != 0, options & 2 != 0)
            elif what == 2:
                self.answers[at] = broker.cancel(int(size))
            elif what == 3:
                broker.cancel_all()
            elif what == 4:
                broker.hold(size)
            elif what == 5:
                self.answers[at] = broker.quote(side, size, int(limit))
            elif what == 6:
                self.answers[at] = broker.amend(int(self.answers[side]), size, limit)
            elif what == 7:
                self.answers[at] = broker.move_trigger(int(self.answers[side]), size)
            elif what >= 10:
                self.answers[at] = self.refine(what, int(self.answers[side]), size, limit, options, broker)

    def refine(self, what, order, value, second, source, broker):
        done = False
        if what == 10:
            done = broker.stop_at(order, value, source)
        elif what == 11:
            done = broker.take_profit_at(order, value, source)
        elif what == 12:
            done = broker.trail_by(order, value, source)
        elif what == 13:
            done = broker.trail_by_range(order, value, source)
        elif what == 14:
            done = broker.reduce_only(order)
        elif what == 15:
            done = broker.fill_or_kill(order)
        elif what == 16:
            done = broker.expire_at(order, broker.now_ns() + int(value) * 1_000_000)
        elif what == 17:
            done = broker.show_only(order, value)
        elif what == 18:
            done = broker.link(order, int(self.answers[int(value)]))
        else:
            done = broker.protect(order, value, second, source)
        return done

    def see(self, kind, first, second, broker):
        if self.seen_count < len(self.seen):
            seen = self.seen[self.seen_count]
            seen[0] = kind
            seen[1] = broker.now_ns() - self.start_ns
            seen[2] = first
            seen[3] = second
            seen[4] = broker.position_lots()
            seen[5] = broker.cash()
            self.seen_count += 1

    def on_trade(self, trade, broker):
        self.follow(broker)

    def on_book(self, level, broker):
        self.follow(broker)

    def on_candle(self, candle, broker):
        self.see(5.0, candle.close, candle.volume, broker)

    def on_fill(self, fill, broker):
        self.see(6.0, fill.price, fill.size, broker)

    def on_order(self, order, broker):
        self.see(7.0, order.state, order.reason, broker)

    def on_timer(self, event, broker):
        self.see(8.0, event.received_ns - self.start_ns, 0.0, broker)


class Taker(Strategy):
    """Turns its position round every few trades, with market and immediate orders."""

    def __init__(self, every: int = 3, size: float = 0.05) -> None:
        self.every = every
        self.size = size
        self.count = 0
        self.fill_count = 0
        self.paid = 0.0

    def on_trade(self, trade, broker):
        self.count += 1
        if self.count % self.every == 0:
            broker.hold(-self.size if broker.position_lots() > 0 else self.size)
        elif self.count % 7 == 0:
            broker.buy(self.size, trade.price, False, True)

    def on_fill(self, fill, broker):
        self.fill_count += 1
        self.paid += fill.fee
        if self.fill_count % 5 == 0:
            broker.sell(fill.size, fill.price)


class Clockwork(Strategy):
    """Quotes both touches anew every few trades, whatever was filled: the same orders under any model of the venue."""

    def __init__(self, every: int = 20, size: float = 0.5) -> None:
        self.every = every
        self.size = size
        self.count = 0

    def on_trade(self, trade, broker):
        self.count += 1
        if self.count % self.every == 0:
            broker.cancel_all()
            for side in range(2):
                broker.quote(side, self.size, broker.market.book.top[side])


class Maker(Strategy):
    """Keeps a post-only order at each touch and takes away what stands elsewhere."""

    def __init__(self, size: float = 0.02) -> None:
        self.size = size
        self.order_count = 0
        self.reasons = 0.0

    def on_book(self, level, broker):
        book = broker.market.book
        for side in range(2):
            if book.top[side] > 0 and not broker.cancel_others(side, book.top[side]):
                broker.quote(side, self.size, book.top[side])

    def on_order(self, order, broker):
        self.order_count += 1
        self.reasons += order.reason


class Candler(Strategy):
    """Follows candles, keeps the time, leaves when the link is in doubt."""

    def __init__(self, size: float = 0.1) -> None:
        self.size = size
        self.volume = 0.0
        self.timer_ns = 0
        self.timer_count = 0
        self.quote_count = 0

    def on_candle(self, candle, broker):
        self.volume += candle.volume
        broker.hold(self.size if candle.close >= candle.open else -self.size)

    def on_timer(self, event, broker):
        self.timer_count += 1
        self.timer_ns = event.received_ns
        if self.timer_count % 3 == 0:
            broker.cancel_all()
            broker.buy(self.size, broker.last_price())

    def on_quote(self, quote, broker):
        self.quote_count += 1

    def on_link(self, link, broker):
        if link.state != 2.0:
            broker.hold(0.0)


class Juggler(Strategy):
    """Every few trades an order of another kind, in turn; some are changed, some taken back."""

    def __init__(self, size: float = 0.1) -> None:
        self.size = size
        self.count = 0

    def on_trade(self, trade, broker):
        self.count += 1
        if self.count % 3 != 0:
            return
        turn = self.count // 3
        side, price, near = turn % 2, trade.price, trade.price * 0.0005
        sign = 1.0 - 2.0 * side
        order = 0
        kind = turn % 9
        if kind == 0:
            order = self.ask(side, price - sign * near, broker)
            broker.protect(order, price - sign * 4 * near, price + sign * 4 * near)
        elif kind == 1:
            order = self.ask(side, 0.0, broker)
            broker.stop_at(order, price + sign * near)
            other = self.ask(side, price - sign * near, broker)
            broker.link(order, other)
        elif kind == 2:
            order = self.ask(side, price, broker)
            broker.show_only(order, self.size / 4)
        elif kind == 3:
            order = self.ask(side, price - sign * 2 * near, broker)
            broker.expire_at(order, broker.now_ns() + 2_000_000_000)
        elif kind == 4:
            order = self.ask(side, 0.0, broker)
            broker.trail_by(order, 3 * near)
        elif kind == 5:
            order = self.ask(side, price + sign * near, broker)
            broker.fill_or_kill(order)
        elif kind == 6:
            orders = broker.seat.blotter.orders
            for index in range(broker.open_orders()):
                if orders[index].ticks > 0:
                    broker.amend(orders[index].id, self.size / 2, price - sign * near)
        elif kind == 7:
            order = self.ask(1 if broker.position_lots() > 0 else 0, price, broker)
            broker.reduce_only(order)
        elif turn % 18 == 8:
            broker.cancel_all()

    def ask(self, side, limit, broker):
        if side == 0:
            return broker.buy(self.size, limit)
        return broker.sell(self.size, limit)


class Looker(Planned):
    """Follows its plan, and writes down what it is told of its account at each trade."""

    def __init__(self, plan=(), start_ns=0) -> None:
        super().__init__(plan, start_ns)
        self.looks = np.zeros((16, 8))
        self.look_count = 0

    def on_trade(self, trade, broker):
        if self.look_count < len(self.looks):
            look = self.looks[self.look_count]
            look[0] = broker.account_equity()
            look[1] = broker.free_margin()
            look[2] = broker.leverage()
            look[3] = broker.margin_ratio()
            look[4] = broker.margin_level()
            look[5] = broker.liquidation_price()
            look[6] = broker.mark_price()
            look[7] = broker.funding_rate()
            self.look_count += 1
        self.follow(broker)


class Clumsy(Strategy):
    """Reads beyond its array from the `limit`th trade on, after asking for an order."""

    def __init__(self, limit: int = 3) -> None:
        self.values = np.zeros(limit)
        self.count = 0

    def on_trade(self, trade, broker):
        broker.buy(0.01)
        self.values[self.count] = trade.price
        self.count += 1


class BrokenRule(RiskRule):
    """Cannot answer once it has been asked more than twice."""

    code = 51

    def __init__(self) -> None:
        self.values = np.zeros(2)
        self.count = 0

    def refuses(self, order, broker):
        self.values[self.count] = 1.0
        self.count += 1
        return False


class PythonTwin(PythonStrategy):
    """A strategy played as plain Python: the handlers of its twin, called on the twin's own record."""

    def __init__(self, *arguments) -> None:
        self.twin = self.original(*arguments)


def python_twin(cls):
    """The class of plain Python strategies that do what `cls` does."""

    def handler(name):
        return lambda self, told, broker: getattr(self.twin, name)(told, broker)

    names = [name for name in vars(cls) if name.startswith("on_") and name != "on_event"]
    return type(f"Python{cls.__name__}", (PythonTwin,), {"original": cls} | {name: handler(name) for name in names})


PythonTaker, PythonMaker, PythonCandler, PythonPlanned, PythonClumsy, PythonLooker = map(
    python_twin, (Taker, Maker, Candler, Planned, Clumsy, Looker)
)

assert (BUY, SELL, BID, ASK) == (0, 1, 0, 1)  # written as numbers above, as users may
