"""Commands about recorded markets: import, check, list."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrader.cli.common import FAILED, JsonOption, PlainOption, VerboseOption, common, tell, told_errors

WIDTH_OF_A_FILE = 200  # what goes to a file or a pipe is not folded at 80 columns

app = typer.Typer(help="Import, check and list tapes.", no_args_is_help=True)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Raw captures, one continuing the other.")],
    out: Annotated[Path, typer.Option("--out", help="The tape to write; it must not exist yet.")],
    format_: Annotated[str, typer.Option("--format", help="binance-raw: lines of `<ns> <json>`.")] = "binance-raw",
    as_json: JsonOption = False,
    plain: PlainOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Turn raw captures of a venue into a tape, through the adapter that live sessions use."""
    options = common(None, None, is_json=as_json, is_plain=plain, is_verbose=verbose)
    if format_ != "binance-raw":
        sys.stderr.write(f"unknown format {format_!r}; there is: binance-raw\n")
        raise typer.Exit(2)
    with told_errors(options):
        from streamtrader.observers.screen import console_for, progress
        from streamtrader.runtime.importing import import_captures

        console = console_for(sys.stderr, os.environ)
        with progress(console, "import, per cent", 100, is_shown=not (as_json or plain)) as move:
            result = import_captures(files, out, on_progress=lambda done, all_: move(100 * done // all_))
        document = asdict(result) | {"instruments": [each.as_dict() for each in result.instruments]}
        tell(document, is_json=as_json)


@app.command()
def check(
    tape: Annotated[Path, typer.Argument(help="A tape.")],
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Report gaps, disorder, crossed books and how well the rebuilt book agrees; exit 1 on faults."""
    options = common(None, None, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.runtime.checking import check_tape

        result = check_tape(tape)
        tell(result.as_dict(), is_json=as_json)
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
                        "instruments": [instrument.symbol for instrument in tape.instruments],
                        "first_ns": tape.first_received_ns,
                        "last_ns": tape.last_received_ns,
                        "bytes": path.stat().st_size,
                        "torn_bytes": tape.torn_bytes,
                    }
                )
        tell({"tapes": rows}, is_json=as_json, show=lambda: _show(rows))


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
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
    width = None if sys.stdout.isatty() else WIDTH_OF_A_FILE
    Console(highlight=False, width=width).print(table if rows else "no tapes here")
