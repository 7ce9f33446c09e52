"""`streamtrader`: the list of commands. Each imports what it needs when it is called, so that `--help` is quick."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

import streamtrader
from streamtrader.cli import bench, data, ledger, past, run, tca, venues

LONG_COLLECTIONS = 50_000, 20, 50

app = typer.Typer(
    name="streamtrader",
    help="Write a strategy once; replay it over ticks, run it on paper, and prove that both decide the same.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(is_asked: bool) -> None:
    if is_asked:
        sys.stdout.write(f"streamtrader {streamtrader.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


app.command("run")(run.run)
app.command("record")(run.record)
app.command("replay")(past.replay)
app.command("parity")(past.parity)
app.command("ledger")(ledger.ledger)
app.command("status")(past.status)
app.command("warmup")(past.warmup)
app.command("tca")(tca.tca)
app.command("calibrate")(tca.calibrate)
app.command("venues")(venues.venues)
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """The entry point. Modules and kernels stay: to look through them again and again took a tenth of every start."""
    gc.set_threshold(*LONG_COLLECTIONS)
    app()


if __name__ == "__main__":
    main()
