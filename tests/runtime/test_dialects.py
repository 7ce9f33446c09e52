"""Whole sessions in every dialect: the same at each speed, the same again in a replay, the same from raw frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamtrader.events import BookState, Kind
from streamtrader.storage.tape import Tape
from tests.cli.commands import called, events_of, lines_of, packed, paper, parity, resumed

DIALECTS = ("kraken", "coinbase", "coinbase-exchange", "okx", "bybit", "alpaca")
SYMBOLS = {
    "kraken": "BTC/USD,ETH/USD",
    "coinbase": "BTC-USD,ETH-USD",
    "coinbase-exchange": "BTC-USD,ETH-USD",
    "okx": "BTC-USDT,ETH-USDT",
    "bybit": "BTCUSDT,ETHUSDT",
    "alpaca": "BTC/USD,ETH/USD",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return tmp_path


def dialect_of(name: str, *more: str) -> list[str]:
    return ["--set", f"exchange.dialect={name}", *more]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.slow
def test_a_session_is_the_same_at_every_speed_and_in_a_replay(dialect, tmp_path):
    """With the symbols and strategies that the settings come with: `BTCUSDT` is `BTC/USDT` there."""
    quick, slow = (
        paper("synthetic", tmp_path, *dialect_of(dialect), "--max-events", "15000", speed=speed).document
        for speed in ("max", "40")
    )

    assert quick["state_sha256"] == slow["state_sha256"]
    assert quick["fills"] > 0
    assert (quick["gaps"], quick["resyncs"], quick["frames"]["unknown"], quick["frames"]["rejected"]) == (0, 0, 0, 0)
    assert parity(Path(quick["run"]))["difference_count"] == 0


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.slow
def test_a_recorded_tape_is_that_of_its_raw_frames(dialect, tmp_path):
    out, again = tmp_path / "x.tape", tmp_path / "y.tape"
    symbols = ["--set", f"exchange.symbols={SYMBOLS[dialect]}"]

    told = called(
        *("record", "--speed", "max", "--max-events", "8000", "--raw", "--out", out, "--json"),
        *dialect_of(dialect, *symbols),
    ).document
    found = called("data", "import", told["raw"], "--out", again, "--json").document

    assert events_of(out).tobytes() == events_of(again).tobytes()
    assert Tape.open(out).instruments == Tape.open(again).instruments
    assert [dialect] == found["venues"]
    assert (found["rejected"], found["unknown"], found["books_not_live"]) == (0, 0, [])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.slow
def test_a_tape_plays_again_in_the_dialect_it_came_from(dialect, tmp_path):
    """Trades are the same one by one; every book that is told has the same best prices at its end."""
    first, second = tmp_path / "x.tape", tmp_path / "y.tape"
    symbols = ["--set", f"exchange.symbols={SYMBOLS[dialect]}"]
    called(
        *("record", "--speed", "max", "--max-events", "8000", "--out", first, "--json"),
        *dialect_of(dialect, *symbols),
    )

    called("record", "--market", first, "--speed", "max", "--out", second, "--json", *dialect_of(dialect))

    trades = [[event for event in events_of(tape) if event["kind"] == Kind.TRADE] for tape in (first, second)]
    told = [[(e["instrument"], e["side"], e["a"], e["b"], e["id"]) for e in each] for each in trades]
    assert len(told[0]) > 100
    assert told[0] == told[1]
    assert [each.symbol for each in Tape.open(second).instruments] == SYMBOLS[dialect].split(",")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.slow
def test_a_capture_of_another_venue_is_a_market_in_every_dialect(dialect, shared_data, tmp_path):
    spot = shared_data / "wire" / "binance" / "spot_btcusdt_20240808.gz"
    short = packed(tmp_path / "short.gz", lines_of(spot)[:3_000])

    document = paper(short, tmp_path, *dialect_of(dialect)).document

    assert document["reason"] == "market ended"
    assert document["events_by_kind"]["trade"] > 100
    assert document["events_by_kind"]["book"] > 500
    assert (document["gaps"], document["frames"]["unknown"], document["frames"]["rejected"]) == (0, 0, 0)
    assert parity(Path(document["run"]))["difference_count"] == 0


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.slow
def test_a_session_goes_on_where_it_ended(dialect, tmp_path):
    first = paper("synthetic", tmp_path, *dialect_of(dialect), "--max-events", "8000")

    again = resumed(first.run, "--max-events", "16000").document

    events = events_of(first.run / "session.tape")
    ids = [
        events["id"][(events["kind"] == Kind.TRADE) & (events["instrument"] == index)].tolist() for index in (0, 1)
    ]
    assert again["events_before"] == first.document["events"]
    assert all(each == sorted(set(each)) for each in ids)
    assert all(each[-1] - each[0] + 1 - len(each) < 50 for each in ids)
    assert parity(first.run)["difference_count"] == 0


@pytest.mark.slow
def test_a_session_on_a_bad_day_is_told_by_its_tape_and_replays_without_a_difference(tmp_path):
    faults = '["at=5s reset-mid-frame", "at=10s frozen symbol=BTC/USDT"]'

    document = paper(
        "synthetic", tmp_path, *dialect_of("kraken", "--set", f"exchange.faults={faults}"), "--max-events", "60000"
    ).document

    events = events_of(Path(document["run"]) / "session.tape")
    states = events[(events["kind"] == Kind.LINK) & (events["instrument"] == 0)]["a"].tolist()
    assert document["reconnects"] == 1
    assert ["LIVE", "STALE", "SYNCING", "LIVE", "STALE", "LIVE"] == [BookState(int(state)).name for state in states]
    assert parity(Path(document["run"]))["difference_count"] == 0
