"""The words of Coinbase and Alpaca: numbers without a hole, snapshots first, and nobody is heard before the login."""

from __future__ import annotations

import pytest

from tests.exchange.talk import talking

CRYPTO = "/v1beta3/crypto/us"


async def test_coinbase_numbers_every_message_of_a_connection_and_sends_the_snapshot_first():
    async with talking("coinbase", ("BTC-USD", "ETH-USD"), "/") as talk:
        await talk.say(type="subscribe", channel="heartbeats")
        await talk.say(type="subscribe", channel="level2", product_ids=["BTC-USD"])
        await talk.say(type="subscribe", channel="market_trades", product_ids=["BTC-USD", "ETH-USD"])
        heard = await talk.hear_until(lambda message: message["channel"] == "heartbeats", 3)

    assert [message["sequence_num"] for message in heard] == list(range(len(heard)))
    books = [message for message in heard if message["channel"] == "l2_data"]
    assert ["snapshot", "update"] == [message["events"][0]["type"] for message in books[:2]]
    kinds = [message["channel"] for message in heard]
    assert kinds.index("l2_data") < kinds.index("subscriptions", 1), "the snapshot comes before its acknowledgement"
    beats = [message["events"][0]["heartbeat_counter"] for message in heard if message["channel"] == "heartbeats"]
    assert ["1", "2", "3"] == beats
    trade = next(m for m in heard if m["channel"] == "market_trades" and m["events"][0]["type"] == "update")
    assert {"trade_id", "product_id", "price", "size", "side", "time"} == set(trade["events"][0]["trades"][0])


@pytest.mark.slow
async def test_a_coinbase_book_is_the_markets_own_book():
    """Every level of the snapshot and of each update, against a book that is kept here."""
    async with talking("coinbase", ("BTC-USD",), "/") as talk:
        await talk.say(type="subscribe", channel="level2", product_ids=["BTC-USD"])
        heard = await talk.hear_until(lambda message: message["channel"] == "l2_data", 200)
        levels = talk.exchange._translator.named["BTC-USD"].levels  # type: ignore[union-attr]
        sides: dict[str, dict[str, str]] = {"bid": {}, "offer": {}}
        for message in heard:
            for update in message["events"][0].get("updates", ()):
                sides[update["side"]][update["price_level"]] = update["new_quantity"]

    bids = [float(price) for price, size in sides["bid"].items() if float(size)]
    asks = [float(price) for price, size in sides["offer"].items() if float(size)]
    assert max(bids) < min(asks)
    assert levels.price_places == 2
    assert min(len(bids), len(asks)) > 500


@pytest.mark.parametrize(
    "message",
    [
        "{",
        '{"type":"shout"}',
        '{"type":"subscribe","channel":"gossip"}',
        '{"type":"subscribe","channel":"level2","product_ids":["NO-PE"]}',
    ],
)
async def test_coinbase_says_what_it_did_not_understand_without_a_number(message):
    async with talking("coinbase", ("BTC-USD",), "/") as talk:
        await talk.socket.send(message)
        refused = await talk.hear()
        await talk.say(type="subscribe", channel="ticker", product_ids=["BTC-USD"])
        acknowledged = await talk.hear()

    assert "error" == refused["type"]
    assert "sequence_num" not in refused
    assert ("subscriptions", 0) == (acknowledged["channel"], acknowledged["sequence_num"])


async def test_alpaca_greets_lets_in_and_sends_the_whole_book_first():
    async with talking("alpaca", ("BTC/USD", "ETH/USD"), CRYPTO) as talk:
        (greeting,) = await talk.hear()
        await talk.say(action="auth", key="k", secret="s")
        (let_in,) = await talk.hear()
        await talk.say(action="subscribe", trades=["*"], quotes=["BTC/USD"], orderbooks=["BTC/USD"], bars=["*"])
        (subscribed,) = await talk.hear()
        (whole,) = await talk.hear()
        heard = await talk.hear_until(lambda told: told[0]["T"] == "o", 20)

    assert ("connected", "authenticated") == (greeting["msg"], let_in["msg"])
    assert (["BTC/USD", "ETH/USD"], ["BTC/USD"]) == (subscribed["trades"], subscribed["orderbooks"])
    assert ("o", "BTC/USD", True) == (whole["T"], whole["S"], whole["r"])
    assert {"t", "q", "o"} == {told[0]["T"] for told in heard}
    assert all("r" not in told[0] for told in heard)


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"action": "subscribe", "trades": ["BTC/USD"]}], 401),
        ([{"action": "auth", "key": "k", "secret": "wrong"}], 402),
        ([{"action": "auth", "key": "k", "secret": "s"}, {"action": "auth", "key": "k", "secret": "s"}], 403),
        ([{"action": "auth", "key": "k", "secret": "s"}, {"action": "subscribe", "gossip": ["BTC/USD"]}], 410),
        ([{"action": "shout"}], 400),
    ],
)
async def test_alpaca_answers_with_the_codes_that_it_publishes(messages, code):
    async with talking("alpaca", ("BTC/USD",), CRYPTO) as talk:
        await talk.hear()
        for message in messages:
            await talk.say(**message)
            (told,) = await talk.hear()

    assert ("error", code) == (told["T"], told["code"])


async def test_alpaca_allows_one_connection_for_a_key():
    import json

    import websockets

    async with talking("alpaca", ("BTC/USD",), CRYPTO) as talk:
        await talk.hear()
        await talk.say(action="auth", key="k", secret="s")
        await talk.hear()
        async with websockets.connect(f"ws://127.0.0.1:{talk.port}{CRYPTO}", close_timeout=0.05) as other:
            await other.recv()
            await other.send(json.dumps({"action": "auth", "key": "k", "secret": "s"}))
            (told,) = json.loads(await other.recv())

    assert 406 == told["code"]


async def test_alpaca_tells_stocks_in_whole_shares_and_cents():
    async with talking("alpaca", ("AAPL", "SPY"), "/v2/iex", is_stamped=True) as talk:
        await talk.hear()
        await talk.say(action="auth", key="k", secret="s")
        await talk.hear()
        await talk.say(action="subscribe", trades=["AAPL", "SPY"], quotes=["AAPL", "SPY"])
        heard = [told[0] for told in await talk.hear_until(lambda told: told[0]["T"] == "t", 50)]
        status, asset = await talk.get("/v2/assets/AAPL")

    assert (200, "us_equity") == (status, asset["class"])
    assert {"AAPL", "SPY"} == {told["S"] for told in heard if "S" in told}
    assert all(isinstance(told["s"], int) and told["s"] > 0 for told in heard if told["T"] == "t")
    assert all(len(told["p"].partition(".")[2]) == 2 for told in heard if told["T"] == "t")
    assert {19} == {len(str(told["ns"])) for told in heard}
