"""The closed candles that a strategy starts with, so that its window is full before its first live event.

The past is asked for in whole blocks of a fixed grid. Blocks that are over are kept as tapes where a folder is given:
a start that was interrupted goes on, and the next start asks for the newest candles only.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamtrader.errors import ConfigError
from streamtrader.events import EVENT
from streamtrader.runtime.getting import GetOptions, Walk, asking, get_history, until
from streamtrader.storage.tape_reader import Tape
from streamtrader.units import NS_PER_S
from streamtrader.venues.history import CANDLES, FOREVER_NS, History, Query, Rows, history_of
from streamtrader.venues.joining import LATE_NS, CandleJoiner

if TYPE_CHECKING:
    from streamtrader.instruments import Instrument

BLOCK_CANDLES = 1_000
LOOKS_BACK = 4  # so many times further, for a market that trades rarely
SPARE_CANDLES = 2


async def closed_candles(
    venue: str, query: Query, count: int, options: GetOptions, *, kept: Path | None = None
) -> tuple[Instrument, Rows]:
    """The newest `count` candles that are closed before `query.stop_ns` (the venue's now where that is earlier).

    Oldest first, on the grid of `query.interval_ns`, without a hole: CANDLE rows of instrument 0 as adapters write
    them, `venue_ns` the start and `received_ns` the end. Intervals without a trade are flat candles of volume 0. Fewer
    rows come back where the venue does not go back so far. `query.start_ns` is not looked at; `kept` is a folder for
    finished blocks. Paced and budgeted like any download.
    """
    if query.what != CANDLES or query.interval_ns <= 0 or count < 1:
        raise ConfigError("a warm-up asks for one candle at least, of an interval above zero")
    history = history_of(venue)
    interval_ns = query.interval_ns
    async with asking(history, replace(query, start_ns=0), options) as (client, instrument, now_ns):
        stop_ns = until(query, now_ns) // interval_ns * interval_ns
        rows, back = np.zeros(0, EVENT), count + SPARE_CANDLES
        for _ in range(LOOKS_BACK):
            start_ns = max(0, stop_ns - back * interval_ns)
            wanted = replace(query, start_ns=start_ns, stop_ns=stop_ns)
            settled_ns = _settled(wanted, now_ns) if kept is not None else start_ns
            pages = [] if kept is None else await _kept_blocks(venue, wanted, settled_ns, options, kept)
            if settled_ns < stop_ns:
                walk = Walk(client, history, instrument, replace(wanted, start_ns=settled_ns), {})
                pages += [rows async for rows in walk.pages()]
            rows = _joined(pages, wanted, history, now_ns)
            if len(rows) >= count or history.has_empty_candles or start_ns == 0:
                break
            back *= 4
    return instrument, rows[-count:]


def _settled(query: Query, now_ns: int) -> int:
    """Up to here whole blocks lie so far back that they will not change."""
    block_ns = BLOCK_CANDLES * query.interval_ns
    settled_ns = min(query.stop_ns, now_ns - LATE_NS) // block_ns * block_ns
    return max(settled_ns, query.start_ns)


async def _kept_blocks(venue: str, query: Query, settled_ns: int, options: GetOptions, kept: Path) -> list[Rows]:
    """The candles of every whole block from that of `query.start_ns` up to `settled_ns`, downloaded where need be."""
    await asyncio.to_thread(kept.mkdir, parents=True, exist_ok=True)
    block_ns, found = BLOCK_CANDLES * query.interval_ns, []
    name = "-".join(filter(None, (venue, query.feed, query.kind, query.symbol.replace("/", "_"), str(query.interval_s))))
    for start_ns in range(query.start_ns // block_ns * block_ns, settled_ns, block_ns):
        out = kept / f"{name}-{start_ns // NS_PER_S}.tape"
        await get_history(venue, replace(query, start_ns=start_ns, stop_ns=start_ns + block_ns), out, options)
        found += [rows.copy() for rows in Tape.open(out).events()]
    return found


def _joined(pages: list[Rows], query: Query, history: History, now_ns: int) -> Rows:
    """One run of candles from pages that were each filled for themselves."""
    rows = np.concatenate([np.zeros(0, EVENT), *pages])
    joined = CandleJoiner(query, history).take(rows, now_ns or FOREVER_NS, may_have_holes=True)
    assert joined is not None
    return joined
