"""`tca` and `calibrate`: what a session's orders cost, and what it tells about the venue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrader.cli.common import (
    FAILED,
    Common,
    ConfigOption,
    JsonOption,
    SetOption,
    StrategyOption,
    VerboseOption,
    common,
    console_for_people,
    settings_of,
    table_of,
    tell,
    told_errors,
)

NAMES = ("strategy", "instrument", "side")
PlacesArgument = Annotated[
    list[Path], typer.Argument(help="A run's directory; or tapes to replay, with the options of `replay`.")
]


def tca(
    places: PlacesArgument,
    horizons: Annotated[
        str, typer.Option("--horizons", help="Seconds after each fill at which the price is looked at.")
    ] = "1,5,30,60",
    strategy: StrategyOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """What the orders of a session cost: slippage, shortfall, spreads, markouts, waiting times, fees."""
    options = common(config, overrides, strategy=strategy, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.runtime.transaction_costs import costs_of, horizons_of

        horizons_s = horizons_of(horizons)
        document = costs_of(_records(places, options), horizons_s)
        tell(document, is_json=as_json, show=lambda: _show_costs(document))


def _records(places: list[Path], options: Common) -> Any:
    from streamtrader.errors import ConfigError
    from streamtrader.runtime.order_records import is_run, records_of_run, records_of_tapes

    if not is_run(places):
        return records_of_tapes(places, settings_of(options))
    if options.strategy or options.files or options.overrides or options.parameters:
        raise ConfigError(f"{places[0]} is a run, which has settings of its own; options of a replay go with tapes")
    return records_of_run(places[0])


def _show_costs(document: dict[str, Any]) -> None:
    console = console_for_people()
    named = [((one["strategy"], one["instrument"], one["side"]), one) for one in document["groups"]]
    named += [(("total", one["quote"], ""), one) for one in document["totals"]]
    parts = ("delay", "timing", "spread", "impact", "fees", "total")
    costs = [
        [*names, f"{one['fills']:,}", *(_number(one["costs"][part]["bps"], "+.2f") for part in parts),
         _number(one["implementation_shortfall"]["bps"], "+.2f"), f"{float(one['costs']['total']['quote']):+,.2f}"]
        for names, one in named
    ]  # fmt: skip
    titles = (*NAMES, "fills", *(f"{part}, bp" for part in parts), "shortfall, bp", "cost")
    console.print(table_of(titles, costs, texts=NAMES))
    console.print()
    ways = [
        [*names, _number(one["fill_ratio"], ".1%"), _number(one["maker_share"], ".1%"),
         *(_number((one[name] or {}).get("median"), ",.1f") for name in ("to_first_fill_ms", "to_end_ms", "queue_ms")),
         _number(one["quoted_spread_bps"], ".2f"), _number(one["effective_spread_bps"], "+.2f")]
        for names, one in named
    ]  # fmt: skip
    titles = (*NAMES, "filled", "made", "first fill, ms", "end, ms", "queue, ms", "quoted, bp", "effective, bp")
    console.print(table_of(titles, ways, texts=NAMES))
    console.print()
    marks = [
        [*names, *(_number(mark["markout"]["bps"], "+.2f") for mark in one["markouts"]),
         f"{max(mark['missing'] for mark in one['markouts']):,}"]
        for names, one in named
    ]  # fmt: skip
    titles = (*NAMES, *(f"after {one:g} s, bp" for one in document["horizons_s"]), "missing")
    console.print(table_of(titles, marks, texts=NAMES))
    for charge in document["charges"]:
        console.print(f"{charge['strategy']} {charge['instrument']}: {charge['kind']} {charge['paid']} {charge['asset']}")
    for note in document["notes"]:
        console.print(f"note: {note}")


def _number(value: float | None, how: str) -> str:
    return "-" if value is None else format(value, how)


def calibrate(
    places: PlacesArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the settings to this file, for `-c`; it must not exist yet.")
    ] = None,
    strategy: StrategyOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Fit latency, queue, impact and fees of the simulated venue to a recorded session; exit 1 if nothing was told."""
    options = common(config, overrides, strategy=strategy, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.errors import ConfigError
        from streamtrader.runtime.calibrating import as_toml, calibrated

        if out is not None and out.exists():
            raise ConfigError(f"{out} exists already; give another name")
        document = calibrated(_records(places, options))
        if out is not None:
            _write(out, as_toml(document))
        tell(document, is_json=as_json, show=lambda: _show_calibrated(document))
        if not document["settings"]:
            raise typer.Exit(FAILED)


def _write(path: Path, text: str) -> None:
    from streamtrader.errors import ConfigError
    from streamtrader.storage.files import create_whole, explained

    try:
        create_whole(path, text.encode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {explained(error)}") from error


def _show_calibrated(document: dict[str, Any]) -> None:
    from streamtrader.runtime.calibrating import as_overrides

    console = console_for_people()
    rows = []
    if document["latency"] is not None:
        latency = document["latency"]
        trip = latency["round_trip_ms"]["median"]
        for name, fit in (("round trip, ms", trip), ("up, ms", latency["up_ms"]), ("down, ms", latency["down_ms"])):
            rows.append([name, f"{fit['value']:.6g}", f"{fit['low']:.6g} to {fit['high']:.6g}", f"{fit['samples']:,}"])
        rows.append(["sigma", f"{latency['sigma']:.4g}", "", f"{trip['samples']:,}"])
    if document["queue"] is not None and document["queue"]["power"] is not None:
        queue, power = document["queue"], document["queue"]["power"]
        reach = f"{power['low']:g} to {power['high']:g}"
        rows.append([f"queue power (best: {queue['best']})", f"{power['value']:g}", reach, f"{queue['orders']:,}"])
    prefactor = document["impact"]["prefactor"]
    if prefactor is not None:
        reach = f"{prefactor['low']:.3g} to {prefactor['high']:.3g}"
        rows.append(["impact prefactor", f"{prefactor['value']:.3g}", reach, f"{prefactor['samples']:,}"])
    for fee in document["fees"]:
        reach = f"{fee['lowest_bps']:g} to {fee['highest_bps']:g}"
        name = f"{fee['liquidity']} fee, bp, {fee['instrument']}"
        rows.append([name, f"{fee['mean_bps']:g}", reach, f"{fee['fills']:,}"])
    console.print(table_of(("fitted", "value", "95 %", "samples"), rows, texts=("fitted",)))
    for line in (*document["silent"], *(f"note: {note}" for note in document["notes"]), *as_overrides(document)):
        console.print(line)
