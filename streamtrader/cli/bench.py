"""The latency and throughput suite."""

from __future__ import annotations

from typing import Annotated

import typer

from streamtrader.cli.common import JsonOption, VerboseOption, common, tell, told_errors

app = typer.Typer(help="Measure this machine: replay and live.", no_args_is_help=True)


@app.command()
def replay(
    ticks: Annotated[int, typer.Option("--ticks", min=1_000, help="Ticks of three rows each.")] = 2_000_000,
    book_rows: Annotated[int, typer.Option("--book-rows", min=1_000, help="Rows of a book.")] = 1_000_000,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Runs of each; medians are told.")] = 5,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Replay seeded ticks with orders and risk rules, and a seeded book."""
    with told_errors(common(None, None, is_json=as_json, is_verbose=verbose)):
        from streamtrader.bench.replay import measure

        tell(measure(ticks=ticks, book_rows=book_rows, repeats=repeats), is_json=as_json)


@app.command()
def live(
    frames: Annotated[int, typer.Option("--frames", min=1_000, help="Frames of each measurement.")] = 20_000,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Frame bytes in to order bytes out, in process and over loopback."""
    with told_errors(common(None, None, is_json=as_json, is_verbose=verbose)):
        from streamtrader.bench.live import measure

        tell(measure(frames=frames), is_json=as_json)
