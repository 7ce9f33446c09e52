"""Commands about what has happened: replay, parity, status; and warmup, which makes the next ones quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrader.cli.common import (
    FAILED,
    NOT_RUNNING,
    ConfigOption,
    JsonOption,
    PlainOption,
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


def replay(
    tapes: Annotated[list[Path], typer.Argument(help="Tapes, one continuing the other, or folders of `record`.")],
    strategy: StrategyOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    interpreted: Annotated[
        bool, typer.Option("--interpreted", help="The same loop uncompiled: slow, and a debugger can stop in it.")
    ] = False,
    bounds: Annotated[
        bool | None,
        typer.Option(
            "--bounds/--no-bounds",
            help="Also the worst and the best place in every queue. Unset: where it takes about a second.",
        ),
    ] = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Back-test on recorded ticks."""
    options = common(config, overrides, strategy=strategy, is_json=as_json, is_plain=plain, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.observers.screen import console_for, progress
        from streamtrader.runtime.bounds import are_cheap, bounds_of
        from streamtrader.runtime.replay import replay as play
        from streamtrader.storage.recording import recorded_files
        from streamtrader.storage.tape import Tape

        settings = settings_of(options)
        tapes = [file for place in tapes for file in recorded_files(place)]
        total = sum(Tape.open(tape).event_count for tape in tapes)
        console = console_for(sys.stderr, os.environ)
        with progress(console, "replay", total, is_shown=not (as_json or plain)) as move:
            result = play(tapes, settings, interpreted=interpreted, on_progress=lambda done, _all: move(done))
            if bounds or (bounds is None and not interpreted and are_cheap(result, settings)):
                result.bounds = bounds_of(tapes, settings, result, interpreted=interpreted)
        document = result.as_json()
        tell(document, is_json=as_json, show=lambda: _show_replay(document))
        if result.failed_seats:
            raise typer.Exit(FAILED)


def _show_replay(document: dict[str, Any]) -> None:
    console = console_for_people()
    titles = ("strategy", "orders", "fills", "partial", "refused", "position", "fees", "pnl")
    rows = [
        (
            seat["strategy"], f"{seat['orders']:,}", f"{seat['fills']:,}", f"{seat['partial_fills']:,}",
            f"{seat['refused']:,}", f"{seat['position']:g}", f"{seat['fees']:,.2f}", f"{seat['pnl']:+,.2f}",
        )
        for seat in document["seats"]
    ]  # fmt: skip
    console.print(table_of(titles, rows, texts=("strategy",)))
    console.print(
        f"{document['events']:,} events in {document['seconds']:.3f} s ({document['events_per_s'] / 1e6:.1f} M/s)   "
        f"pnl {document['pnl']:+,.2f}   fees {document['fees']:,.2f}   state {document['state_sha256'][:16]}"
    )
    for name, bound in document["bounds"].items():
        console.print(
            f"{name + ' queue':<18} fills {bound['fills']:,} ({bound['partial_fills']:,} partial)   "
            f"turnover {bound['turnover']:,.2f}   fees {bound['fees']:,.2f}   pnl {bound['pnl']:+,.2f}"
        )
    for note in document["notes"]:
        console.print(f"note: {note}")


def parity(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Replay a recorded session and print every difference; exit 1 if there is any."""
    options = common(None, None, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.runtime.parity import compare

        report = compare(run)
        document = report.as_json()

        def show() -> None:
            for difference in report.differences:
                sys.stdout.write(f"{difference}\n")
            for note in report.notes:
                sys.stdout.write(f"note: {note}\n")
            sys.stdout.write(
                f"{report.difference_count} differences: {report.events:,} events, {report.rows_compared:,} rows, "
                f"state {report.state_sha256[:16]}\n"
            )

        tell(document, is_json=as_json, show=show)
        if report.difference_count:
            raise typer.Exit(FAILED)


def status(
    run: Annotated[Path | None, typer.Argument(help="A run directory; the newest one when left out.")] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say what a run is doing, or did; exit 3 when none is running."""
    options = common(config, overrides, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.runtime.status import status_of

        document = status_of(run, Path(settings_of(options).run.root))
        tell(document, is_json=as_json)
        if not document["is_running"]:
            raise typer.Exit(NOT_RUNNING)


def warmup(
    strategy: StrategyOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Compile all kernels that a run with these settings needs, and keep them on disk."""
    options = common(config, overrides, strategy=strategy, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.kernel.calls import cache_root
        from streamtrader.runtime.warmup import warm

        _, seconds = warm(settings_of(options))
        tell({"seconds": round(seconds, 3), "cache": str(cache_root())}, is_json=as_json)
