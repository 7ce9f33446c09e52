"""The way into Alpaca: in the order that the venue wants, refused with a remedy, and never with a key in sight."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from dataclasses import asdict, replace
from itertools import pairwise

import msgspec
import pytest
from aiohttp import WSMsgType

from streamtrader.errors import ConfigError
from streamtrader.events import BookState
from streamtrader.kernel.ring import Ring
from streamtrader.venues.alpaca import LISTING, Alpaca, markets
from streamtrader.venues.alpaca.login import REMEDIES
from streamtrader.venues.connection import Connection
from streamtrader.venues.credentials import Credentials, Secret
from streamtrader.venues.venue import Endpoints
from tests.venues import alpaca_frames as made
from tests.venues.servers import QUICK, serving
from tests.venues.streamed import NOW_NS, instruments_of, ring_of, states

SECOND = 1_000_000_000
KEY, SECRET = "PKCANARY0123456789AB", "canarysecretCANARYSECRETcanarysecret1234"
CREDENTIALS = Credentials(Secret(KEY), Secret(SECRET))
PUBLISHED = (400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 500)


def adapter(*symbols: str, **more) -> tuple[Alpaca, Ring]:
    venue = Alpaca(instruments_of("alpaca", symbols or ("AAPL",)), credentials=CREDENTIALS, **more)
    return venue, ring_of(venue)


def asked(venue, now_ns=NOW_NS):
    """What is to be sent, as objects."""
    read = msgspec.json.decode if venue.encoding == "json" else msgspec.msgpack.decode
    return [read(message) for message in venue.outgoing(now_ns)]


@pytest.mark.parametrize(("encoding", "make"), [("json", made.text), ("msgpack", made.binary)])
def test_nothing_is_said_before_the_greeting_and_only_the_login_before_its_answer(encoding, make):
    venue, ring = adapter("AAPL", "MSFT", encoding=encoding)
    assert venue.subscribe(venue.routes[0]) == []
    assert asked(venue) == []

    venue.decode(make(made.CONNECTED), NOW_NS, ring)
    assert asked(venue) == [{"action": "auth", "key": KEY, "secret": SECRET}]
    assert asked(venue) == []

    venue.decode(make(made.AUTHENTICATED), NOW_NS, ring)
    symbols = ["AAPL", "MSFT"]
    assert asked(venue) == [
        {"action": "subscribe", "trades": symbols, "quotes": symbols},
        {"action": "subscribe", "statuses": symbols},  # apart: not every feed has them
    ]
    assert venue.headers == {"Content-Type": f"application/{encoding}"}


def test_crypto_subscribes_to_the_channels_of_its_own_stream():
    venue, ring = adapter("BTC/USD")
    for message in (made.CONNECTED, made.AUTHENTICATED):
        venue.outgoing(NOW_NS)
        venue.decode(made.text(message), NOW_NS, ring)

    assert asked(venue) == [
        {"action": "subscribe", "trades": ["BTC/USD"], "quotes": ["BTC/USD"], "orderbooks": ["BTC/USD"]}
    ]


def test_many_symbols_are_asked_for_in_messages_of_a_hundred():
    venue, ring = adapter(*(f"S{number}" for number in range(250)))
    venue.decode(made.text(made.AUTHENTICATED), NOW_NS, ring)

    messages = asked(venue)

    assert [len(symbols) for message in messages for symbols in list(message.values())[1:2]] == [100, 100, 50] * 2
    assert ["trades" in message for message in messages] == [True] * 3 + [False] * 3
    assert max(len(json.dumps(message)) for message in messages) < 16_384


def test_a_new_connection_begins_with_the_greeting_again():
    venue, ring = adapter()
    for message in (made.CONNECTED, made.AUTHENTICATED):
        venue.decode(made.text(message), NOW_NS, ring)
    venue.disconnected(NOW_NS, ring)
    venue.connected(NOW_NS, ring)
    assert asked(venue) == []

    venue.decode(made.text(made.CONNECTED), NOW_NS, ring)

    assert [message["action"] for message in asked(venue)] == ["auth"]


def test_another_connection_of_the_key_is_waited_out_longer_each_time():
    venue, ring = adapter()
    venue.decode(made.text(made.CONNECTED), NOW_NS, ring)
    now_ns, sent_s = NOW_NS, []
    for second in range(400):
        now_ns = NOW_NS + second * SECOND
        if asked(venue, now_ns):
            sent_s.append(second)
            venue.decode(made.text(made.error(406, "connection limit exceeded")), now_ns, ring)

    waits_s = [later - earlier for earlier, later in pairwise(sent_s)]
    assert waits_s[:4] == [1, 2, 4, 8]
    assert max(waits_s) == 60
    assert "end it" in venue.counters.last_error
    assert venue.refusal == ""

    venue.decode(made.text(made.AUTHENTICATED), now_ns, ring)
    assert {message["action"] for message in asked(venue, now_ns)} == {"subscribe"}


@pytest.mark.parametrize(("code", "words"), [(402, "APCA_API_KEY_ID"), (409, "iex"), (411, "scope")])
def test_a_login_that_can_never_work_is_not_tried_again(code, words):
    venue, ring = adapter()
    venue.decode(made.text(made.CONNECTED), NOW_NS, ring)
    venue.outgoing(NOW_NS)

    venue.decode(made.text(made.error(code, "no")), NOW_NS, ring)
    venue.decode(made.text(made.CONNECTED), NOW_NS, ring)

    assert venue.outgoing(NOW_NS + 3600 * SECOND) == []
    assert words in venue.refusal
    assert venue.wants_rotation
    assert venue.book_state(0) == BookState.SYNCING


@pytest.mark.parametrize("code", PUBLISHED)
def test_every_published_error_has_a_remedy_and_counts_once(code):
    venue, ring = adapter()

    venue.decode(made.text(made.error(code, "words of the venue")), NOW_NS, ring)

    counters = venue.counters
    assert code in REMEDIES
    assert (counters.errors, counters.notices) == ((0, 1) if code == 403 else (1, 0))
    assert (counters.unknown, counters.rejected, counters.faults) == (0, 0, 0)
    if code != 403:
        assert counters.last_error.startswith(f"alpaca: error {code}, words of the venue: ")
        assert len(counters.last_error) < 300


def test_an_error_that_nobody_published_is_told_too():
    venue, ring = adapter()

    venue.decode(made.text(made.error(499, "odd")), NOW_NS, ring)

    assert venue.counters.last_error == "alpaca: error 499, odd: not a published error"


def test_what_is_subscribed_to_is_asked_for_again_as_a_sign_of_life():
    venue, ring = adapter("AAPL", "MSFT")
    venue.decode(made.text(made.AUTHENTICATED), NOW_NS, ring)

    message = msgspec.json.decode(venue.ping.message)

    assert (message["action"], message["trades"]) == ("subscribe", ["AAPL"])
    assert venue.ping.every_s < markets.LIMITS.silence_s


def test_no_sign_of_life_is_asked_for_before_the_login():
    venue, ring = adapter()
    venue.decode(made.text(made.CONNECTED), NOW_NS, ring)

    assert venue.ping is None


def test_a_capture_says_nothing():
    venue = Alpaca(instruments_of("alpaca", ["AAPL"]))
    ring = ring_of(venue)

    venue.decode(made.text(made.CONNECTED), NOW_NS, ring)

    assert venue.outgoing(NOW_NS + SECOND) == []


# Keys stay unseen.

ECHO = f'{{"action":"auth","key":"{KEY}","secret":"{SECRET}"}}'
ECHOES = [
    made.error(402, f"auth failed for {KEY} with {SECRET}"),
    made.error(406, ECHO),
    made.error(402, "x" * 95 + SECRET),  # what is told is cut: not through the middle of a secret
    {"T": "success", "msg": ECHO},
    {"T": f"{KEY} {SECRET}"},
    {"T": "x" * 30 + SECRET},
]


def shows_a_key(text: str) -> bool:
    parts = [secret[at : at + 8] for secret in (KEY, SECRET) for at in range(len(secret) - 7)]
    return any(part in text for part in parts)


@pytest.mark.parametrize("message", ECHOES)
def test_a_venue_that_repeats_the_key_does_not_make_us_show_it(message):
    venue, ring = adapter()
    venue.decode(made.text(made.CONNECTED), NOW_NS, ring)
    venue.outgoing(NOW_NS)

    venue.decode(made.text(message), NOW_NS, ring)

    seen = [venue.counters.last_error, venue.refusal, repr(asdict(venue.counters)), repr(vars(venue))]
    seen += [repr(venue.login), repr(CREDENTIALS), str(CREDENTIALS.key), f"{CREDENTIALS.secret:>50}"]
    assert not any(map(shows_a_key, seen))
    assert not shows_a_key(ring.events[: ring.written].tobytes().decode("latin1"))


def test_the_key_rests_nowhere_but_in_the_credentials():
    venue, ring = adapter()
    venue.decode(made.text(made.CONNECTED), NOW_NS, ring)

    assert venue.messages == []
    (login,) = venue.outgoing(NOW_NS)

    assert SECRET.encode() in login
    assert not shows_a_key(repr([vars(venue), *(getattr(venue.login, name) for name in venue.login.__slots__)]))


async def test_a_failing_login_ends_the_connection_with_its_remedy_and_without_the_key(opener, caplog):
    caplog.set_level(logging.DEBUG)
    received = []

    async def script(websocket, request):
        await websocket.send_str(made.text(made.CONNECTED).decode())
        received.append(json.loads((await websocket.receive()).data))
        await websocket.send_str(made.text(made.error(402, f"auth failed for {KEY}")).decode())
        await websocket.receive()

    async with serving(script) as server:
        venue, connection = connected_to(server, opener)
        with pytest.raises(ConfigError, match="APCA_API_SECRET_KEY") as failure:
            await asyncio.wait_for(connection.run(), 5.0)

    assert received == [{"action": "auth", "key": KEY, "secret": SECRET}]
    assert server.open_count == 1
    told = "".join(traceback.format_exception(failure.value)) + caplog.text + repr(connection.counters)
    assert not shows_a_key(told + venue.counters.last_error)
    assert failure.value.exit_code == 4


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_a_session_speaks_the_encoding_that_it_asked_for(opener, encoding):
    make = made.text if encoding == "json" else made.binary
    said = []

    async def script(websocket, request):
        said.append(request.headers["Content-Type"])
        send = websocket.send_bytes if encoding == "msgpack" else lambda frame: websocket.send_str(frame.decode())
        await send(make(made.CONNECTED))
        for answer in (made.AUTHENTICATED, made.SUBSCRIBED, made.SUBSCRIBED):
            message = await websocket.receive()
            said.append(message.type)
            await send(make(answer))
        await send(make(made.quote(), made.trade()))
        await websocket.receive()

    async with serving(script) as server:
        venue, connection = connected_to(server, opener, encoding=encoding)
        running = asyncio.create_task(connection.run())
        async with asyncio.timeout(5.0):
            while not venue.counters.trades:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    kind = WSMsgType.BINARY if encoding == "msgpack" else WSMsgType.TEXT
    assert said == [f"application/{encoding}", kind, kind, kind]
    assert (venue.counters.quotes, venue.counters.trades, venue.counters.rejected) == (1, 1, 0)
    assert states(connection.ring)[:2] == [BookState.SYNCING, BookState.LIVE]


def connected_to(server, opener, **more) -> tuple[Alpaca, Connection]:
    endpoints = (Endpoints(f"ws://{server.url}/stream", f"http://{server.url}"),)
    limits = replace(markets.LIMITS, messages_per_s=1000.0)
    instruments = instruments_of("alpaca", ["AAPL"])
    venue = Alpaca(instruments, endpoints=endpoints, credentials=CREDENTIALS, limits=limits, **more)
    return venue, Connection(venue, Ring(1 << 10), lambda: None, settings=QUICK, opener=opener, seed=1)


def test_the_listing_takes_the_key_from_the_environment(monkeypatch):
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)

    venue = LISTING.make(instruments_of("alpaca", ["AAPL"]), "spot")
    ring = ring_of(venue)
    venue.decode(made.text(made.CONNECTED), NOW_NS, ring)

    assert json.loads(venue.outgoing(NOW_NS)[0])["secret"] == SECRET


def test_a_session_without_a_key_is_refused_with_the_names_of_the_variables(monkeypatch):
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ConfigError, match="APCA_API_KEY_ID and APCA_API_SECRET_KEY"):
        LISTING.make(instruments_of("alpaca", ["AAPL"]), "spot")
