"""Messages of more rows than the ring has, and trades that wait for another link while there is no room: nothing is
lost without being told."""

from __future__ import annotations

import asyncio

import pytest

from streamtrader.events import BookState, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.venues import relay
from streamtrader.venues.alpaca import Alpaca
from streamtrader.venues.alpaca.listing import ANYBODY
from streamtrader.venues.clock import SessionClock
from streamtrader.venues.intake import Intake
from streamtrader.venues.settings import ConnectionSettings
from tests.venues import alpaca_frames, bybit_frames, coinbase_exchange_frames, coinbase_frames, frames, okx_frames
from tests.venues.seeds import SEEDS, Seeds
from tests.venues.streamed import instruments_of, states, venue_of
from tests.venues.test_kraken import ASKS, BIDS, BTC_STEPS, crc_of
from tests.venues.test_kraken import book as kraken_book
from tests.venues.test_mutations import answer
from tests.venues.test_relay import kraken

GAP, SYNCING, LIVE = BookState.GAP, BookState.SYNCING, BookState.LIVE
SLOTS = 256
LEVELS = [(f"{100 - at / 1000:.3f}", "1.0") for at in range(SLOTS)]
NUMBERS = [(float(price), float(size)) for price, size in LEVELS]
OVERSIZED = {  # of the first symbol of the seeds
    "alpaca-1": alpaca_frames.text(alpaca_frames.book(NUMBERS, [])),
    "alpaca-3": alpaca_frames.binary(alpaca_frames.book(NUMBERS, [])),
    "binance-0": frames.spot_depth(18, 19, LEVELS),
    "bybit-0": bybit_frames.delta(11, LEVELS),
    "coinbase-0": coinbase_frames.book(11, "update", LEVELS, []),
    "coinbase-exchange-0": coinbase_exchange_frames.changes(*(("buy", *level) for level in LEVELS)),
    "kraken-0": kraken_book("update", LEVELS, [], 0),
    "okx-0": okx_frames.book("update", LEVELS, (), prevSeqId=10, seqId=11, checksum=0),
}


class Line:
    """The socket's side of a link that nothing is sent over."""

    is_paused = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False


class Session:
    """An adapter behind the intake of a connection; the engine plays at once, or whenever it is asked to."""

    def __init__(self, venue, slots=SLOTS):
        self.venue, self.ring, self.is_held = venue, Ring(slots), False
        self.rows = []
        self.intake = Intake(venue, self.ring, self.play, ConnectionSettings(), SessionClock())
        self.lines = [Line()]
        self.intake.open(0, self.lines[0], 0)

    def play(self):
        if not self.is_held:
            for events in self.ring.slices(self.ring.played, self.ring.written):
                self.rows += [tuple(event[name].item() for name in ("kind", "instrument", "a", "id")) for event in events]
            self.ring.played = self.ring.taped = self.ring.written

    def add_link(self):
        self.lines.append(Line())
        self.intake.open(len(self.lines) - 1, self.lines[-1], 0)

    def go_on(self):
        self.is_held = False
        self.intake.resume()

    def states(self, instrument=0):
        return [BookState(int(a)) for kind, at, a, _ in self.rows if (kind, at) == (Kind.LINK, instrument)]

    def trade_ids(self):
        return [number for kind, _, _, number in self.rows if kind == Kind.TRADE]


def live_session(case) -> tuple[Session, Seeds]:
    name, _, index = case.rpartition("-")
    seeds = SEEDS[name][int(index)]
    if name == "alpaca":
        session = Session(Alpaca(instruments_of(name, seeds.symbols), credentials=ANYBODY))
        log_in(session)
    else:
        session = Session(venue_of(name, *seeds.symbols, kind=seeds.kind, steps=seeds.steps))
    feed(session, seeds)
    return session, seeds


def log_in(session):
    for told in (alpaca_frames.CONNECTED, alpaca_frames.AUTHENTICATED):
        session.intake.take(0, [alpaca_frames.text(told)])
        session.venue.outgoing(session.intake.now_ns())


def feed(session, seeds):
    for frame in seeds.frames:
        session.intake.take(0, [frame])
        answer(session.venue, session.ring, seeds)
    session.play()
    assert session.venue.book_state(0) == LIVE


@pytest.mark.parametrize("case", OVERSIZED)
async def test_a_message_of_more_rows_than_the_ring_leaves_a_gap_in_its_book_which_is_asked_for_again(case):
    session, seeds = live_session(case)
    venue, counters = session.venue, session.venue.counters
    venue.outgoing(session.intake.now_ns())
    told, told_of_other, gaps = session.states(), session.states(1), counters.gaps

    session.intake.take(0, [OVERSIZED[case]])
    session.intake.resume()

    assert session.states() == [*told, GAP, SYNCING]
    assert session.states(1) == told_of_other
    assert session.intake.counters.oversized == 1
    assert counters.gaps == gaps + 1
    assert (session.intake.is_delayed, session.intake.counters.backlog_bytes, session.lines[0].is_paused) == (False, 0, False)
    asked = venue.outgoing(session.intake.now_ns()) + [request.symbol.encode() for request in venue.requests()]
    assert any(seeds.symbols[0].encode() in each for each in asked)


@pytest.mark.parametrize("case", ["coinbase-exchange-0", "alpaca-1", "alpaca-3"])
async def test_the_snapshot_after_an_oversized_message_makes_the_book_live_again(case):
    session, seeds = live_session(case)
    told = len(session.states())
    session.intake.take(0, [OVERSIZED[case]])
    session.intake.resume()

    feed(session, seeds)

    assert session.states()[told:][:3] == [GAP, SYNCING, LIVE]


async def test_an_oversized_message_waits_for_those_before_it_and_those_behind_it_wait_for_it():
    session, _ = live_session("coinbase-exchange-0")
    session.is_held = True
    trades = [coinbase_exchange_frames.match(number) for number in range(9, 9 + SLOTS)]

    session.intake.take(0, [*trades, OVERSIZED["coinbase-exchange-0"], coinbase_exchange_frames.match(9 + SLOTS)])
    session.go_on()

    kinds = [(kind, number) for kind, _, _, number in session.rows if kind in (Kind.TRADE, Kind.LINK)]
    assert kinds[-4:] == [(Kind.TRADE, 8 + SLOTS), (Kind.LINK, 0), (Kind.LINK, 0), (Kind.TRADE, 9 + SLOTS)]


async def test_an_oversized_message_of_a_link_that_does_not_tell_the_book_takes_it_from_nobody():
    session, _ = live_session("coinbase-exchange-0")
    session.add_link()
    told = len(session.states())

    session.intake.take(1, [OVERSIZED["coinbase-exchange-0"]])
    session.intake.resume()

    assert session.states()[told:] == []
    assert session.intake.counters.oversized == 1


def kraken_trades(*numbers):
    trades = ",".join(
        '{"symbol":"BTC/USD","side":"sell","price":100.1,"qty":40.0,"ord_type":"market",'
        f'"trade_id":{number},"timestamp":"2023-09-25T07:49:37.708706Z"}}'
        for number in numbers
    )
    return f'{{"channel":"trade","type":"update","data":[{trades}]}}'.encode()


def relayed_session(count):
    """The newer link has brought trades up to `count`, all but the second; they wait for what the older one brings."""
    session = Session(venue_of("kraken", "BTC/USD", steps=BTC_STEPS))
    session.intake.take(0, [kraken_book("snapshot", BIDS, ASKS, crc_of(ASKS, BIDS)), kraken_trades(1)])
    session.add_link()
    session.intake.take(1, [kraken_book("snapshot", BIDS, ASKS, crc_of(ASKS, BIDS))])
    for number in range(3, count + 1):
        session.intake.take(1, [kraken_trades(number)])
    assert session.venue.rows_held == count - 2
    return session


def fill(session, free):
    """The engine stands still, and the ring has so much room left."""
    session.play()
    session.is_held = True
    for _ in range(session.ring.free - free):
        session.ring.write(Kind.CANDLE, 0, 0, 0, 0, 0)


async def test_trades_that_waited_for_another_link_wait_for_room_too():
    session = relayed_session(100)
    fill(session, 60)

    session.intake.take(0, [kraken_trades(2)])  # it releases all of them
    is_paused = session.lines[0].is_paused
    session.go_on()

    assert is_paused
    assert session.trade_ids() == list(range(1, 101))
    assert (session.venue.counters.gaps, session.venue.rows_held) == (0, 0)


async def test_the_end_of_a_link_waits_for_room_for_the_trades_that_it_releases():
    session = relayed_session(100)
    fill(session, 60)
    ending = asyncio.create_task(session.intake.finish_backlog())
    await asyncio.sleep(0)
    was_done = ending.done()

    session.go_on()
    await ending
    session.intake.close(0)
    session.play()

    assert not was_done
    assert session.trade_ids() == [1, *range(3, 101)]  # the second was brought by nobody
    assert session.venue.counters.gaps == 0


async def test_what_waits_for_another_link_is_limited_over_all_instruments(monkeypatch):
    monkeypatch.setattr(relay, "WAITING_MOST", 3)
    venue, ring = kraken("BTC/USD", "ETH/USD")
    for frame in (kraken_trades(1), kraken_trades(1).replace(b"BTC", b"ETH")):
        venue.decode(frame, 1, ring)
    venue.turn_to(1)
    held = []
    for number in range(5, 9):
        for frame in (kraken_trades(number), kraken_trades(number).replace(b"BTC", b"ETH")):
            venue.decode(frame, 1, ring)
            held.append(venue.rows_held)

    assert max(held) == 3
    assert states(ring) == [SYNCING, LIVE]
