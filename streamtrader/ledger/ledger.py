"""The ledger: cash, positions at average cost, realized and unrealized profit, fees apart, all exact.

One identity holds after every fill, to the last digit and for any mark:

    cash + position * mark  =  initial cash + realized + unrealized - fees

A fill that enlarges a position adds to its cost. One that reduces it releases that share of the cost; the difference
to what it brought is realized. One that crosses zero does both: it closes the old position at the old average and
opens the rest at its own price.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from streamtrader.errors import StreamTraderError
from streamtrader.events import Side
from streamtrader.ledger.money import ZERO, minus, plus, quotient, share_of, times

_ID_LIMIT = 1 << 63


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill of an own order. `fee` is in quote currency, negative for a rebate; `size` is above zero."""

    venue: str
    account: str
    trade_id: int | str
    instrument: str
    side: Side
    price: Decimal
    size: Decimal
    fee: Decimal
    at_ns: int = 0
    currency: str = "USDT"

    def __post_init__(self) -> None:
        for name in ("price", "size", "fee"):
            value = getattr(self, name)
            if not isinstance(value, Decimal) or not value.is_finite():
                raise StreamTraderError(f"fill {self.trade_id}: {name} must be a finite decimal, not {value!r}")
        if self.size <= 0 or self.price < 0:
            raise StreamTraderError(f"fill {self.trade_id}: {self.size} at {self.price} cannot be a fill")

    @classmethod
    def of(
        cls, seat: int, sequence: int, at_ns: int, symbol: str, side: str, price: str, size: str, fee: str
    ) -> Fill:
        """A fill of the simulated venue as the database keeps it; its place in the outbox is its trade id."""
        decided = {"buy": Side.BUY, "sell": Side.SELL}[side]
        money = (Decimal(price), Decimal(size), Decimal(fee))
        return cls("simulator", f"seat-{seat}", sequence, symbol, decided, *money, at_ns)

    @property
    def key(self) -> tuple[str, str, int | str]:
        """What makes a fill itself: the same key is the same fill, however often it is told."""
        return self.venue, self.account, self.trade_id

    @property
    def signed_size(self) -> Decimal:
        return self.size if self.side == Side.BUY else -self.size


class SeenIds:
    """The trade ids of one account; 8 bytes each while they are numbers and mostly grow."""

    __slots__ = ("_numbers", "_texts")

    def __init__(self) -> None:
        self._numbers = array("q")
        self._texts: set[int | str] = set()

    def add(self, trade_id: int | str) -> bool:
        """Whether the id is new."""
        if not isinstance(trade_id, int) or not -_ID_LIMIT <= trade_id < _ID_LIMIT:
            is_new = trade_id not in self._texts
            self._texts.add(trade_id)
            return is_new
        numbers = self._numbers
        if not numbers or trade_id > numbers[-1]:
            numbers.append(trade_id)
            return True
        at = bisect_left(numbers, trade_id)
        if numbers[at] == trade_id:
            return False
        numbers.insert(at, trade_id)
        return True


@dataclass(slots=True)
class Position:
    """`size` and `cost` are signed alike: a short position was paid for with a negative cost."""

    size: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    turnover: Decimal = ZERO
    fill_count: int = 0

    @property
    def average_price(self) -> Decimal | None:
        """What a unit cost, to 28 digits; None when flat."""
        return quotient(self.cost, self.size) if self.size else None

    def unrealized(self, mark: Decimal) -> Decimal:
        return minus(times(self.size, mark), self.cost)

    def take(self, fill: Fill) -> Decimal:
        """Book a fill; returns what it realized, before its fee."""
        signed = fill.signed_size
        notional = times(fill.price, signed)
        is_reducing = bool(self.size) and (self.size > 0) != (signed > 0)
        realized = ZERO
        if is_reducing:
            closed = min(fill.size, abs(self.size))
            released = share_of(self.cost, closed, abs(self.size))
            brought = times(fill.price, closed if signed < 0 else -closed)
            realized = minus(brought, released)
            rest = minus(fill.size, closed)
            opened = times(fill.price, rest if signed > 0 else -rest)
            self.cost = plus(self.cost, -released, opened)
        else:
            self.cost = plus(self.cost, notional)
        self.size = plus(self.size, signed)
        self.realized = plus(self.realized, realized)
        self.fees = plus(self.fees, fill.fee)
        self.turnover = plus(self.turnover, abs(notional))
        self.fill_count += 1
        return realized


@dataclass(slots=True)
class Ledger:
    """One account in one currency. Pure: time comes with the fills, marks come from the caller."""

    cash: Decimal
    currency: str = "USDT"
    positions: dict[str, Position] = field(default_factory=dict)
    repeated_count: int = 0
    initial_cash: Decimal = field(init=False)
    peak_equity: Decimal = field(init=False)
    drawdown: Decimal = field(init=False, default=ZERO)
    drawdown_worst: Decimal = field(init=False, default=ZERO)
    _seen: dict[tuple[str, str], SeenIds] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.initial_cash = self.peak_equity = self.cash

    def apply(self, fill: Fill) -> Decimal | None:
        """Book a fill and return what it realized before its fee; None, and a count, when it was booked before."""
        if fill.currency != self.currency:
            raise StreamTraderError(
                f"fill {fill.trade_id} is in {fill.currency}, this ledger in {self.currency}: convert it first"
            )
        if not self._seen.setdefault((fill.venue, fill.account), SeenIds()).add(fill.trade_id):
            self.repeated_count += 1
            return None
        realized = self.positions.setdefault(fill.instrument, Position()).take(fill)
        self.cash = plus(self.cash, -times(fill.price, fill.signed_size), -fill.fee)
        return realized

    def position(self, instrument: str) -> Position:
        """The position in an instrument; a flat one where nothing was ever filled."""
        return self.positions.get(instrument) or Position()

    @property
    def realized(self) -> Decimal:
        """Gains less losses, before fees: it falls as well as rises."""
        return plus(*(position.realized for position in self.positions.values()))

    @property
    def fees(self) -> Decimal:
        return plus(*(position.fees for position in self.positions.values()))

    def unrealized(self, marks: Mapping[str, Decimal]) -> Decimal:
        open_positions = [(name, position) for name, position in self.positions.items() if position.size]
        return plus(*(position.unrealized(self._mark(marks, name)) for name, position in open_positions))

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Cash and all positions at these prices."""
        held = ((name, position.size) for name, position in self.positions.items() if position.size)
        return plus(self.cash, *(times(size, self._mark(marks, name)) for name, size in held))

    def observe(self, marks: Mapping[str, Decimal]) -> Decimal:
        """The equity at these prices, taken into peak and drawdown."""
        equity = self.equity(marks)
        self.peak_equity = max(self.peak_equity, equity)
        self.drawdown = minus(self.peak_equity, equity)
        self.drawdown_worst = max(self.drawdown_worst, self.drawdown)
        return equity

    def _mark(self, marks: Mapping[str, Decimal], instrument: str) -> Decimal:
        mark = marks.get(instrument)
        if mark is None or not mark.is_finite():
            raise StreamTraderError(f"the open position in {instrument} has no price to value it at (given: {mark})")
        return mark
