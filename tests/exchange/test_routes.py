"""USD-M's two paths, each with what it serves and no more, and one session of ours that listens to both."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import asynccontextmanager

import pytest
import websockets

from streamtrader.events import BookState, Kind
from streamtrader.exchange.captures import CaptureMarket
from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import USDM, Binance
from streamtrader.venues.connection import Connection
from streamtrader.venues.venue import Endpoints
from tests.exchange.support import BASE_NS, capture_lines, serving, write_capture
from tests.venues.frames import instrument
from tests.venues.servers import QUICK

CHANNELS = ("trade", "depth@100ms", "markPrice@1s", "forceOrder")
PUBLIC, MARKET = "/public/", "/market/"
SETTINGS = dataclasses.replace(QUICK, silence_s=2.0)  # a busy machine must not take the other path for silent too


def mark(index):
    ms = (BASE_NS + index * 1_000_000) // 1_000_000
    data = f'"s":"BTCUSDT","p":"60001.5{index % 10}","i":"60000.00","P":"60000.00","r":"0.0001","T":{ms + 1_000}'
    return f'{{"stream":"btcusdt@markPrice@1s","data":{{"e":"markPriceUpdate","E":{ms},{data}}}}}'


def lines(count):
    """A millisecond apart: a mark price behind every fifth of the capture's lines."""
    made = []
    for index, line in enumerate(capture_lines(count, kind="usdm")):
        made.append(line)
        if index % 5 == 0:
            made.append(f"{BASE_NS + index * 1_000_000 + 500} {mark(index)}")
    return made


@pytest.fixture
def market(tmp_path):
    def make(count):
        return CaptureMarket([write_capture(tmp_path / "day.txt", lines(count))])

    return make


class Client:
    """A session without an engine: what it wrote, by kind."""

    def __init__(self, port):
        self.ring, self.rows = Ring(1 << 14), []
        endpoints = [Endpoints(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}")]
        self.venue = Binance([instrument(market=USDM)], USDM, channels=CHANNELS, endpoints=endpoints)
        self.connection = Connection(self.venue, self.ring, self.play, settings=SETTINGS, seed=1)

    def play(self):
        for events in self.ring.slices(self.ring.played, self.ring.written):
            self.rows += zip(events["kind"].tolist(), events["a"].tolist(), events["id"].tolist(), strict=True)
        self.ring.played = self.ring.taped = self.ring.written

    def count(self, kind):
        return sum(row[0] == kind for row in self.rows)

    def states(self):
        return [BookState(int(row[1])) for row in self.rows if row[0] == Kind.LINK]

    @property
    def is_live(self):
        return self.venue.book_state(0) is BookState.LIVE and self.connection.counters.state == "open"


@asynccontextmanager
async def session(market):
    async with serving(market, speed=1.0) as served, asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        client = Client(served.port)
        running = tasks.create_task(client.connection.run())
        while not (client.is_live and client.count(Kind.MARK)):
            await asyncio.sleep(0.002)
        yield served, client, running
        running.cancel()


def link_to(served, prefix):
    (listener,) = [each for each in served.pump.audience.listeners if each.path.startswith(prefix)]
    return listener


@pytest.mark.parametrize(
    ("prefix", "feeds"), [("/public", {"trade"}), ("/market", {"markPrice"}), ("", {"trade"})]
)
async def test_a_path_acknowledges_every_stream_and_sends_those_that_it_serves(market, prefix, feeds):
    async with serving(market(60)) as served:
        url = f"ws://127.0.0.1:{served.port}{prefix}/stream"
        async with websockets.connect(url, compression=None) as socket:
            asked = ["btcusdt@trade", "btcusdt@markPrice@1s"]
            await socket.send(json.dumps({"method": "SUBSCRIBE", "params": asked, "id": 1}))
            heard = []
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    heard.append(json.loads(await socket.recv()))

    assert heard[0] == {"result": None, "id": 1}
    assert {each["stream"].split("@")[1] for each in heard[1:]} == feeds


async def test_a_session_hears_both_paths_and_writes_them_into_one_ring(market):
    async with session(market(600)) as (_, client, running):
        await running

    client.play()
    marks, trades = client.count(Kind.MARK), client.count(Kind.TRADE)
    assert (marks > 100, trades > 250) == (True, True)
    assert client.states() == [BookState.SYNCING, BookState.LIVE, BookState.STALE]
    counters = client.venue.counters
    assert (counters.unknown, counters.rejected, counters.faults, counters.gaps) == (0, 0, 0, 0)
    assert client.connection.counters.connects == 2


async def test_the_loss_of_the_market_path_leaves_the_book_live_and_is_mended(market):
    async with session(market(1_500)) as (served, client, _):
        link_to(served, MARKET).reset()
        while client.connection.counters.connects < 3:
            await asyncio.sleep(0.002)
        before = client.count(Kind.MARK)
        while client.count(Kind.MARK) < before + 5:
            await asyncio.sleep(0.002)

    assert client.states() == [BookState.SYNCING, BookState.LIVE]
    assert client.connection.counters.disconnects == 1


async def test_the_loss_of_the_public_path_makes_the_book_stale_while_marks_go_on(market):
    async with session(market(1_500)) as (served, client, _):
        marks = client.count(Kind.MARK)
        link_to(served, PUBLIC).reset()
        while client.states()[-2:] != [BookState.SYNCING, BookState.LIVE] or client.count(Kind.MARK) < marks + 5:
            await asyncio.sleep(0.002)

    live, stale, syncing = BookState.LIVE, BookState.STALE, BookState.SYNCING
    assert client.states() == [syncing, live, stale, syncing, live]
    assert client.connection.counters.disconnects == 1


async def test_a_path_that_falls_silent_is_opened_again_and_the_other_stays(market):
    async with session(market(5_000)) as (served, client, _):
        link_to(served, MARKET).is_mute = True
        while client.connection.counters.connects < 3:
            await asyncio.sleep(0.002)

    assert client.connection.counters.silences == 1
    assert client.states() == [BookState.SYNCING, BookState.LIVE]
