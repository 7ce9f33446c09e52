"""The adapter and its connection against the embedded exchange: a session is the same bytes however it is read."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from streamtrader.events import BookState, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import MARKETS, Binance
from streamtrader.venues.clients import OPENERS
from streamtrader.venues.connection import Connection
from streamtrader.venues.venue import Endpoints
from tests.venues import frames

ROOT = Path(__file__).resolve().parents[2]


def capture_with_a_gap(path: Path) -> Path:
    """A book that starts with a snapshot in the file, misses an update and goes on; trades and quotes throughout."""
    lines = [frames.spot_depth(8, 9), frames.spot_depth(10, 12), frames.snapshot(10)]
    update = 13
    for number in range(400):
        update += 5 if number == 200 else 0
        lines += [
            frames.spot_depth(update, update + 1, (("100.00", f"{1 + number % 7}.5"),)),
            frames.spot_trade(number + 1),
            frames.spot_quote(update + 1),
        ]
        update += 2
    path.write_bytes(b"".join(b"%d %s\n" % (frames.NOW_NS + 1_000_000 * n, line) for n, line in enumerate(lines)))
    return path


async def session(path: Path, opener: str, slots: int, speed: str) -> tuple[bytes, Binance]:
    """All events of one session, as bytes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamtrader.exchange", "--market", str(path), "--speed", speed, "--port", "0",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        described = json.loads(await process.stdout.readline())
        url = f"127.0.0.1:{described['port']}"
        venue = Binance(
            [frames.instrument(symbol) for symbol in described["symbols"]],
            MARKETS[described["kind"]],
            scanner=frames.compiled_scanner(),
            endpoints=[Endpoints(f"ws://{url}", f"http://{url}")],
            is_stamped=True,
        )
        ring, played = Ring(slots), bytearray()

        def play() -> None:
            for events in ring.slices(ring.played, ring.written):
                played.extend(events.tobytes())
            ring.played = ring.taped = ring.written

        async with asyncio.timeout(30.0):
            await Connection(venue, ring, play, opener=OPENERS[opener]).run()
    finally:
        process.stdin.close()
        await process.wait()
    return bytes(played), venue


@pytest.mark.parametrize(("opener", "slots", "speed"), [("picows", 1024, "max"), ("picows", 1 << 14, "10")])
async def test_a_session_is_the_same_bytes_however_fast_it_is_read(tmp_path, opener, slots, speed):
    path = capture_with_a_gap(tmp_path / "capture")
    expected, venue = await session(path, "picows", 1 << 16, "max")

    again, _ = await session(path, opener, slots, speed)

    assert again == expected
    assert venue.counters.trades == venue.counters.quotes == 400
    assert (venue.counters.gaps, venue.counters.snapshots) == (1, 2)
    events = frames.np_events(expected)
    states = events["a"][events["kind"] == Kind.LINK].astype(int).tolist()
    live, gap, syncing, stale = BookState.LIVE, BookState.GAP, BookState.SYNCING, BookState.STALE
    told = [live, gap, syncing, live, stale]  # before the first frame the market's clock is not known
    assert states in (told, [syncing, *told])
    assert (events["received_ns"][1:] >= events["received_ns"][:-1]).all()


async def test_both_libraries_bring_the_same_frames(tmp_path):
    path = capture_with_a_gap(tmp_path / "capture")

    written = [await session(path, opener, 1 << 16, "max") for opener in ("picows", "websockets")]

    trades = []
    for played, _ in written:
        events = frames.np_events(played)
        trades.append(events[events["kind"] == Kind.TRADE].tobytes())
    assert trades[0] == trades[1]
