"""What is known of one instrument: its book, its candles, its state, and the current event in ticks and lots."""

from __future__ import annotations

import math

import numpy as np

from streamtrader.events import ASK, BID, MORE, NEWEST, TOP, WARM, BookState, Event, Kind, TapeEvent, TradingStatus
from streamtrader.kernel.book import BOOK_SLOTS, Book
from streamtrader.kernel.candles import FAR_NS, CandleBuilder
from streamtrader.kernel.compiler import inlined
from streamtrader.kernel.demands import Demands
from streamtrader.kernel.minutes import Minutes
from streamtrader.kernel.record import Record, int64

TIER_SLOTS = 16
CAP, RATE, AMOUNT, LEVERAGE = range(4)  # of a tier
# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
TRADING, UNKNOWN = int(TradingStatus.TRADING), int(TradingStatus.UNKNOWN)
HALTED, CLOSED = int(TradingStatus.HALTED), int(TradingStatus.CLOSED)
NO_STATE = 0  # no feed ever spoke of a book: trades only, or rows from a file without book states


class Market(Record):
    """Books are shared by all seats of the instrument.

    `ticks`, `lots` are those of the current event, `before_lots` what its level held before it.
    """

    def __init__(
        self, ticks_per_unit: float = 100.0, lots_per_unit: float = 1e8, minimum_notional: float = 0.0,
        candle_ns: int = 0, slots: int = BOOK_SLOTS, is_derivative: bool = False,
    ) -> None:  # fmt: skip
        self.first_seat = 0
        self.stop_seat = 0  # the seats of this instrument are those from `first_seat` up to here
        self.kinds = 0  # the kinds of events that any of them handles
        self.busy_count = 0  # how many of them have a venue that must see the market's events
        self.ticks_per_unit = float(ticks_per_unit)
        self.lots_per_unit = float(lots_per_unit)
        self.minimum_notional = float(minimum_notional)
        self.now_ns = 0  # the time of the turn in hand
        self.event_ns = 0  # the time of the last event
        self.due_ns = FAR_NS  # the earliest thing that waits for a seat of this instrument, or a candle's end
        self.ticks = 0
        self.lots = 0
        self.before_lots = 0
        self.last_price = 0.0
        self.trade_ns = 0
        self.state = NO_STATE
        self.state_before_cross = NO_STATE
        self.book_ns = 0
        self.update_id = 0
        self.has_depth = False
        self.has_links = False  # the feed tells the states of its book
        self.candle_seat = 0  # 1 + the next seat to be told of the candle in `closed`; 0: none
        self.crossed_count = 0
        self.worn_count = 0  # times that the book ran past the levels that it keeps
        self.gap_count = 0
        self.trade_count = 0
        self.message_count = 0
        self.warm_count = 0  # candles of before the session
        self.is_derivative = bool(is_derivative)
        self.told_mark = 0.0  # by the venue, of a derivative; 0: never
        self.mark_ns = 0
        self.mark_age_ns_most = FAR_NS
        self.funding_rate = 0.0  # the forecast for the next funding
        self.funding_due_ns = FAR_NS
        self.funded_rate = 0.0  # what was paid last, at which price, and when that was due
        self.funded_price = 0.0
        self.funded_ns = 0
        self.currency = 0  # of its quotes, as accounts count them
        self.quote_rate = 1.0  # what a unit of it is worth in the account's currency; 0: not known yet
        self.quote_rate_ns = 0  # when that was heard
        self.rate_source = -1  # the market that says it; -1: it is fixed
        self.is_rate_inverse = False
        self.is_long_at_cost = False  # a long position needs margin by what it cost, not by what it is worth
        self.is_hard_to_borrow = False
        self.coin_rate = 0.0  # what a borrowed coin costs a year, as a share of its value
        self.haircut = 0.0  # the share of a position's value that is no collateral
        self.tier_count = 1
        self.tiers = np.zeros((TIER_SLOTS, 4))  # by value: the highest, its rate, what is taken off, most leverage
        self.tiers[0, CAP] = math.inf
        self.status = 0  # a `TradingStatus`; 0: nobody ever spoke of it
        self.demands = Demands()
        self.minutes = Minutes()
        self.candle = CandleBuilder(candle_ns)
        self.closed = np.zeros(1, TapeEvent().dtype)  # the candle that is being delivered
        self.book = Book(slots)

    def ticks_of(self, price: float) -> int:
        return int64(price * self.ticks_per_unit + 0.5)

    def lots_of(self, size: float) -> int:
        """Whole lots only, and never more than asked for; a thousandth of a lot is forgiven."""
        return int64(size * self.lots_per_unit + 1e-3)

    def price_of(self, ticks: int) -> float:
        return ticks / self.ticks_per_unit

    def size_of(self, lots: int) -> float:
        return lots / self.lots_per_unit

    def notional(self, ticks: int, lots: int) -> float:
        return ticks / self.ticks_per_unit * (lots / self.lots_per_unit)

    def middle(self) -> float:
        """Half-way between the best prices; nan while a side is empty."""
        bid, ask = self.book.top[BID], self.book.top[ASK]
        if bid < 0 or ask < 0:
            return math.nan
        return 0.5 * (bid + ask) / self.ticks_per_unit

    def mark_price(self) -> float:
        """What a position is worth now: what the venue says, the middle, the last trade, else 0 (unknown)."""
        if self.told_mark > 0.0 and self.now_ns - self.mark_ns <= self.mark_age_ns_most:
            return self.told_mark
        bid, ask = self.book.top[BID], self.book.top[ASK]
        if bid >= 0 and ask >= 0:
            return 0.5 * (bid + ask) / self.ticks_per_unit
        return self.last_price

    def maintenance_of(self, value: float) -> float:
        """The collateral that a position of this value must keep, in quote currency."""
        tier = self.tier_of(value)
        return value * self.tiers[tier, RATE] - self.tiers[tier, AMOUNT]

    def is_valued(self) -> bool:
        """Whether a position here has a value in the account's currency, by marks that are not too old."""
        if self.mark_price() <= 0.0 or self.quote_rate <= 0.0:
            return False
        return self.rate_source < 0 or self.now_ns - self.quote_rate_ns <= self.mark_age_ns_most

    def take_rate(self, source: Market) -> None:
        """What a unit of the quotes is worth, by another market; nothing new while that one is in doubt."""
        price = source.mark_price()
        if price > 0.0 and (source.state == BookState.LIVE or source.state == NO_STATE):
            self.quote_rate = 1.0 / price if self.is_rate_inverse else price
            self.quote_rate_ns = max(source.book_ns, source.trade_ns)

    def take_mark(self, event: Event) -> None:
        """The venue says by which price it judges positions; for a spot market it only says what others trade at."""
        if self.is_derivative:
            self.told_mark = event.mark.price  # type: ignore[attr-defined]
            self.mark_ns = self.now_ns

    def tier_of(self, value: float) -> int:
        """The tier of a position of this value in quote currency; the last one for all beyond it."""
        at = 0
        while at < self.tier_count - 1 and value > self.tiers[at, CAP]:
            at += 1
        return at

    @inlined
    def observe(self, event: Event) -> None:
        """Let the event change what is known."""
        kind = event.kind
        if kind == Kind.BOOK:
            level = event.level  # type: ignore[attr-defined]
            self.ticks = int64(level.price * self.ticks_per_unit + 0.5)
            self.lots = int64(level.size * self.lots_per_unit + 0.5)
            if event.flags & TOP:
                self.before_lots = self.book.set_top(int64(event.side), self.ticks, self.lots)
            else:
                self.before_lots = self.book.set_level(int64(event.side), self.ticks, self.lots)
            if event.flags & MORE == 0:
                self.end_message(event)
        elif kind == Kind.TRADE:
            trade = event.trade  # type: ignore[attr-defined]
            self.ticks = int64(trade.price * self.ticks_per_unit + 0.5)
            self.lots = int64(trade.size * self.lots_per_unit + 0.5)
            self.trade_count += 1
            is_priced = trade.is_volume_only == 0.0
            if is_priced:
                self.last_price = trade.price
                self.trade_ns = self.now_ns
            if self.minutes.is_on and is_priced:
                self.minutes.add(trade.price, trade.size, self.now_ns)
            if self.candle.interval_ns > 0:
                if is_priced:
                    self.candle.add(trade.price, trade.size, self.now_ns)
                else:
                    self.candle.add_volume(trade.size, self.now_ns)
                self.due_ns = min(self.due_ns, self.candle.end_ns)
        else:
            self.observe_rest(event)

    def observe_rest(self, event: Event) -> None:
        kind = event.kind
        if kind == Kind.BOOK_CLEAR:
            self.book.clear()
            self.has_depth = True
            if not self.has_links:
                self.state = NO_STATE  # nothing else says that a snapshot closed a gap
        elif kind == Kind.QUOTE and not self.has_depth:
            quote = event.quote  # type: ignore[attr-defined]
            self.book.set_top(BID, self.ticks_of(quote.bid_price), int64(quote.bid_size * self.lots_per_unit + 0.5))
            self.book.set_top(ASK, self.ticks_of(quote.ask_price), int64(quote.ask_size * self.lots_per_unit + 0.5))
            self.end_message(event)
        elif kind == Kind.LINK:
            self.state = int64(event.link.state)  # type: ignore[attr-defined]
            self.state_before_cross = NO_STATE
            self.has_links = True
            if self.state == BookState.GAP:
                self.gap_count += 1
        elif kind == Kind.STATUS:
            self.status = int64(event.status.status)  # type: ignore[attr-defined]
        elif kind == Kind.CANDLE and event.flags & WARM:
            self.warm_count += 1
            if event.flags & NEWEST and self.has_length(event) and self.trade_count == 0:
                self.candle.go_on(event.venue_ns + self.candle.interval_ns, event.candle.close)  # type: ignore[attr-defined]
                self.due_ns = min(self.due_ns, self.candle.end_ns)

    def is_matching(self) -> bool:
        """Whether orders meet; in an auction they are only taken."""
        return self.status == 0 or self.status == TRADING or self.status == UNKNOWN

    def is_halted(self) -> bool:
        """Whether new orders are not even taken."""
        return self.status == HALTED or self.status == CLOSED

    def demanded(self, side: int, ticks: int, lots: int, order_count: int) -> int:
        """The filter of the venue that an order breaks beside so many open ones; 0: none."""
        if not self.demands.has_any:
            return 0
        price = self.last_price
        if self.demands.is_by_mark:
            price = self.mark_price()
        elif self.demands.average_minutes > 0 and self.minutes.minute >= 0:
            self.minutes.roll(self.now_ns)
            price = self.minutes.average_price(self.demands.average_minutes)
        if price == 0.0:
            price = self.mark_price()
        per_value = self.ticks_per_unit * self.lots_per_unit
        return self.demands.refusal_of(side, ticks, lots, order_count, price * self.ticks_per_unit, per_value)

    def has_length(self, event: Event) -> bool:
        """Whether a candle of the past is as long as those that are built here; the clock may stand just before its end."""
        early_ns = event.venue_ns + self.candle.interval_ns - event.received_ns
        return early_ns == 0 or early_ns == 1

    def wants_candle(self, event: Event) -> bool:
        """Whether strategies hear of a candle from outside: only where none are built, and of the past only like ours."""
        if self.candle.interval_ns == 0:
            return True
        return self.trade_count == 0 and (event.flags & WARM == 0 or self.has_length(event))

    def is_warming(self) -> bool:
        """Only the past was heard so far: what is asked for on it must not be sent."""
        return self.warm_count > 0 and self.trade_count == 0 and self.message_count == 0

    @inlined
    def end_message(self, event: Event) -> None:
        """The last row of a message: only now must the book make sense."""
        self.book_ns = self.now_ns
        self.update_id = event.id  # type: ignore[attr-defined]
        self.message_count += 1
        if not event.flags & TOP:
            self.has_depth = self.has_depth or event.kind == Kind.BOOK
        is_crossed = self.book.top[0] >= self.book.top[1] and self.book.top[0] >= 0 and self.book.top[1] >= 0
        if is_crossed or self.state == BookState.CROSSED:
            self.judge_cross(is_crossed)
        if self.book.is_bounded:
            self.judge_wear()

    def judge_wear(self) -> None:
        """A book whose best price may hide a better one that was forgotten has a gap, until a snapshot closes it."""
        if (self.state == BookState.LIVE or self.state == NO_STATE) and self.book.is_worn():
            self.state = BookState.GAP
            self.worn_count += 1

    def judge_cross(self, is_crossed: bool) -> None:
        """A crossed book is not believed until it has uncrossed by itself or was replaced."""
        if is_crossed:
            self.crossed_count += 1
            if self.state != BookState.CROSSED:
                self.state_before_cross = self.state
                self.state = BookState.CROSSED
        else:
            self.state = self.state_before_cross

    def close_candle(self) -> None:
        """Put the finished candle into `closed`."""
        builder = self.candle
        candle = self.closed[0].candle
        candle.venue_ns = builder.end_ns - builder.interval_ns
        candle.received_ns = builder.end_ns
        candle.open = builder.open
        candle.high = builder.high
        candle.low = builder.low
        candle.close = builder.close
        candle.volume = builder.volume
        candle.kind = Kind.CANDLE
