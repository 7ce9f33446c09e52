"""The bare clients that the live path is measured beside must keep up with what they are made from."""

from __future__ import annotations

import pytest

from benchmarks.peers.decoders import DECODERS, Sink, handler_of
from streamtrader.bench.frames import STAMP_BASE_NS, heads, message

FRAMES = 50


@pytest.mark.parametrize("kind", ["trade", "depth10"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_takes_every_frame_of_the_benchmark(decoder, kind):
    sink = Sink(FRAMES)
    handle = handler_of(decoder, kind, sink)

    for at, head in enumerate(heads(kind, FRAMES)):
        frame = message(head, STAMP_BASE_NS + at)
        handle(frame.decode() if decoder == "json" else memoryview(frame))

    assert sink.count == FRAMES
