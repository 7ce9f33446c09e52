"""What ledgers tell: totals, positions, strategies and days in exact decimals, as one document.

Whoever rebuilds ledgers (`ledger_run` from a run, `ledger_file` from a list of fills) hands them over here. Every
figure is in one currency; parts add up to the whole exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from streamtrader.errors import LedgerError
from streamtrader.ledger import Days, Figures, Ledger, Marks, Method, Pair, Valuation, value
from streamtrader.ledger.entries import CASH
from streamtrader.ledger.money import ZERO, plus
from streamtrader.ledger.positions import Position
from streamtrader.ledger.symbols import pair_of
from streamtrader.runtime.times import time_ns, time_text
from streamtrader.units import NS_PER_S, decimal_text

DIFFERENCES_TOLD = 100
# What the document calls the sums of `Figures`.
TITLES = {
    "deposits": "initial", "realized": "realized", "unrealized": "unrealized", "fees": "fees", "funding": "funding",
    "interest": "interest", "cash": "cash", "held": "positions_value",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """How to book and to value. `marks` are texts such as `BTCUSDT=108`, `BNB=600@2024-08-09T12:00`."""

    method: Method = Method.AVERAGE
    currency: str = ""  # empty: the only quote currency there is
    marks: Sequence[str] = ()
    age_limit_s: float | None = None
    reset_hour_utc: int | None = None  # when a day begins


@dataclass(frozen=True, slots=True)
class GivenMark:
    """`--mark NAME=PRICE[@TIME]`; without a time it holds at any time."""

    name: str
    price: Decimal
    at_ns: int | None

    @classmethod
    def of(cls, text: str) -> GivenMark:
        name, _, rest = text.partition("=")
        price, _, time = rest.partition("@")
        try:
            number = Decimal(price)
            at_ns = time_ns(time) if time else None
        except (ArithmeticError, ValueError) as error:
            why = f" ({error})" if isinstance(error, ValueError) else ""
            raise LedgerError(f"--mark {text}: write NAME=PRICE or NAME=PRICE@TIME, such as BTCUSDT=108{why}") from None
        if not name or not number.is_finite() or number < 0:
            raise LedgerError(f"--mark {text}: the price of a mark is a number that is not negative")
        return cls(name, number, at_ns)

    def put(self, marks: Marks, pairs: Iterable[Pair], currency: str) -> None:
        """Into the marks: of a symbol where one is called so or is the same pair, else of a currency."""
        named = [pair for pair in pairs if pair.symbol == self.name]
        if not named:
            try:
                own = pair_of(self.name)
            except LedgerError:
                marks.set_rate(self.name.upper(), currency, self.price, self.at_ns)
                return
            named = [pair for pair in pairs if pair[1:] == own[1:]] or [own]
        for pair in named:
            marks.set_price(pair, self.price, self.at_ns)


@dataclass(slots=True)
class Part:
    """A ledger of its own and whose it is."""

    strategy: str
    ledger: Ledger
    seat: int | None = None


@dataclass(slots=True)
class LedgerReport:
    """`valuation` is None where something had no mark; `notes` then say what, and how to give one."""

    source: str
    options: Options
    parts: list[Part]
    currency: str
    marks: Marks
    fill_count: int = 0
    charge_count: int = 0
    repeated_count: int = 0
    valuation: Valuation | None = None
    days: Days = field(default_factory=Days)
    difference_count: int = 0
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def differ(self, text: str) -> None:
        self.difference_count += 1
        if len(self.differences) < DIFFERENCES_TOLD:
            self.differences.append(text)

    def strategies(self) -> dict[str, list[Part]]:
        """The parts of each strategy, in the order of their first appearance."""
        groups: dict[str, list[Part]] = {}
        for part in self.parts:
            groups.setdefault(part.strategy, []).append(part)
        return groups

    def as_json(self) -> dict[str, Any]:
        """Numbers are exact decimals as text."""
        valued = self.valuation
        return {
            "source": self.source,
            "method": str(self.options.method),
            "currency": self.currency,
            "at": time_text(valued.at_ns) if valued else None,
            "fills": self.fill_count,
            "charges": self.charge_count,
            "repeated": self.repeated_count,
            **_figures(valued.whole if valued else None),
            "drawdown_worst": decimal_text(self.days.drawdown_worst) if valued else None,
            "balances": self._balances(),
            "rates": {name: decimal_text(rate) for name, rate in sorted(valued.rates.items())} if valued else {},
            "positions": [
                self._position(part, position)
                for part in self.parts
                for position in part.ledger.positions.values()
            ],
            "strategies": [
                {"strategy": name, **_figures(self._valued(parts))} for name, parts in self.strategies().items()
            ],
            "days": self._days(),
            "accounts": self._accounts(),
            "difference_count": self.difference_count,
            "differences": self.differences,
            "notes": self.notes,
        }

    def _valued(self, parts: Sequence[Part]) -> Figures | None:
        if self.valuation is None:
            return None
        return value((part.ledger for part in parts), self.marks, self.currency, self.valuation.at_ns).whole

    def _balances(self) -> dict[str, str]:
        """Money by currency."""
        sums: dict[str, Decimal] = {}
        for account, currency, amount in _all_balances(self.parts):
            if account == CASH:
                sums[currency] = plus(sums.get(currency, ZERO), amount)
        return {currency: decimal_text(amount) for currency, amount in sorted(sums.items())}

    def _accounts(self) -> list[dict[str, str]]:
        """The trial balance: in each currency the amounts add up to nothing."""
        sums: dict[tuple[str, str], Decimal] = {}
        for account, currency, amount in _all_balances(self.parts):
            sums[account, currency] = plus(sums.get((account, currency), ZERO), amount)
        return [
            {"account": account, "currency": currency, "amount": decimal_text(amount)}
            for (account, currency), amount in sorted(sums.items())
        ]

    def _position(self, part: Part, position: Position) -> dict[str, Any]:
        mark = self.marks.symbols().get(position.pair.symbol)
        is_valued = self.valuation is not None and mark is not None
        average = position.average_price
        return {
            "strategy": part.strategy,
            "seat": part.seat,
            "symbol": position.pair.symbol,
            "base": position.pair.base,
            "quote": position.pair.quote,
            "size": decimal_text(position.size),
            "average_price": None if average is None else decimal_text(average),
            "cost": decimal_text(position.cost),
            "mark": decimal_text(mark.price) if mark else None,
            "realized": decimal_text(position.realized),
            "unrealized": decimal_text(position.unrealized(mark.price)) if is_valued and mark else None,
            "turnover": decimal_text(position.turnover),
            "fills": position.fill_count,
            "lots": [
                {"size": decimal_text(lot.size), "price": decimal_text(lot.price), "at": time_text(lot.at_ns)}
                for lot in position.lots
            ],
        }

    def _days(self) -> list[dict[str, str]]:
        return [
            {
                "day": datetime.fromtimestamp(day.start_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M"),
                "start": decimal_text(day.start),
                "end": decimal_text(day.end),
                **{
                    name: decimal_text(getattr(day.changes, name))
                    for name in ("realized", "unrealized", "fees", "funding", "interest")
                },
                "currency": decimal_text(day.currency),
                "drawdown_worst": decimal_text(day.drawdown_worst),
            }
            for day in (self.days.lines if self.valuation else ())  # part of a table would mislead
        ]


def only_currency(quotes: Iterable[str], wanted: str) -> str:
    """The currency that results are in."""
    if wanted:
        return wanted.upper()
    found = sorted(set(quotes))
    if len(found) > 1:
        raise LedgerError(
            f"the fills are quoted in {' and '.join(found)}; say what the results shall be in with --currency {found[0]}, "
            f"and give a mark for the rest, such as --mark {found[1]}=PRICE"
        )
    return found[0] if found else "USDT"


def _figures(figures: Figures | None) -> dict[str, str | None]:
    named = {title: None if figures is None else decimal_text(getattr(figures, name)) for name, title in TITLES.items()}
    return named | {"equity": None if figures is None else decimal_text(figures.equity)}


def _all_balances(parts: Iterable[Part]) -> Iterable[tuple[str, str, Decimal]]:
    for part in parts:
        yield from part.ledger.balances()
