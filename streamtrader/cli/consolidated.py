"""`data consolidated`: one asset on several venues, who leads its price, and when they cross."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrader.cli.common import JsonOption, VerboseOption, common, console_for_people, table_of, tell, told_errors


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
    rows = []
    for leg in document["legs"]:
        shares = [leg[f"leads_{side}_share"] for side in ("bid", "ask", "quoted_bid", "quoted_ask")]
        percents = [f"{value:.2%}" for value in (leg["counts_share"], *shares)]
        rows.append((leg["venue"], leg["symbol"], leg["kind"], f"{leg['taker_fee_bps']:g}", *percents))
    names = ("venue", "symbol", "market")
    titles = (*names, "fee, bp", "counts", "best bid", "best ask", "quoted bid", "quoted ask")
    console = console_for_people()
    console.print(table_of(titles, rows, texts=names))
    for name in ("locked", "crossed", "profitable"):
        state = document[name]
        console.print(
            f"{name}: {state['share']:.4%} of {document['duration_s']:,.1f} s, {state['episodes']} times, "
            f"at longest {state['longest_ms']:,.3f} ms, at widest {state['widest_bps']:.2f} bp"
        )
