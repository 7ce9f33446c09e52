"""A session from within: what the engine holds against the exact books, and who is told of what."""

from __future__ import annotations

import asyncio
import contextlib
import gzip

import pytest
import structlog

from streamtrader.config import load_settings
from streamtrader.events import MORE, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.runtime import watching as watching_module
from streamtrader.runtime.limits import message_end
from streamtrader.runtime.live import RunOptions, run_paper
from streamtrader.runtime.parity import compare
from tests.venues.frames import NOW_NS, spot_trade


@contextlib.asynccontextmanager
async def unwatched(_session):
    yield


def settings_for(market, tmp_path, *more):
    return load_settings(
        overrides=[f"exchange.market={market}", "exchange.speed=max", f"run.root={tmp_path}/runs", *more],
        directory=tmp_path,
    )


@pytest.fixture
def short(shared_data, tmp_path):
    """The beginning of the recorded market."""
    whole = shared_data / "wire" / "binance" / "spot_btcusdt_20240808.gz"
    with gzip.open(whole) as lines:
        (tmp_path / "short.txt").write_bytes(b"".join(next(lines) for _ in range(6_000)))
    return tmp_path / "short.txt"


async def test_the_engines_positions_and_money_are_those_of_the_exact_ledgers(short, tmp_path):
    session = await run_paper(settings_for(short, tmp_path), RunOptions(), unwatched, lambda _text: None)

    assert sum(len(ledger.positions) for ledger in session.recorder.ledgers) > 0
    for seat, ledger in zip(session.engine.state.seats, session.recorder.ledgers, strict=True):
        instrument = session.feed.instruments[int(seat["instrument"])]
        size = float(ledger.position(instrument.symbol).size)
        assert float(seat["position_lots"]) / instrument.lots_per_unit == pytest.approx(size, abs=1e-9)
        assert float(seat["cash"]) == pytest.approx(float(ledger.cash), rel=1e-9)
        assert float(seat["fees"]) == pytest.approx(float(ledger.fees), rel=1e-9)


async def test_an_engine_that_fails_ends_the_session_as_failed_and_its_tape_is_whole(short, tmp_path):
    """Whatever goes wrong in a turn is raised to whoever started the session, after all is closed in order."""

    @contextlib.asynccontextmanager
    async def breaking(session):
        async with asyncio.TaskGroup() as group:
            async def fail():
                while not session.ring.taped:
                    await asyncio.sleep(0.01)
                raise RuntimeError("a failure beside the session")

            group.create_task(fail())
            yield

    settings = settings_for(short, tmp_path, "exchange.speed=20")
    with pytest.raises(BaseExceptionGroup):
        await run_paper(settings, RunOptions(), breaking, lambda _text: None)

    (run,) = (tmp_path / "runs").glob("2*")
    report = compare(run)
    assert report.difference_count == 0
    assert report.events > 0


async def test_who_watches_is_bounded_and_a_silent_instrument_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(watching_module, "NO_EVENT_WARNING_S", 0.3)
    late = spot_trade(1).replace(b"BTCUSDT", b"ETHUSDT").replace(b"btcusdt", b"ethusdt")
    lines = [(NOW_NS, spot_trade(1)), (NOW_NS + 10**8, spot_trade(2)), (NOW_NS + 10**12, late)]
    market = tmp_path / "market.txt"
    market.write_bytes(b"".join(b"%d %s\n" % line for line in lines))
    settings = settings_for(market, tmp_path, "exchange.speed=1", "metrics.is_enabled=false")

    from streamtrader.observers.logs import configure_logs
    from streamtrader.runtime.tally import ACTIVITY_KEPT, Tally

    tally = Tally()
    with configure_logs(level="info", style="json") as logs, structlog.testing.capture_logs() as said:
        await run_paper(
            settings, RunOptions(for_s=1.5), lambda session: watching_module.watching(session, tally, logs, None),
            lambda _text: None,
        )  # fmt: skip

    silent = [line["symbol"] for line in said if line["event"] == "no event since the start"]
    assert silent == ["ETHUSDT"]
    assert tally.activity.maxlen == ACTIVITY_KEPT


def test_a_limit_falls_behind_the_message_that_reaches_it():
    ring = Ring(64)
    for flags in (0, MORE, MORE, 0, 0):
        ring.write(Kind.TRADE, 0, 0, flags, 1, 1, 1.0)

    assert [message_end(ring, limit) for limit in (1, 2, 3, 4, 5, 6)] == [1, 4, 4, 4, 5, 5]
    ring.played = 4
    assert [message_end(ring, limit) for limit in (0, 2, 4)] == [4, 4, 4]
