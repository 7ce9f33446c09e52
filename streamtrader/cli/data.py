"""Commands about recorded markets: import, export, check, list."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrader.cli import consolidated, get
from streamtrader.cli.common import (
    FAILED,
    USAGE,
    JsonOption,
    PlainOption,
    VerboseOption,
    common,
    console_for_people,
    ended_in_order,
    tell,
    told_errors,
)
from streamtrader.cli.datasets import DATASETS, FILE_EXPORTS, export_dataset, import_dataset, is_dataset
from streamtrader.cli.lake import LAKE, export_lake, import_lake
from streamtrader.errors import ConfigError

AUTO = "auto"
CAPTURES = ("binance-raw", "cryptofeed", "cryptofeed-text", "cbcap", "json-lines", "json-document")

app = typer.Typer(help="Import, export, download, check and list tapes.", no_args_is_help=True)
app.command("get")(get.get)
app.command("consolidated")(consolidated.consolidated)


@app.command("import")
def import_(
    files: Annotated[
        list[str], typer.Argument(help="Raw captures, one continuing the other; files of a data set; or a lake.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The tape to write; it must not exist yet.")],
    format_: Annotated[
        str, typer.Option("--format", help=f"auto, or one of {', '.join((*CAPTURES, *DATASETS, LAKE))}.")
    ] = AUTO,
    venue: Annotated[
        str, typer.Option("--venue", help="Of captures that do not tell it themselves; wanted of a lake.")
    ] = "",
    symbols: Annotated[
        list[str] | None, typer.Option("--symbol", help="Wanted of a data set or a lake; repeatable.")
    ] = None,
    adjust: Annotated[
        str,
        typer.Option("--adjust", help="LEAN's equities, carried forward from their first day: none, splits, all."),
    ] = "none",
    start: Annotated[str, typer.Option("--from", help="Wanted of a lake: 2024-08-09 or 2024-08-09T12:00, UTC.")] = "",
    stop: Annotated[str, typer.Option("--to", help="Wanted of a lake: up to this time, not with it.")] = "",
    as_json: JsonOption = False,
    plain: PlainOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make a tape of raw captures, through the adapter that live sessions use, of a data set, or of a lake."""
    options = common(None, None, is_json=as_json, is_plain=plain, is_verbose=verbose)
    given = {"--venue": venue, "--symbol": symbols, "--adjust": adjust != "none", "--from": start, "--to": stop}
    if format_ == LAKE:
        with told_errors(options), ended_in_order():
            _refuse_others(given, "a lake", "--venue", "--symbol", "--from", "--to")
            import_lake(
                files, out, options, venues=[venue] * bool(venue), symbols=symbols or (), between=(start, stop)
            )
        return
    if format_ not in (AUTO, *CAPTURES, *DATASETS):
        sys.stderr.write(f"unknown format {format_!r}; there are: {', '.join((AUTO, *CAPTURES, *DATASETS, LAKE))}\n")
        raise typer.Exit(USAGE)
    with told_errors(options), ended_in_order():
        paths = [Path(file) for file in files]
        if is_dataset(paths, format_):
            _refuse_others(given, "a data set", "--symbol", "--adjust")
            import_dataset(paths, out, options, wanted_format=format_, symbols=symbols or (), adjust=adjust)
            return
        _refuse_others(given, "a raw capture", "--venue")
        from streamtrader.observers.screen import console_for, progress
        from streamtrader.runtime.importing import import_captures

        console = console_for(sys.stderr, os.environ)
        with progress(console, "import, per cent", 100, is_shown=not (as_json or plain)) as move:
            result = import_captures(
                paths,
                out,
                on_progress=lambda done, all_: move(100 * done // all_),
                venue=venue,
                wanted_format=format_,
            )
        document = asdict(result) | {"instruments": [each.as_dict() for each in result.instruments]}
        tell(document, is_json=as_json)


def _refuse_others(given: Mapping[str, object], what: str, *known: str) -> None:
    """An option that means nothing here is a mistake: who gave it would believe that it was heeded."""
    others = [name for name, value in given.items() if value and name not in known]
    if others:
        takes = f", which takes {', '.join(known)}" if known else ""
        raise ConfigError(f"{', '.join(others)} means nothing for {what}{takes}")


@app.command("export")
def export(
    tape: Annotated[Path, typer.Argument(help="A tape.")],
    out: Annotated[
        str, typer.Option("--out", help="Where to: a file; for a lake a folder, or a URL such as s3://bucket/lake.")
    ],
    format_: Annotated[
        str,
        typer.Option(
            "--format", help="lake: Parquet by venue, channel, symbol, date; hftbacktest: npz; csv: tables."
        ),
    ] = LAKE,
    symbols: Annotated[list[str] | None, typer.Option("--symbol", help="Of npz and tables; repeatable.")] = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write what is on a tape for other programs; into a lake the same tape may be exported again and again."""
    options = common(None, None, is_json=as_json, is_plain=plain, is_verbose=verbose)
    if format_ not in (LAKE, *FILE_EXPORTS):
        sys.stderr.write(f"unknown format {format_!r}; there are: {', '.join((LAKE, *FILE_EXPORTS))}\n")
        raise typer.Exit(USAGE)
    with told_errors(options), ended_in_order():
        if format_ == LAKE:
            _refuse_others({"--symbol": symbols}, "a lake, into which a whole tape goes")
            export_lake(tape, out, options)
        else:
            export_dataset(tape, Path(out), options, wanted_format=format_, symbols=symbols or ())


@app.command()
def check(
    tape: Annotated[Path, typer.Argument(help="A tape, or a folder of `record`.")],
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Report faults (gaps, duplicates, disorder, crossed books, impossible values) and warnings; exit 1 on faults."""
    options = common(None, None, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.cli.check_report import show_check
        from streamtrader.runtime.checking import check_tape

        result = check_tape(tape)
        tell(result.as_dict(), is_json=as_json, show=lambda: show_check(result))
        if not result.is_clean:
            raise typer.Exit(FAILED)


@app.command("ls")
def list_(
    places: Annotated[list[Path] | None, typer.Argument(help="Tapes or folders; here when left out.")] = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """List tapes with what is in them."""
    options = common(None, None, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.errors import StreamTraderError
        from streamtrader.instruments import names_of
        from streamtrader.storage.tape import Tape

        rows: list[dict[str, Any]] = []
        for place in places or [Path()]:
            for path in sorted(place.rglob("*.tape")) if place.is_dir() else [place]:
                try:
                    tape = Tape.open(path)
                except StreamTraderError as error:
                    rows.append({"tape": str(path), "error": str(error)})
                    continue
                rows.append(
                    {
                        "tape": str(path),
                        "events": tape.event_count,
                        "instruments": names_of(tape.instruments),
                        "first_ns": tape.first_received_ns,
                        "last_ns": tape.last_received_ns,
                        "bytes": path.stat().st_size,
                        "torn_bytes": tape.torn_bytes,
                    }
                )
        tell({"tapes": rows}, is_json=as_json, show=lambda: _show(rows))
        if any("error" in row and Path(row["tape"]) in (places or ()) for row in rows):
            raise typer.Exit(FAILED)  # in a folder, others may have files of that name


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bright_black")
    for title in ("tape", "events", "seconds", "MiB", "instruments"):
        is_text = title in ("tape", "instruments")
        table.add_column(title, justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text)
    for row in rows:
        if "error" in row:
            table.add_row(row["tape"], "-", "-", "-", row["error"])
            continue
        seconds = (row["last_ns"] - row["first_ns"]) / 1e9
        names = ", ".join(row["instruments"])
        table.add_row(row["tape"], f"{row['events']:,}", f"{seconds:,.0f}", f"{row['bytes'] / 2**20:,.1f}", names)
    console_for_people().print(table if rows else "no tapes here")
