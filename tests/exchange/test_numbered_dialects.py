"""The words of OKX, Bybit and Coinbase Exchange: numbers alike on every connection, or none at all."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.exchange.dialects.levels import Levels, applied_within
from streamtrader.exchange.rules import venue_instrument
from tests.exchange.talk import talking

OKX, BYBIT = "/ws/v5/public", "/v5/public/spot"


def applied(messages):
    """Both sides of a book after lists of bids and asks, by price."""
    sides = {}, {}
    for bids, asks in messages:
        for side, levels in zip(sides, (bids, asks), strict=True):
            for price, size, *_ in levels:
                side[float(price)] = float(size)
    return [{price: size for price, size in side.items() if size} for side in sides]


def level(price, size):
    return [f"{price}.00", f"{size}.00000"]


@given(st.lists(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=6), max_size=12), st.integers(1, 5))
def test_what_changed_within_a_depth_makes_the_best_levels_of_before_those_of_now(steps, depth):
    levels, told = Levels(venue_instrument("BTCUSDT", "spot", 2, 5)), ({}, {})
    for step in steps:
        bids, asks = ([level(offset + price, size) for price, size in step] for offset in (0, 100))
        changes = applied_within(levels, bids, asks, depth)
        for side, known, changed in zip((levels.bids, levels.asks), told, changes, strict=True):
            assert all(known.get(price, 0) != size for price, size in changed)
            known.update(changed)
            assert {price: size for price, size in known.items() if size} == side.top(depth)


@pytest.mark.slow
async def test_okx_chains_its_books_by_numbers_and_tells_four_hundred_levels():
    async with talking("okx", ("BTC-USDT",), OKX) as talk:
        for channel in ("trades", "bbo-tbt", "books"):
            await talk.say(op="subscribe", args=[{"channel": channel, "instId": "BTC-USDT"}])
        heard = await talk.hear_until(lambda told: told.get("arg", {}).get("channel") == "books" and "data" in told, 200)
        levels = talk.exchange._translator.named["BTC-USDT"].levels  # type: ignore[union-attr]

    books = [told for told in heard if "data" in told and told["arg"]["channel"] == "books"]
    assert ["snapshot", *["update"] * 199] == [told["action"] for told in books]
    data = [told["data"][0] for told in books]
    assert all(after["prevSeqId"] == before["seqId"] < after["seqId"] for before, after in pairwise(data))
    assert {0} == {each["checksum"] for each in data}
    bids, asks = applied((each["bids"], each["asks"]) for each in data)
    assert (len(bids), len(asks)) == (400, 400)
    assert max(bids) < min(asks)
    assert levels.is_known
    events = [told["event"] for told in heard if "event" in told]
    assert ["subscribe"] * 3 == events
    trade = next(told for told in heard if "data" in told and told["arg"]["channel"] == "trades")
    assert {"instId", "tradeId", "px", "sz", "side", "ts"} <= set(trade["data"][0])


@pytest.mark.slow
async def test_bybit_counts_its_books_one_by_one_within_fifty_levels():
    async with talking("bybit", ("BTCUSDT",), BYBIT) as talk:
        await talk.say(op="subscribe", args=[f"{topic}.BTCUSDT" for topic in ("publicTrade", "orderbook.1", "orderbook.50")])
        heard = await talk.hear_until(lambda told: told.get("topic") == "orderbook.50.BTCUSDT", 200)

    books = [told for told in heard if told.get("topic") == "orderbook.50.BTCUSDT"]
    assert ["snapshot", *["delta"] * 199] == [told["type"] for told in books]
    assert all(after["data"]["u"] == before["data"]["u"] + 1 for before, after in pairwise(books))
    bids, asks = applied((told["data"]["b"], told["data"]["a"]) for told in books)
    assert (len(bids), len(asks)) == (50, 50)
    assert max(bids) < min(asks)
    assert [(True, "subscribe")] == [(told["success"], told["ret_msg"]) for told in heard if "op" in told]
    assert {"snapshot"} == {told["type"] for told in heard if told.get("topic") == "orderbook.1.BTCUSDT"}


@pytest.mark.parametrize(
    ("dialect", "path", "message", "error"),
    [
        ("okx", OKX, {"op": "shout"}, {"event": "error", "code": "60012"}),
        ("okx", OKX, {"op": "subscribe", "args": [{"channel": "gossip", "instId": "BTC-USDT"}]},
         {"event": "error", "code": "60018"}),
        ("okx", OKX, {"op": "subscribe", "args": [{"channel": "books", "instId": "NO-PE"}]},
         {"event": "error", "code": "60018"}),
        ("bybit", BYBIT, {"op": "shout"}, {"success": False}),
        ("bybit", BYBIT, {"op": "subscribe", "args": ["orderbook.50.NOPE"]}, {"success": False}),
        ("bybit", BYBIT, {"op": "subscribe", "args": ["orderbook.50.BTCUSDT"] * 11}, {"success": False}),
        ("coinbase-exchange", "/", {"type": "shout"}, {"type": "error"}),
        ("coinbase-exchange", "/", {"type": "subscribe", "product_ids": ["NO-PE"], "channels": ["ticker"]}, {"type": "error"}),
        ("coinbase-exchange", "/", {"type": "subscribe", "product_ids": ["BTC-USDT"], "channels": ["level2"]},
         {"type": "error"}),
    ],
)  # fmt: skip
async def test_what_was_not_understood_is_answered_in_the_venues_words(dialect, path, message, error):
    name = "BTCUSDT" if dialect == "bybit" else "BTC-USDT"
    async with talking(dialect, (name,), path) as talk:
        await talk.say(**message)
        told = await talk.hear()

    assert error == {key: told[key] for key in error}


async def test_pings_in_words_are_answered():
    async with talking("okx", ("BTC-USDT",), OKX) as talk:
        await talk.socket.send("ping")
        assert await talk.socket.recv() == "pong"
    async with talking("bybit", ("BTCUSDT",), BYBIT) as talk:
        await talk.say(op="ping")
        assert "pong" == (await talk.hear())["ret_msg"]


async def test_a_subscription_that_is_given_up_is_silent_and_begins_anew_with_the_whole_book():
    async with talking("bybit", ("BTCUSDT",), BYBIT) as talk:
        for operation in ("subscribe", "unsubscribe", "subscribe"):
            await talk.say(op=operation, args=["orderbook.50.BTCUSDT"])
        heard = await talk.hear_until(lambda told: told.get("type") == "snapshot", 2)

    assert "subscribe" == [told["op"] for told in heard if "op" in told][-1]


async def test_coinbase_exchange_acknowledges_then_tells_the_whole_book_and_beats_for_each_product():
    async with talking("coinbase-exchange", ("BTC-USD", "ETH-USD"), "/") as talk:
        for channel in ("heartbeat", "matches", "ticker", "level2_batch"):
            await talk.say(type="subscribe", product_ids=["BTC-USD", "ETH-USD"], channels=[channel])
        heard = await talk.hear_until(lambda told: told["type"] == "heartbeat", 6)
        one, (status, every) = await talk.get("/products/BTC-USD"), await talk.get("/products")

    kinds = [told["type"] for told in heard]
    assert kinds.count("subscriptions") == 4
    assert kinds.index("snapshot") < kinds.index("l2update")
    change = next(told for told in heard if told["type"] == "l2update")["changes"][0]
    assert ("buy", 3) == (change[0], len(change)) or ("sell", 3) == (change[0], len(change))
    beats = [told for told in heard if told["type"] == "heartbeat"]
    assert {"BTC-USD", "ETH-USD"} == {beat["product_id"] for beat in beats}
    matches = [told for told in heard if told["type"] == "match" and told["product_id"] == "BTC-USD"]
    ids = [match["trade_id"] for match in matches]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert one == (200, every[0])
    assert (status, ["BTC-USD", "ETH-USD"]) == (200, [product["id"] for product in every])
