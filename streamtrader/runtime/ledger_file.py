"""The ledger of any list of fills: read, booked, and valued at the marks that were given.

Between the first fill and the last the only prices that are known are those of the fills themselves, so the days are
valued at the last of each symbol. What it comes to in the end is valued at given marks alone: an open position or a
foreign currency without one is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from streamtrader.errors import LedgerError, NoMark
from streamtrader.ledger import Days, Deposit, Fill, Ledger, Marks, Pair, value
from streamtrader.runtime.fills_file import FillsFile, read_fills
from streamtrader.runtime.ledgers import GivenMark, LedgerReport, Options, Part, only_currency
from streamtrader.units import NS_PER_S

CASH_OF_NOBODY = "cash"  # the part that holds what was brought, where there are several strategies
NS_PER_HOUR = 3_600 * NS_PER_S


def ledger_of_file(
    path: Path, options: Options, *, cash: Sequence[str] = (), quotes: Sequence[str] = ()
) -> LedgerReport:
    """Book all fills of a file; nothing is told unless all of it can be booked and valued."""
    given = [GivenMark.of(text) for text in options.marks]
    found = read_fills(path, quotes)
    pairs = list({fill.pair.symbol: fill.pair for _, fill in found.fills}.values())
    currency = only_currency((pair.quote for pair in pairs), options.currency)
    deposits = [_deposit(at, text, currency, found) for at, text in enumerate(cash)]
    limit_ns = None if options.age_limit_s is None else int(options.age_limit_s * NS_PER_S)
    final = Marks(age_limit_ns=limit_ns)
    for mark in given:
        mark.put(final, pairs, currency)
    days = Days((options.reset_hour_utc or 0) * NS_PER_HOUR)
    parts = _parts(found, deposits, options, currency)
    report = LedgerReport(
        str(path), options, parts, currency, final,
        fill_count=len(found.fills), repeated_count=found.repeated_count, days=days, notes=found.notes,
    )  # fmt: skip
    _book(report, found, given, pairs)
    return report


def _deposit(at: int, text: str, currency: str, found: FillsFile) -> Deposit:
    name, mark, number = text.rpartition("=")
    try:
        amount = Decimal(number)
    except ArithmeticError:
        amount = Decimal("nan")
    if not amount.is_finite() or (mark and not name):
        raise LedgerError(f"--cash {text}: write a number such as 1000, or USDT=1000")
    first_ns = found.fills[0][1].at_ns if found.fills else 0
    return Deposit(at, first_ns, amount, name.upper() or currency)


def _parts(found: FillsFile, deposits: Iterable[Deposit], options: Options, currency: str) -> list[Part]:
    """A ledger for each strategy that is named; what was brought belongs to none of several."""
    names = list(dict.fromkeys(strategy for strategy, _ in found.fills)) or [""]
    if len(names) > 1:
        names.insert(0, CASH_OF_NOBODY)
    parts = [Part(name, Ledger(currency=currency, method=options.method)) for name in names]
    for deposit in deposits:
        parts[0].ledger.apply(deposit)
    return parts


def _book(report: LedgerReport, found: FillsFile, given: Sequence[GivenMark], pairs: Sequence[Pair]) -> None:
    ledgers = {part.strategy: part.ledger for part in report.parts}
    running = Marks()
    for mark in given:
        mark.put(running, pairs, report.currency)
    now_ns = max((mark.at_ns for mark in given if mark.at_ns), default=0)
    for strategy, fill in found.fills:
        ledgers[strategy].apply(fill)
        _observe(report, running, fill)
        now_ns = max(now_ns, fill.at_ns)
    report.valuation = value(ledgers.values(), report.marks, report.currency, now_ns)
    if found.fills:
        report.days.observe(report.valuation)


def _observe(report: LedgerReport, running: Marks, fill: Fill) -> None:
    running.set_price(fill.pair, fill.price, fill.at_ns)
    try:
        valuation = value((part.ledger for part in report.parts), running, report.currency, fill.at_ns)
    except NoMark:
        return  # a rate that will be known later, or is missing in the end too, which is then told
    report.days.observe(valuation)
