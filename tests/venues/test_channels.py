"""What a session listens to, in our names: each venue's own channels, or a reason why not."""

from __future__ import annotations

import pytest

from streamtrader.errors import ConfigError
from streamtrader.venues.capabilities import read_capabilities
from streamtrader.venues.registry import all_listings, listing_of
from tests.venues.seeds import SEEDS
from tests.venues.streamed import venue_of

NAMES = ("trade", "quote", "book", "candle", "mark", "liquidation")
LISTINGS = {listing.name: listing for listing in all_listings()}
CASES = [(name, kind) for name, listing in LISTINGS.items() for kind in listing.kinds]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_a_venue_says_it_tells_is_a_channel_of_its_own_that_becomes_such_events(name, kind):
    listing = LISTINGS[name]
    spoken = listing.spoken(kind, listing.candles_s[0] if listing.candles_s else 60)
    (row,) = [row for row in read_capabilities() if row["name"] == name]

    assert set(spoken) <= set(NAMES)
    assert {"trade", "quote", "book"} <= set(spoken)
    assert set(spoken) <= set(row["events"]), "the table of capabilities is made from what was seen"
    known = {channel.partition("_")[0] for channel in (*listing.channels, "kline")}
    assert {channel.partition("_")[0] for channels in spoken.values() for channel in channels} <= known


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_nothing_asked_for_is_what_the_venue_usually_tells(name, kind):
    assert LISTINGS[name].channels_of((), kind, 60) == ()


def test_a_session_of_trades_alone_subscribes_to_trades_alone():
    kraken = listing_of("kraken")
    channels = kraken.channels_of(("trade",), "spot", 60)
    made = kraken.make(venue_of("kraken", "BTC/USD").instruments, "spot", channels=channels)

    (said,) = made.subscribe(made.routes[0])
    assert b'"trade"' in said and b'"book"' not in said


@pytest.mark.parametrize("name", [name for name in LISTINGS if name in SEEDS and name != "ccxt"])
def test_an_adapter_can_be_made_of_each_channel_alone(name):
    listing = LISTINGS[name]
    kind = listing.kinds[0]
    candle_s = listing.candles_s[0] if listing.candles_s else 60
    instruments = venue_of(name, *SEEDS[name][0].symbols).instruments
    for one in listing.spoken(kind, candle_s):
        channels = listing.channels_of((one,), kind, candle_s)
        venue = listing.make(instruments, kind, channels=channels, is_stamped=True)
        assert venue.routes[0].path
        venue.subscribe(venue.routes[0])


def test_always_needed_channels_go_along():
    assert listing_of("coinbase").channels_of(("trade",), "spot", 60) == ("heartbeats", "market_trades")


@pytest.mark.parametrize(
    ("name", "names", "kind", "candle_s", "said"),
    [
        (
            "kraken",
            ("mark",),
            "spot",
            60,
            "Kraken tells nothing of mark for spot instruments; there are: trade, quote",
        ),
        ("binance", ("liquidation",), "spot", 60, "nothing of liquidation for spot"),
        ("kraken", ("candle",), "spot", 61, r"interval_s = 61: Kraken streams candles of, in seconds: 60"),
        ("coinbase", ("candle",), "spot", 60, "in seconds: 300"),
        ("coinbase-exchange", ("candle",), "spot", 60, "nothing of candle"),
    ],
)
def test_what_a_venue_lacks_is_told(name, names, kind, candle_s, said):
    with pytest.raises(ConfigError, match=said):
        listing_of(name).channels_of(names, kind, candle_s)


def test_perpetuals_of_binance_come_from_two_addresses():
    binance = listing_of("binance")
    books = binance.channels_of(("trade", "quote", "book"), "perpetual", 60)
    rest = binance.channels_of(("candle", "mark", "liquidation"), "perpetual", 300)

    venue = binance.make(venue_of("binance", "BTCUSDT").instruments, "perpetual", channels=(*rest, *books))

    assert rest == ("kline_5m", "markPrice@1s", "forceOrder")
    assert [route.channels for route in venue.routes] == [books, rest]
    assert [route.path.partition("/stream")[0] for route in venue.routes] == ["/public", "/market"]
