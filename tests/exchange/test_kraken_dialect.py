"""Kraken's words: acknowledgements and errors, a truncated book that its own checksums prove, heartbeats."""

from __future__ import annotations

import zlib
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.exchange.talk import talking

PAIRS = ("BTC/USD", "ETH/USD")


class PlainBook:
    """The plainest client of the venue's rules, over the texts that came."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[str, dict[Decimal, tuple[str, str]]] = {"bids": {}, "asks": {}}

    def take(self, data) -> None:
        for name, side in self.sides.items():
            for level in data[name]:
                price, size = level["price"], level["qty"]
                side[Decimal(price)] = (price, size)
                if Decimal(size) == 0:
                    del side[Decimal(price)]
            for price in self.best(name)[self.depth :]:
                del side[price]

    def best(self, name):
        return sorted(self.sides[name], reverse=name == "bids")

    def checksum(self) -> int:
        levels = [self.sides[name][price] for name in ("asks", "bids") for price in self.best(name)[:10]]
        digits = "".join(text.replace(".", "").lstrip("0") for level in levels for text in level)
        return zlib.crc32(digits.encode())


@pytest.mark.parametrize("depth", [10, 25, 1000])
@pytest.mark.slow
async def test_every_checksum_is_that_of_a_book_cut_to_its_depth(depth):
    async with talking("kraken", PAIRS, "/v2") as talk:
        await talk.say(method="subscribe", params={"channel": "book", "symbol": list(PAIRS), "depth": depth})
        heard = await talk.hear_until(lambda message: message.get("channel") == "book", 300)

    books = {pair: PlainBook(depth) for pair in PAIRS}
    kinds = {pair: [] for pair in PAIRS}
    for message in heard:
        if message.get("channel") == "book":
            (data,) = message["data"]
            books[data["symbol"]].take(data)
            kinds[data["symbol"]].append(message["type"])
            assert data["checksum"] == books[data["symbol"]].checksum()
    for pair in PAIRS:
        assert ["snapshot", "update"] == kinds[pair][:2]
        assert {"update"} == set(kinds[pair][1:])
        assert depth == len(books[pair].best("bids")) or depth == 1000


async def test_each_symbol_is_acknowledged_and_left_by_itself():
    async with talking("kraken", PAIRS, "/v2") as talk:
        status = await talk.hear()
        await talk.say(
            method="subscribe", params={"channel": "trade", "symbol": list(PAIRS), "snapshot": False}, req_id=7
        )
        first, second = [
            message for message in await talk.hear_until(lambda each: "method" in each, 2) if "method" in message
        ]
        await talk.say(method="unsubscribe", params={"channel": "trade", "symbol": ["ETH/USD"]})
        left = (await talk.hear_until(lambda each: each.get("method") == "unsubscribe"))[-1]
        after = await talk.hear_until(lambda each: each.get("channel") == "trade", 50)

    assert ("status", "online") == (status["channel"], status["data"][0]["system"])
    assert {"channel": "trade", "snapshot": False, "symbol": "BTC/USD"} == first["result"]
    assert ("ETH/USD", True, 7) == (second["result"]["symbol"], second["success"], second["req_id"])
    assert left["success"] is True
    assert {"BTC/USD"} == {
        trade["symbol"] for each in after if each.get("channel") == "trade" for trade in each["data"]
    }


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (
            {"method": "subscribe", "params": {"channel": "trade", "symbol": ["XBT/USD"]}},
            "Currency pair not supported XBT/USD",
        ),
        (
            {"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 11}},
            "depth not supported",
        ),
        ({"method": "subscribe", "params": {"channel": "gossip", "symbol": ["BTC/USD"]}}, "channel invalid"),
        ({"method": "unsubscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}}, "Subscription Not Found"),
        ({"method": "subscribe", "params": {"channel": "trade", "symbol": []}}, "not found"),
        ({"method": "shout"}, "Unsupported"),
        ([1], "Malformed"),
    ],
)
async def test_a_bad_request_is_refused_and_the_connection_stays(message, error):
    async with talking("kraken", PAIRS, "/v2") as talk:
        await talk.hear()
        await (talk.say(**message) if isinstance(message, dict) else talk.socket.send("[1]"))
        refused = await talk.hear()
        await talk.say(method="ping", req_id=3)
        pong = await talk.hear()

    assert refused["success"] is False
    assert error in refused["error"]
    assert ("pong", 3) == (pong["method"], pong["req_id"])


async def test_a_heart_beats_every_second_of_the_market_and_stamps_are_nineteen_digits():
    async with talking("kraken", PAIRS, "/v2", is_stamped=True) as talk:
        await talk.say(method="subscribe", params={"channel": "ticker", "symbol": list(PAIRS)})
        heard = await talk.hear_until(lambda message: message.get("channel") == "heartbeat", 4)

    stamps = [message["ns"] for message in heard]
    beats = [message["ns"] for message in heard if message.get("channel") == "heartbeat"]
    assert stamps == sorted(stamps)
    assert {19} == {len(str(stamp)) for stamp in stamps}
    assert [1_000_000_000] * 3 == [after - before for before, after in pairwise(beats)]


async def test_pairs_are_listed_with_their_steps_and_unknown_ones_are_an_error_with_status_200():
    async with talking("kraken", PAIRS, "/v2") as talk:
        status, listed = await talk.get("/0/public/AssetPairs?pair=BTC/USD")
        unknown_status, unknown = await talk.get("/0/public/AssetPairs?pair=NO/PE")

    pair = listed["result"]["BTC/USD"]
    assert (200, [], "BTC/USD", 2, 5, "0.01") == (
        status, listed["error"], pair["wsname"], pair["pair_decimals"], pair["lot_decimals"], pair["tick_size"],
    )  # fmt: skip
    assert (200, ["EQuery:Unknown asset pair"]) == (unknown_status, unknown["error"])
