"""cryptofeed's own handlers on recorded frames, from text to its callbacks: `.peers/cryptofeed` runs it.

As in its own playback, nothing is on the other side of the socket; answers of REST come from the recording. The
callbacks do nothing. A recording that it cannot play is told as such.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Callable

from cryptofeed.connection import HTTPAsyncConn, HTTPSync
from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import EXCHANGE_MAP
from yapic import json as yapic_json

from benchmarks.results import emit
from benchmarks.venue_frames import WORDS, Case, Frame, load, timed

FEEDS = {"binance": "BINANCE_FUTURES", "okx": "OKX", "bybit": "BYBIT", "coinbase-exchange": "COINBASE"}
CHANNELS = (L2_BOOK, TICKER, TRADES)


class Socket:
    """Takes what a feed says."""

    conn_type = "wss"
    uuid = "1"

    def __init__(self, address: str) -> None:
        self.address = address
        self.subscription: dict[str, list[str]] = {}

    async def write(self, *_: object, **__: object) -> None:
        return None


def drive(coroutine) -> None:
    """A coroutine that waits for nothing needs no loop."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        return


def feed_of(case: Case, calls: list[int]) -> Callable[[], Callable[[Frame], object]]:
    def answer(url: str) -> str:
        return case.answers[url]

    HTTPSync.read = lambda _self, url, **_: yapic_json.loads(answer(url), parse_float=str)

    async def read(_self, url, **_):
        return answer(url)

    HTTPAsyncConn.read = read

    async def called(*_):
        calls[0] += 1

    config = {channel: case.config[channel] for channel in CHANNELS if channel in case.config}

    def make() -> Callable[[Frame], object]:
        feed = EXCHANGE_MAP[FEEDS[case.venue]](
            config={"log": {"disabled": True}}, subscription=config, callbacks=dict.fromkeys(config, called)
        )
        socket = Socket(feed.websocket_endpoints[0].address or "")
        socket.subscription = {
            feed.std_channel_to_exchange(channel): [feed.std_symbol_to_exchange_symbol(each) for each in symbols]
            for channel, symbols in config.items()
        }
        handler = feed.message_handler

        def handle(frame: Frame) -> None:
            drive(handler(frame.text, socket, frame.received_ns / 1e9))

        return handle

    return make


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venue", choices=list(WORDS), required=True)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    result = {"bench": "decode", "by": "cryptofeed", "venue": options.venue}
    calls = [0]
    try:
        case = load(options.venue)
        if options.venue not in FEEDS or not case.config:
            raise LookupError("it has no feed for this recording")
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        texts = [frame._replace(text=frame.text.decode()) for frame in case.frames]  # as its socket gives them
        figures = timed(feed_of(case, calls), case._replace(frames=texts))
    except Exception as error:
        emit(result | {"failed": f"{type(error).__name__}: {error}"[:300]})
        return
    emit(result | {"us": figures, "callbacks": calls[0]})


if __name__ == "__main__":
    main()
