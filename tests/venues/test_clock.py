"""The clock of a session: it never runs backwards, follows what drifts, and tells what jumps."""

from __future__ import annotations

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import Kind
from streamtrader.venues.clock import JUMP_NS, SLEW_NS, SessionClock
from tests.venues import frames
from tests.venues.servers import Client, end_market, serving

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Hands:
    """The wall clock and the steady clock of a machine."""

    def __init__(self):
        self.wall, self.steady = START, 5 * SECOND

    def pass_by(self, nanoseconds):
        self.wall += nanoseconds
        self.steady += nanoseconds

    def clock(self, not_before_ns=0):
        return SessionClock(not_before_ns, wall_ns=lambda: self.wall, steady_ns=lambda: self.steady)


@given(
    st.lists(st.tuples(st.sampled_from(["pass", "jump", "look", "anew"]), st.integers(-4_000, 4_000)), max_size=60)
)
def test_it_never_runs_backwards_whatever_the_wall_clock_does(steps):
    hands = Hands()
    clock, told = hands.clock(), []
    for what, milliseconds in steps:
        if what == "pass":
            hands.pass_by(abs(milliseconds) * 1_000_000)
        elif what == "jump":
            hands.wall += milliseconds * 1_000_000
        elif what == "look":
            clock.look()
        else:
            clock.set_anew()
        told.append(clock.now_ns())

    assert told == sorted(told)


def test_a_jump_is_counted_once_and_not_followed():
    for jump_ns in (3_600 * SECOND, -3_600 * SECOND):
        hands = Hands()
        clock = hands.clock()
        hands.pass_by(SECOND)
        hands.wall += jump_ns

        assert clock.look()
        assert not clock.look()
        hands.pass_by(SECOND)

        assert clock.now_ns() == START + 2 * SECOND
        assert (clock.jumps, clock.last_jump_ns, clock.ahead_ns) == (1, jump_ns, -jump_ns)


def test_between_links_a_jump_forwards_is_followed_and_one_backwards_is_not():
    hands = Hands()
    clock = hands.clock()
    hands.wall += 60 * SECOND
    clock.set_anew()

    assert clock.now_ns() == START + 60 * SECOND
    hands.wall -= 60 * SECOND
    clock.set_anew()

    assert clock.now_ns() == START + 60 * SECOND
    assert clock.jumps == 2


def test_a_small_drift_is_followed_step_by_step():
    hands = Hands()
    clock = hands.clock()
    hands.wall += 2 * SLEW_NS

    assert not clock.look()
    assert clock.now_ns() == START + SLEW_NS
    clock.look()
    assert clock.now_ns() == START + 2 * SLEW_NS
    assert 2 * SLEW_NS < JUMP_NS


def test_a_session_that_goes_on_begins_where_the_earlier_one_ended():
    hands = Hands()
    clock = hands.clock(not_before_ns=START + 90 * SECOND)
    hands.pass_by(SECOND)

    assert clock.now_ns() == START + 91 * SECOND
    assert (clock.jumps, clock.ahead_ns) == (1, 90 * SECOND)


async def test_events_keep_their_pace_while_the_wall_clock_jumps(opener):
    async def script(websocket, request):
        for identity in range(40):
            await websocket.send_bytes(frames.spot_trade(identity))
            await asyncio.sleep(0.01)
            if identity in (10, 25):
                jump_ns = (3_600 if identity == 10 else -7_200) * SECOND
                client.connection.clock._wall_ns = lambda jump_ns=jump_ns: time.time_ns() + jump_ns
        await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url, opener=opener)
        await client.run()

    clocks = [event[3] for event in client.kept if event[0] == Kind.TRADE]
    assert clocks == sorted(clocks)
    assert clocks[-1] - clocks[0] < 60 * SECOND
    assert client.connection.counters.clock_jumps == 2
