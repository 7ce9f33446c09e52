"""A session on perpetuals from both of the venue's paths: funding is charged, a position is liquidated, a kill is no loss.

The exchange is a process of its own that plays the recorded USD-M market at its own pace, with marks between its frames:
first where the market is, later 15 % below, as after a crash that this book has not seen.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from decimal import Decimal

import pytest

from tests.cli.commands import called, ended, environment, lines_of, packed, parity, rows_of, started, wait_for

LINES = 12_000  # a minute of the market
HOLDER = """
from streamtrader import Strategy


class Holder(Strategy):
    # Asks once for a position and leaves it to its fate.

    def __init__(self, size: float = 0.15) -> None:
        self.size = size
        self.is_asked = False

    def on_book(self, level, broker):
        if broker.is_live() and not self.is_asked:
            self.is_asked = True
            broker.hold(self.size)
"""


def with_marks(capture, path, price):
    """A mark every second of the capture; each tells a funding four seconds later than the one before it did."""
    made, next_ns, count, now_ms = [], 0, 0, time.time_ns() // 1_000_000
    for line in lines_of(capture)[:LINES]:
        stamp_ns = int(line.partition(b" ")[0])
        made.append(line)
        if stamp_ns >= next_ns:
            next_ns, count = stamp_ns + 1_000_000_000, count + 1
            data = {"e": "markPriceUpdate", "E": stamp_ns // 1_000_000, "s": "BTCUSDT", "p": price, "i": price, "P": price}
            data |= {"r": "0.0001", "T": now_ms + 4_000 * count}
            made.append(f"{stamp_ns + 1} ".encode() + json.dumps({"stream": "btcusdt@markPrice@1s", "data": data}).encode() + b"\n")
    return packed(path, made)


class Venue:
    """The exchange as a venue at an address, with one market after another."""

    def __init__(self) -> None:
        self.port = 0
        self.process = None

    def open(self, market):
        self.close()
        command = [sys.executable, "-m", "streamtrader.exchange", "--market", str(market), "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def close(self):
        if self.process is not None:
            self.process.communicate()  # closes its standard input, which ends it
            self.process = None


@pytest.fixture
def venue():
    exchange = Venue()
    yield exchange
    exchange.close()


def settings(venue, strategy):
    values = {
        "venue.kind": "perpetual", "venue.websocket_url": f"ws://127.0.0.1:{venue.port}",
        "venue.rest_url": f"http://127.0.0.1:{venue.port}", "venue.channels": '["trade", "book", "mark"]',
        "exchange.symbols": '["BTCUSDT"]', "engine.cash_quote": "1000", "account.leverage": "10",
        "account.liquidation_fee_rate": "0.0125", "risk.max_notional.limit_quote": "20000",
        "risk.daily_loss.limit_quote": "1e6", "risk.drawdown.limit_quote": "1e6", "metrics.is_enabled": "false",
        "run.flush_every_ms": "20", "run.checkpoint_every_s": "0.2",
    }  # fmt: skip
    chosen = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    return ["run", "--paper", "--json", "--venue", "binance", "--strategy", f"{strategy}:Holder", *chosen]


def charges(folder, kind):
    """The runs of a folder that have stored such a charge; one without a tape of some length has no tables yet."""
    found = [path.parent for path in folder.glob("runs/*/session.tape") if path.stat().st_size > 100_000]
    return [run for run in found if rows_of(run, f"SELECT 1 FROM charges WHERE kind = '{kind}'")]


def assert_exact(run):
    document = called("ledger", run, "--json").document
    assert (document["difference_count"], document["differences"]) == (0, [])
    report = parity(run)
    assert (report["difference_count"], report["differences"]) == (0, [])
    return document, report


@pytest.mark.slow
def test_funding_a_kill_and_a_liquidation_leave_books_without_a_difference(captures, venue, tmp_path):
    usdm = captures / "usdm_btcusdt_20240808.gz"
    strategy = tmp_path / "holder.py"
    strategy.write_text(HOLDER)

    venue.open(with_marks(usdm, tmp_path / "calm.gz", "61800.0"))
    first = started(*settings(venue, strategy), cwd=tmp_path)
    (run,) = wait_for(lambda: charges(tmp_path, "funding"), first)
    first.kill()
    ended(first)
    document, report = assert_exact(run)
    assert Decimal(document["funding"]) > 0
    assert any("not ended in order" in note for note in report["notes"])

    venue.open(with_marks(usdm, tmp_path / "crash.gz", "52530.0"))
    again = started("run", "--paper", "--json", "--run", run, cwd=tmp_path)
    wait_for(lambda: charges(tmp_path, "liquidation"), again)
    again.send_signal(signal.SIGINT)
    outcome = ended(again)

    assert outcome.code == 0, outcome
    document, report = assert_exact(run)
    assert report["state_sha256"] == outcome.document["state_sha256"]
    (forced,) = rows_of(run, "SELECT * FROM fills WHERE forced = 1")
    assert (forced["side"], forced["size"]) == ("sell", "0.15")
    assert [row["rule"] for row in rows_of(run, "SELECT rule FROM halts")] == ["LIQUIDATED"]
    kinds = {row["kind"] for row in rows_of(run, "SELECT kind FROM charges")}
    assert kinds == {"funding", "liquidation"}
    assert Decimal(document["positions_value"]) == 0
    paid = sum(Decimal(row["amount"]) for row in rows_of(run, "SELECT amount FROM charges WHERE kind = 'funding'"))
    assert Decimal(document["funding"]) == paid > 0
