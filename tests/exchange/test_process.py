"""The exchange as a child process: where it listens, why it cannot, and that it goes when its parent goes."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys

import aiohttp
import pytest

from streamtrader.errors import ConfigError, MarketFileError, VenueError
from streamtrader.exchange.process import start_exchange
from tests.exchange.support import capture_lines, write_capture


async def test_a_started_exchange_says_what_it_is_answers_and_stops():
    async with start_exchange(seed=3, speed="max", symbols=["BTCUSDT", "SOLUSDT"]) as exchange:
        url = f"{exchange.rest_url}/embedded/market"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            document = await response.json()
        assert exchange.is_running
        assert "" == exchange.last_words()

    assert ("spot", ("BTCUSDT", "SOLUSDT"), "synthetic") == (exchange.kind, exchange.symbols, exchange.market)
    assert (3, "max") == (document["seed"], document["speed"])
    assert 0 == exchange.process.returncode


async def test_files_where_somebody_works_are_not_taken_for_modules(tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise RuntimeError('a strategy of chance')\n")
    monkeypatch.chdir(tmp_path)

    async with start_exchange(speed="max") as exchange:
        assert exchange.is_running


async def test_a_market_file_that_cannot_be_read_is_an_error_with_its_message(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n")

    with pytest.raises(MarketFileError, match=r"x.csv, line 1"):
        async with start_exchange(market=str(tmp_path / "x.csv")):
            pass


async def test_a_tape_that_is_none_is_an_error_with_its_message(tmp_path):
    (tmp_path / "x.tape").write_text("not a tape")

    with pytest.raises(MarketFileError, match=r"x.tape"):
        async with start_exchange(market=str(tmp_path / "x.tape")):
            pass


async def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=f"port {port} is in use"):
            async with start_exchange(port=port):
                pass


async def test_what_it_said_last_is_told_when_it_ends_at_once():
    with pytest.raises(VenueError, match=r"(?s)code 2.*speed must be above zero"):
        async with start_exchange(speed="0"):
            pass


async def test_silence_has_a_limit():
    with pytest.raises(VenueError, match=r"not ready within 0.01 s"):
        async with start_exchange(ready_s=0.01):
            pass


async def test_it_ends_when_its_standard_input_closes(tmp_path):
    path = write_capture(tmp_path / "c", capture_lines(10))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streamtrader.exchange", "--market", path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    ready = json.loads(await process.stdout.readline())
    process.stdin.close()

    assert 0 == await asyncio.wait_for(process.wait(), 5)
    assert ("c", ["BTCUSDT"], "spot") == (ready["market"], ready["symbols"], ready["kind"])


def test_the_server_starts_without_the_compiler():
    modules = ("__main__", "tapes", "synthetic", "captures")
    code = f"import sys, {', '.join(f'streamtrader.exchange.{name}' for name in modules)}; sys.exit('numba' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
