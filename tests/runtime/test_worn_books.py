"""A book that runs past the levels that the engine keeps: stated, refused on, asked for anew, and on tape and raw frames."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from streamtrader.config import load_settings
from streamtrader.events import BookState, Kind
from streamtrader.runtime.figures import as_json
from streamtrader.runtime.importing import import_captures
from streamtrader.runtime.live import RunOptions, run_paper
from streamtrader.runtime.parity import compare
from streamtrader.runtime.replay import replay
from streamtrader.runtime.tally import Tally
from streamtrader.storage.recording import RAW, recorded_files
from streamtrader.storage.tape import Tape
from tests.venues import frames

MS = 1_000_000
BEST, DEEP, GONE = 5_000_000, 6_000, 4_000  # the best bid in cents; levels a side; how many bids are taken away
AT_ONCE = 1_000


def price(ticks: int) -> str:
    return f"{ticks / 100:.2f}"


def thick_market(path):
    """Twice 6,000 levels, all but the first told one by one; then the best 4,000 bids go, and the market lives on."""
    lines, update, at_ms = [frames.snapshot(10, ((price(BEST), "1.0"),), ((price(BEST + 1), "1.0"),))], 11, 0
    clocks = [0]

    def tell(bids=(), asks=(), after_ms=5):
        nonlocal update, at_ms
        at_ms += after_ms
        lines.append(frames.spot_depth(update, update, tuple(bids), tuple(asks)))
        clocks.append(at_ms)
        update += 1

    tell(after_ms=50)
    for start in range(1, DEEP, AT_ONCE):
        steps = range(start, start + AT_ONCE)
        tell([(price(BEST - step), "2.0") for step in steps], [(price(BEST + 1 + step), "2.0") for step in steps])
    tell(after_ms=300)
    tell([(price(BEST - step), "0.0") for step in range(GONE)], after_ms=200)
    for count in range(40):
        tell([(price(BEST - GONE), f"{count + 1}.5")], after_ms=100)
    path.write_bytes(b"".join(b"%d %s\n" % (frames.NOW_NS + MS * at, line) for at, line in zip(clocks, lines, strict=True)))
    return path


@contextlib.asynccontextmanager
async def unwatched(_session):
    yield


@pytest.mark.slow
async def test_a_book_that_is_worn_is_begun_anew_and_a_replay_and_an_import_see_the_same(tmp_path):
    market = thick_market(tmp_path / "market.txt")
    wanted = [f"exchange.market={market}", f"run.root={tmp_path}/runs", "metrics.is_enabled=false"]
    settings = load_settings(overrides=wanted, directory=tmp_path)

    session = await run_paper(settings, RunOptions(is_raw=True), unwatched, lambda _text: None)

    book = session.engine.state.markets[0]["book"]
    told = as_json(session, Tally())
    assert (told["books_worn"], told["gaps"], told["resyncs"]) == (1, 1, 1)
    assert told["levels_forgotten"] > 5_000
    assert book["top"].tolist() == [BEST - GONE, BEST + 1]
    run = session.directory.path
    events = np.concatenate([np.asarray(events) for events in Tape.open(run / "session.tape").events()])
    links = events[events["kind"] == Kind.LINK]["a"].tolist()
    gap = links.index(BookState.GAP)
    assert links[gap - 1 : gap + 3] == [BookState.LIVE, BookState.GAP, BookState.SYNCING, BookState.LIVE]
    assert compare(run).difference_count == 0
    [note] = replay([run / "session.tape"], settings).notes
    assert note.startswith("BTCUSDT: 1 times the price came to levels that the book had forgotten")
    import_captures(recorded_files(run / "raw", RAW), tmp_path / "again.tape")
    again = np.concatenate([np.asarray(events) for events in Tape.open(tmp_path / "again.tape").events()])
    assert again[: len(events)].tobytes() == events.tobytes()
