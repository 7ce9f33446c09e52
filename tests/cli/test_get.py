"""`data get` as a user gives it, in a process that is killed in the middle."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from tests.cli.commands import called, environment, events_of
from tests.venues.past import Past, past_trades, serving_past

TRADES = past_trades(4_500, every_s=0.5)


def command(past, out, *more):
    arguments = ("data", "get", "binance", "BTCUSDT", "--from", "2023-11-14T22:14", "--to", "2023-11-17", *more)
    return [
        sys.executable,
        "-m",
        "streamtrader.cli.main",
        *arguments,
        "--out",
        str(out),
        "--rest-url",
        past.url,
        "--json",
    ]


async def ran(past, out, *more, kill_at=0, code=0):
    """The command in a process of its own, killed as it asks for the `kill_at`-th time."""
    process = await asyncio.create_subprocess_exec(
        *command(past, out, *more), env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    past.on_request = lambda count: process.kill() if count == kill_at else None
    said, err = await process.communicate()
    assert process.returncode == (-9 if kill_at else code), err.decode()
    return json.loads(said) if said else None


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.slow
async def test_killed_in_the_middle_and_given_again_it_ends_in_the_same_bytes(tmp_path):
    async with serving_past(Past(TRADES)) as past:
        await ran(past, tmp_path / "x.tape")
        assert len(past.paths) == 6
        for kill_at in (1, 4):  # at every request: tests/runtime/test_getting.py, in one process
            out = tmp_path / f"{kill_at}.tape"
            past.paths.clear()
            await ran(past, out, kill_at=kill_at)
            assert not out.exists()
            told = await ran(past, out)
            assert out.read_bytes() == (tmp_path / "x.tape").read_bytes(), kill_at
            assert told["is_resumed"] == (kill_at > 1)

    left = ["1.tape", "4.tape", "state", "x.tape"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    assert json.loads((tmp_path / "state/streamtrader/budgets/binance.json").read_bytes())["spent"] > 60


async def test_candles_are_a_tape_that_can_be_checked_and_listed(tmp_path):
    async with serving_past(Past(TRADES)) as past:
        told = await ran(past, tmp_path / "x.tape", "--what", "candles", "--interval", "1m")

    assert told["events"] == len(events_of(tmp_path / "x.tape")) > 30
    (row,) = called("data", "ls", tmp_path / "x.tape", "--json").document["tapes"]
    assert (row["events"], row["instruments"]) == (told["events"], ["BTCUSDT"])


async def test_a_venue_that_does_not_serve_this_place_is_a_message_and_a_code(tmp_path):
    async with serving_past(Past(TRADES)) as past:
        past.faults.append("451")
        told = await ran(past, tmp_path / "x.tape", code=1)

    assert "does not serve this country" in told["message"]
    assert list(tmp_path.glob("x.*")) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "yesterday"), "is no time"),
        (("--from", "2023-01-01", "--what", "gossip"), "not of 'gossip'"),
        (("--from", "2023-01-01", "--kind", "option"), "spot and perpetual"),
        (("--from", "2023-01-01", "--to", "2022-01-01"), "before --to"),
        (("--from", "2023-01-01", "--what", "candles", "--interval", "7s"), "candles of 7 s"),
        (("--from", "1923-01-01", "--to", "2022-01-01"), "not lie before 1970"),
        (("--from", "2023-01-01", "--rest-url", "example.com"), "--rest-url example.com: an address begins with http"),
    ],
)
def test_what_cannot_be_asked_is_told(tmp_path, arguments, said):
    code = 2 if "no time" in said else 4

    outcome = called("data", "get", "binance", "BTCUSDT", "--out", tmp_path / "x.tape", *arguments, code=code)

    assert said in outcome.err
    assert list(tmp_path.glob("x.*")) == []
