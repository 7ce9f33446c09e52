"""The decoders alone, without a socket: microseconds from the bytes of a frame to the end of the typed callback.

The same handlers and frames as over loopback; the difference to `micro_clients` is what socket, loop and library cost.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.peers.decoders import DECODERS, Sink, handler_of
from benchmarks.results import emit, median_seconds
from streamtrader.bench.frames import KINDS, STAMP_BASE_NS, heads, message

FRAMES = 1000


def cost_us(decoder: str, kind: str, repeats: int) -> float:
    """The median over passes of the cost of one frame."""
    frames = [memoryview(message(head, STAMP_BASE_NS + at)) for at, head in enumerate(heads(kind, FRAMES))]
    if decoder == "json":
        frames = [bytes(frame) for frame in frames]  # type: ignore[misc] - it takes no memoryview
    sink = Sink(FRAMES)
    handle = handler_of(decoder, kind, sink)

    def play() -> None:
        sink.count = 0
        for frame in frames:
            handle(frame)

    play()
    return median_seconds(play, repeats) / FRAMES * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=41, help="passes over a thousand frames; the median counts")
    options = parser.parse_args()
    table = {
        kind: {name: round(cost_us(name, kind, options.repeats), 3) for name in DECODERS if name != "none"}
        for kind in KINDS
    }
    for kind, row in table.items():
        sys.stderr.write(f"{kind:<10} {'  '.join(f'{name} {cost:g} us' for name, cost in row.items())}\n")
    emit({"bench": "micro_decoders", "us_per_frame": table})


if __name__ == "__main__":
    main()
