"""The tap hears all that goes into an adapter, in order, and changes nothing."""

from __future__ import annotations

import pytest

from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import Binance
from streamtrader.venues.tap import tapped
from tests.venues import frames


class Heard:
    """A sink that keeps what it was told."""

    def __init__(self):
        self.calls = []

    def connected(self, received_ns):
        self.calls.append(("connected", received_ns))

    def disconnected(self, received_ns):
        self.calls.append(("disconnected", received_ns))

    def frames(self, frames, received_ns):
        self.calls += [("frame", frame, received_ns) for frame in frames]

    def answer(self, symbol, path, status, body, received_ns):
        self.calls.append(("answer", symbol, status, body, received_ns))


@pytest.mark.parametrize("is_exact", [False, True])
def test_a_read_of_many_frames_is_heard_frame_by_frame(is_exact):
    heard, ring, plain_ring = Heard(), Ring(64), Ring(64)
    read = [frames.spot_trade(1), frames.spot_quote(2), frames.spot_trade(3)]

    tapped(Binance([frames.instrument()]), heard, is_exact=is_exact).decode_read(read, frames.NOW_NS, ring)

    Binance([frames.instrument()]).decode_read(read, frames.NOW_NS, plain_ring)
    assert [call[1] for call in heard.calls] == read
    assert ring.events.tobytes() == plain_ring.events.tobytes()


def test_each_call_is_heard_before_the_adapter_acts_and_does_the_same():
    heard, ring, plain_ring = Heard(), Ring(64), Ring(64)
    plain = Binance([frames.instrument()])
    venue = tapped(Binance([frames.instrument()]), heard)
    now_ns = frames.NOW_NS

    for each, own in ((plain, plain_ring), (venue, ring)):
        each.connected(now_ns, own)
        (request,) = each.requests()
        each.decode(frames.spot_trade(1), now_ns + 1, own)
        each.respond(request, 200, frames.snapshot(10), now_ns + 2, own)
        each.disconnected(now_ns + 3, own)

    assert heard.calls == [
        ("connected", now_ns),
        ("frame", frames.spot_trade(1), now_ns + 1),
        ("answer", "BTCUSDT", 200, frames.snapshot(10), now_ns + 2),
        ("disconnected", now_ns + 3),
    ]
    assert ring.events.tobytes() == plain_ring.events.tobytes()
    assert venue.counters == plain.counters


def test_what_is_set_on_the_tap_is_set_on_the_adapter():
    adapter = Binance([frames.instrument()])
    venue = tapped(adapter, Heard())

    venue.wants_rotation = True

    assert adapter.wants_rotation
    assert venue.routes == adapter.routes
