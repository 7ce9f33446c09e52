"""The ledger command: a run's account, or that of any list of fills, rebuilt to the last digit."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamtrader.cli.common import (
    FAILED,
    JsonOption,
    VerboseOption,
    common,
    console_for_people,
    table_of,
    tell,
    told_errors,
)

if TYPE_CHECKING:
    from rich.console import Console

    from streamtrader.runtime.ledgers import LedgerReport

TEXTS = ("strategy", "symbol", "in", "day")
SHOWN_PLACES = Decimal("1e-8")
_SHOWN = Context(prec=100, rounding=ROUND_HALF_EVEN)
DAYS_SHOWN = 31
SUMS = ("initial", "realized", "unrealized", "fees", "funding", "interest", "equity")


def ledger(
    run: Annotated[Path | None, typer.Argument(help="A run directory.")] = None,
    fills: Annotated[
        Path | None,
        typer.Option("--fills", help="A CSV instead: trade_id,time,symbol,side,size,price,fee,fee_asset."),
    ] = None,
    cash: Annotated[
        list[str] | None, typer.Option("--cash", help="With --fills: what was there at first, 1000 or USDT=1000.")
    ] = None,
    marks: Annotated[
        list[str] | None,
        typer.Option("--mark", help="BTCUSDT=108, BNB=600 or BNB=600@2024-08-09T12:00; repeatable."),
    ] = None,
    mark_age_s: Annotated[
        float | None, typer.Option("--max-mark-age", min=0.0, help="Refuse marks that are older, in seconds.")
    ] = None,
    method: Annotated[str, typer.Option("--method", help="What a sale costs: average, or fifo.")] = "average",
    currency: Annotated[
        str, typer.Option("--currency", help="What results are in; needed where fills have several quotes.")
    ] = "",
    quotes: Annotated[
        list[str] | None, typer.Option("--quote", help="With --fills: the quote currency of symbols that do not tell.")
    ] = None,
    reset_hour: Annotated[
        int | None, typer.Option("--reset-hour", min=0, max=23, help="The hour of UTC at which a day begins.")
    ] = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Rebuild the account from its fills and charges alone; exit 1 if what the run stored differs."""
    if (run is None) == (fills is None):
        raise typer.BadParameter("give a run directory, or a list of fills with --fills FILE.csv")
    if run is not None and (cash or quotes):
        raise typer.BadParameter("--cash and --quote go with --fills; a run knows both")
    if method not in ("average", "fifo"):
        raise typer.BadParameter(f"--method {method}: there are average and fifo")
    options = common(None, None, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.ledger import Method
        from streamtrader.runtime.ledger_file import ledger_of_file
        from streamtrader.runtime.ledger_run import ledger_of_run
        from streamtrader.runtime.ledgers import Options

        how = Options(Method(method), currency, tuple(marks or ()), mark_age_s, reset_hour)
        if fills is not None:
            report = ledger_of_file(fills, how, cash=cash or (), quotes=quotes or ())
        else:
            assert run is not None
            report = ledger_of_run(run, how)
        document = report.as_json()
        tell(document, is_json=as_json, show=lambda: _show(report, document, is_run=run is not None))
        if report.difference_count:
            raise typer.Exit(FAILED)


def _show(report: LedgerReport, document: dict[str, Any], *, is_run: bool) -> None:
    console = console_for_people()
    _show_positions(console, document)
    _show_sums(console, document)
    _show_days(console, document)
    for difference in report.differences:
        console.print(difference)
    for note in report.notes:
        console.print(f"note: {note}")
    told = f"{report.fill_count:,} fills, {report.charge_count:,} charges, {report.repeated_count:,} repeated"
    if is_run:
        count = report.difference_count
        told += f"; {count:,} {'difference' if count == 1 else 'differences'} to what the run stored"
    console.print(f"{told}; method {document['method']}, in {document['currency']}")


def _show_positions(console: Console, document: dict[str, Any]) -> None:
    names = ("size", "average_price", "mark", "realized", "unrealized")
    rows = [
        (position["strategy"], position["symbol"], *(_shown(position[name]) for name in names), position["quote"])
        for position in document["positions"]
    ]
    if rows:
        titles = ("strategy", "symbol", *(name.replace("_", " ") for name in names), "in")
        console.print(table_of(titles, rows, texts=TEXTS))


def _show_sums(console: Console, document: dict[str, Any]) -> None:
    rows = [(line["strategy"], *(_shown(line[name]) for name in SUMS)) for line in document["strategies"]]
    if len(rows) > 1:
        rows.append(("all", *(_shown(document[name]) for name in SUMS)))
    console.print(table_of(("strategy", *SUMS), rows, texts=TEXTS))
    money = [f"{_shown(amount)} {currency}" for currency, amount in document["balances"].items()]
    console.print(f"balances: {', '.join(money) or 'none'}")


def _show_days(console: Console, document: dict[str, Any]) -> None:
    names = ("start", "realized", "unrealized", "fees", "funding", "interest", "currency", "end", "drawdown_worst")
    rows = [(day["day"].removesuffix("T00:00"), *(_shown(day[name]) for name in names)) for day in document["days"]]
    if len(rows) > DAYS_SHOWN:
        console.print(f"the last {DAYS_SHOWN} of {len(rows)} days; --json has all")
    if rows:
        titles = ("day", *(name.replace("_", " ") for name in names))
        console.print(table_of(titles, rows[-DAYS_SHOWN:], texts=TEXTS))


def _shown(text: str | None) -> str:
    """An exact decimal to at most eight places; `--json` has them all."""
    if text is None:
        return "-"
    number = Decimal(text)
    if number != number.to_integral_value():
        number = _SHOWN.quantize(number, SHOWN_PLACES)
    shown = f"{number:,f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
