"""`data get`: trades and candles of the past, from a venue's REST interface to a tape."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrader.cli.common import JsonOption, PlainOption, VerboseOption, common, tell, told_errors


def get(
    venue: Annotated[str, typer.Argument(help="alpaca, binance, coinbase or kraken.")],
    symbol: Annotated[str, typer.Argument(help="As the venue writes it: BTCUSDT, BTC-USD, BTC/USD.")],
    start: Annotated[str, typer.Option("--from", help="2024-08-08, 2024-08-08T12:30, with +02:00 or UTC.")],
    out: Annotated[
        Path, typer.Option("--out", help="The tape to write. The same command again goes on where it was.")
    ],
    what: Annotated[str, typer.Option("--what", help="trades or candles.")] = "trades",
    stop: Annotated[str | None, typer.Option("--to", help="Not included; the venue's now when left out.")] = None,
    interval: Annotated[str, typer.Option("--interval", help="Of candles: 1m, 5m, 1h, 1d.")] = "1m",
    kind: Annotated[str, typer.Option("--kind", help="spot or perpetual.")] = "spot",
    feed: Annotated[str, typer.Option("--feed", help="Of Alpaca: iex, sip, boats, or us, us-1, eu-1.")] = "",
    daily_weight: Annotated[
        float | None,
        typer.Option(
            "--daily-weight",
            min=0,
            help="Of all downloads from this venue a day, in its own weight; a share of its limits when left out.",
        ),
    ] = None,
    rest_url: Annotated[str, typer.Option("--rest-url", help="Ask here instead of the venue's own address.")] = "",
    as_json: JsonOption = False,
    plain: PlainOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Download trades or closed candles; stopped at any moment, the same command goes on."""
    options = common(None, None, is_json=as_json, is_plain=plain, is_verbose=verbose)
    from streamtrader.cli.run import seconds_of

    span_ns = int((seconds_of(interval) or 0) * 1_000_000_000) if what == "candles" else 0
    clocks = (clock_of(start), clock_of(stop))
    with told_errors(options):
        import asyncio

        from streamtrader.observers.screen import console_for, progress
        from streamtrader.runtime.getting import GetOptions, budget_folder, get_history
        from streamtrader.venues.history import FOREVER_NS, Query

        query = Query(what, symbol, clocks[0] or 0, clocks[1] or FOREVER_NS, span_ns, kind, feed)
        wanted = GetOptions(budget_folder(), rest_url, daily_weight)
        console = console_for(sys.stderr, os.environ)
        with progress(console, "download, per cent", 100, is_shown=not (as_json or plain)) as move:
            found = asyncio.run(get_history(venue, query, out, wanted, on_progress=_per_cent(move)))
        tell(found, is_json=as_json)


def clock_of(text: str | None) -> int | None:
    """ISO 8601 as nanoseconds since the epoch; UTC where no zone is given."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: 2024-08-08 or 2024-08-08T12:30:00+02:00") from None
    since = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _per_cent(move: Callable[[int], Any]) -> Callable[[int, int], None]:
    return lambda done_ns, all_ns: move(min(100, 100 * done_ns // max(all_ns, 1)))
