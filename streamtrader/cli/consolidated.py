"""`data consolidated`: one asset on several venues, who leads its price, and when they cross."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrader.cli.common import JsonOption, VerboseOption, common, tell, told_errors

WIDTH_OF_A_FILE = 200  # what goes to a file or a pipe is not folded at 80 columns


def consolidated(
    tapes: Annotated[list[Path], typer.Argument(help="Tapes of the same time, of one venue each or of several.")],
    assets: Annotated[
        list[str] | None,
        typer.Option("--asset", help="A pair such as BTC/USDT; repeated, for pairs that count as the same."),
    ] = None,
    max_age_s: Annotated[
        float, typer.Option("--max-age-s", help="A venue that told nothing of its book for so long does not count.")
    ] = 5.0,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Best bid and offer of one asset across venues, after fees: shares of time, and where venues lock or cross."""
    options = common(None, None, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        from streamtrader.runtime.consolidating import consolidate_tapes

        document = consolidate_tapes(tapes, assets or (), max_age_s=max_age_s)
        tell(document, is_json=as_json, show=lambda: _show(document))


def _show(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bright_black")
    for title in (
        "venue",
        "symbol",
        "market",
        "fee, bp",
        "counts",
        "best bid",
        "best ask",
        "quoted bid",
        "quoted ask",
    ):
        is_text = title in ("venue", "symbol", "market")
        table.add_column(title, justify="left" if is_text else "right", no_wrap=True)
    for leg in document["legs"]:
        shares = [leg[f"leads_{side}_share"] for side in ("bid", "ask", "quoted_bid", "quoted_ask")]
        percents = [f"{value:.2%}" for value in (leg["counts_share"], *shares)]
        table.add_row(leg["venue"], leg["symbol"], leg["kind"], f"{leg['taker_fee_bps']:g}", *percents)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
    console.print(table)
    for name in ("locked", "crossed", "profitable"):
        state = document[name]
        console.print(
            f"{name}: {state['share']:.4%} of {document['duration_s']:,.1f} s, {state['episodes']} times, "
            f"at longest {state['longest_ms']:,.3f} ms, at widest {state['widest_bps']:.2f} bp"
        )
