"""LEAN's zips: SPY's ticks become the vendor's bars, by our own candles, in New York's time."""

from __future__ import annotations

import zipfile
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from streamtrader.errors import MarketFileError
from streamtrader.events import BUY, EVENT, SELL, Kind
from streamtrader.runtime.assembly import Placement, Terms
from streamtrader.storage.importers import table
from streamtrader.storage.tape import Tape
from streamtrader.strategies import PythonStrategy
from tests.kernel.play import engine_of, play
from tests.storage.importers.files import imported, zipped

MINUTE_NS = 60_000_000_000
DAYS = ("20131007", "20131008")


class CandleKeeper(PythonStrategy):
    """Keeps every candle that the engine closes."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, float, float, float, float, float]] = []

    def on_candle(self, candle, broker):
        words = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        self.rows.append((int(candle.venue_ns), *map(float, words)))


def candles_of(events, instruments):
    """What the engine's own builder makes of a market; a last timer closes the last minute."""
    end = np.zeros(1, EVENT)
    end["kind"], end["received_ns"] = Kind.TIMER, events["received_ns"][-1] + MINUTE_NS
    keeper = CandleKeeper()
    engine = engine_of([Placement(keeper, 0, ())], Terms(candle_ns=MINUTE_NS), instruments=instruments)
    play(engine, np.concatenate((events, end)))
    return keeper.rows


def vendor_rows(path, names):
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0])
    return pl.read_csv(text, has_header=False, infer_schema=False, new_columns=names)


def midnight_ns(day):
    return int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=ZoneInfo("America/New_York")).timestamp()) * 10**9


def resampled(folder, ticker, days):
    """Minutes of the ticks by Polars alone, from the zips alone; scaled at the end, as its quotients are not rounded once."""
    parts = []
    for day in days:
        ticks = vendor_rows(folder / f"tick/{ticker}_{day}_trade.zip", ["ms", "price", "size", "x", "c", "s"])
        parts.append(
            ticks.select(
                (pl.col("ms").cast(pl.Int64) // 60_000 * MINUTE_NS + midnight_ns(day)).alias("start"),
                pl.col("price").cast(pl.Int64),
                pl.col("size").cast(pl.Float64),
            )
        )
    price, size = pl.col("price"), pl.col("size")
    minutes = pl.concat(parts).group_by("start", maintain_order=True).agg(
        price.first().alias("open"), price.max().alias("high"), price.min().alias("low"), price.last().alias("close"),
        size.sum().alias("volume"),
    )  # fmt: skip
    return [(start, *(price / 10_000 for price in prices), volume) for start, *prices, volume in minutes.rows()]


@pytest.mark.slow
def test_spy_ticks_become_the_minutes_that_polars_makes_and_nearly_all_of_the_vendors(tmp_path, shared_data):
    folder = shared_data / "ticks/us_equity"
    result, events = imported(tmp_path, *(folder / f"tick/spy_{day}_trade.zip" for day in DAYS))

    candles = candles_of(events, result.instruments)

    assert (result.rows, result.events, result.left_out) == (702_146, {"trade": 702_146}, {})
    assert [candle for candle in candles if candle[5] > 0.0] == resampled(folder, "spy", DAYS)
    volumes = {candle[0]: candle[5] for candle in candles}
    bars = [
        (int(bar["ms"]) * 1_000_000 + midnight_ns(day), float(bar["volume"]))
        for day in DAYS
        for bar in vendor_rows(
            folder / f"minute/spy_{day}_trade.zip", ["ms", "open", "high", "low", "close", "volume"]
        ).to_dicts()
    ]
    equal = sum(volumes[start_ns] == volume for start_ns, volume in bars)
    assert len(bars) == 1656
    assert equal / len(bars) >= 0.986
    assert equal == 1651


@pytest.mark.parametrize("ticker", ["ibm", "aig", "bac"])
@pytest.mark.slow
def test_quote_ticks_carried_forward_close_the_bars_of_the_vendor(tmp_path, shared_data, ticker):
    """Of 11,676 seconds of IBM one closes at another ask than the vendor's own ticks."""
    folder = shared_data / "ticks/us_equity"
    name = f"{ticker}_20131007_quote.zip"
    ticks, quotes = imported(tmp_path, folder / "tick" / name)

    differing = []
    for resolution in ("minute", "second"):
        _, bars = imported(tmp_path, folder / resolution / name)
        at = np.searchsorted(quotes["received_ns"], bars["received_ns"]) - 1
        equal = np.logical_and.reduce([quotes[word][at] == bars[word] for word in "abcd"])
        differing.append(int(np.count_nonzero(~equal)))
    assert differing == ([0, 1] if ticker == "ibm" else [0, 0])
    assert ticks.left_out == ({"suspicious": 1} if ticker == "ibm" else {})


def test_the_tape_is_the_same_however_the_file_is_cut_into_pieces(tmp_path, shared_data, monkeypatch):
    files = [shared_data / f"ticks/us_equity/tick/ibm_20131007_{kind}.zip" for kind in ("quote", "trade")]
    _, whole = imported(tmp_path, *files)

    monkeypatch.setattr(table, "PIECE_BYTES", 70_001)
    _, cut = imported(tmp_path, *files)

    assert whole.tobytes() == cut.tobytes()
    assert np.all(np.diff(whole["received_ns"]) >= 0)


def test_a_bar_is_known_at_its_end_and_a_day_ends_at_midnight_in_new_york(tmp_path):
    summer = zipped(
        tmp_path / "equity_a.zip", "20130701_spy_minute_trade.csv", "34200000,1600000,1600100,1599900,1600000,7"
    )
    winter = zipped(tmp_path / "equity_b.zip", "spy.csv", "20130104 00:00,1400000,1500000,1300000,1450000,9")

    _, minute = imported(tmp_path, summer)
    _, day = imported(tmp_path, winter)

    assert (minute["venue_ns"][0], minute["received_ns"][0]) == (1372685400 * 10**9, 1372685460 * 10**9)
    assert (day["venue_ns"][0], day["received_ns"][0]) == (1357275600 * 10**9, 1357362000 * 10**9)
    assert day[["a", "b", "c", "d"]].tolist() == [(140.0, 150.0, 130.0, 145.0)]
    assert day["id"].view(np.float64).tolist() == [9.0]


def test_the_day_on_which_the_clocks_change_has_an_hour_less_and_one_more(tmp_path):
    rows = [f"{hour * 3_600_000},1600000,1" + ",P,2000,0" for hour in (1, 3, 12)]
    spring = zipped(tmp_path / "equity_s.zip", "20140309_spy_Trade_Tick.csv", *rows)
    autumn = zipped(tmp_path / "equity_w.zip", "20141102_spy_Trade_Tick.csv", *rows)

    _, short = imported(tmp_path, spring)
    _, long = imported(tmp_path, autumn)

    assert np.diff(short["received_ns"]).tolist() == [3_600 * 10**9, 9 * 3_600 * 10**9]
    assert np.diff(long["received_ns"]).tolist() == [3 * 3_600 * 10**9, 9 * 3_600 * 10**9]


def test_a_share_may_cost_more_than_a_hundred_thousand(tmp_path):
    path = zipped(tmp_path / "equity.zip", "20131007_brka_Trade_Tick.csv", "34200000,1724010000,1,N,0,0")
    absurd = zipped(tmp_path / "equity_x.zip", "20131007_brka_Trade_Tick.csv", "34200000,17240100000000000,1,N,0,0")

    _, events = imported(tmp_path, path)

    assert events["a"].tolist() == [172_401.0]
    with pytest.raises(MarketFileError, match="price is '17240100000000000', which is no price: above 0 and below 1e\\+12"):
        imported(tmp_path, absurd)


def test_crypto_has_plain_prices_and_midnight_in_utc(tmp_path, shared_data):
    result, events = imported(tmp_path, shared_data / "candles/crypto/binance_minute_btcbusd_20221213_trade.zip")

    (instrument,) = result.instruments
    assert (instrument.venue, instrument.symbol, instrument.base) == ("binance", "BTCBUSD", "BTC")
    assert events["venue_ns"][0] == 1670889600 * 10**9
    assert events[["a", "b", "c", "d"]][0].tolist() == (17212.12, 17216.55, 17208.88, 17208.88)
    assert len(events) == 1440


def test_every_zip_of_equities_and_crypto_becomes_a_tape(tmp_path, shared_data):
    folders = [
        shared_data / "candles",
        shared_data / "ticks/us_equity/minute",
        shared_data / "ticks/us_equity/second",
    ]
    for path in sorted(path for folder in folders for path in folder.rglob("*.zip")):
        result, events = imported(tmp_path, path)

        assert result.format == "lean"
        assert result.rows == len(events), path.name
        assert np.all(np.diff(events["received_ns"]) >= 0), path.name


def test_suspicious_ticks_are_left_out_and_counted(tmp_path):
    path = zipped(
        tmp_path / "equity.zip", "20131007_spy_Trade_Tick.csv",
        "34200000,1600000,100,P,2000,0", "34200001,16000,100,P,2000,1", "34200002,1600100,50,P,2000,0",
    )  # fmt: skip

    result, events = imported(tmp_path, path)

    assert (result.rows, result.rejected, result.left_out) == (3, 1, {"suspicious": 1})
    assert events["a"].tolist() == [160.0, 160.01]


def test_aggressors_are_inferred_from_the_steps_of_the_price_and_that_is_said(tmp_path):
    prices = (100, 101, 101, 99, 99, 100)
    path = zipped(
        tmp_path / "equity.zip", "20131007_spy_Trade_Tick.csv",
        *(f"{34200000 + at},{price * 10_000},1,P,2000,0" for at, price in enumerate(prices)),
    )  # fmt: skip

    result, events = imported(tmp_path, path)

    assert events["side"].tolist() == [BUY, BUY, BUY, SELL, SELL, BUY]
    assert result.notes == {"aggressor": "tick rule"}
    assert events["id"].tolist() == [1, 2, 3, 4, 5, 6]


def test_trades_quotes_and_another_symbol_are_merged_by_time(tmp_path):
    folder = tmp_path / "equity"
    folder.mkdir()
    files = [
        zipped(folder / "a.zip", "20131007_spy_Trade_Tick.csv", "1000,1600000,1,P,0,0", "3000,1600000,1,P,0,0"),
        zipped(
            folder / "b.zip", "20131007_spy_Quote_Tick.csv", "1000,1599900,5,0,0,P,1,0", "1000,0,0,1600100,6,P,1,0"
        ),
        zipped(folder / "c.zip", "20131007_ibm_Trade_Tick.csv", "2000,1800000,1,P,0,0"),
    ]

    result, events = imported(tmp_path, *files)

    assert [instrument.symbol for instrument in result.instruments] == ["IBM", "SPY"]
    assert events[["kind", "instrument"]].tolist() == [(1, 1), (2, 1), (1, 0), (1, 1)]
    assert events[["a", "b", "c", "d"]][1].tolist() == (159.99, 5.0, 160.01, 6.0)
    only, _ = imported(tmp_path, *files, symbols=["ibm"])
    assert only.events == {"trade": 1}


BAD_ZIPS = {
    "a wrong number of columns": (
        ("20131007_spy_Trade_Tick.csv", "1000,1600000,1"),
        "1: 3 columns; tick trades of LEAN",
    ),
    "one row of another width": (
        ("20131007_spy_Trade_Tick.csv", "1000,1600000,1,P,0,0", "1001,1600000,1,P"),
        "20131007_spy_Trade_Tick.csv:2: 4 columns, where there should be 6",
    ),
    "a price that is no number": (
        ("20131007_spy_Trade_Tick.csv", "1000,1600000,1,P,0,0", "1001,NaN,1,P,0,0"),
        "csv:2: price is 'NaN', which is no number",
    ),
    "a price of zero": (("20131007_spy_Trade_Tick.csv", "1000,0,1,P,0,0"), "csv:1: price is '0', which is no price"),
    "a negative size": (("20131007_spy_Trade_Tick.csv", "1000,5,-1,P,0,0"), "csv:1: size is '-1', which is no size"),
    "a time beyond the day": (("20131007_spy_Trade_Tick.csv", "91000000,5,1,P,0,0"), "time is '91000000', no time"),
    "a time that runs back": (
        ("20131007_spy_Trade_Tick.csv", "9000000,5,1,P,0,0", "1000,5,1,P,0,0"),
        "csv:2: time is '1000', 8999 s before",
    ),
    "a high below the close": (("20131007_spy_minute_trade.csv", "1000,10,11,9,12,5"), "high is '11', a high or low"),
    "a day that is none": (("20131399_spy_minute_trade.csv", "1000,10,11,9,10,5"), "'20131399' is no date"),
    "an open interest": (("20131007_spy_minute_openinterest.csv", "1000,5"), "no market of LEAN's"),
}


@pytest.mark.parametrize("what", BAD_ZIPS)
def test_a_bad_file_is_refused_by_line_and_column_and_leaves_nothing(tmp_path, what):
    (member, *lines), message = BAD_ZIPS[what]
    path = zipped(tmp_path / "equity_bad.zip", member, *lines)

    with pytest.raises(MarketFileError) as refused:
        imported(tmp_path, path)

    assert message in str(refused.value)
    assert [path] == list(tmp_path.iterdir())


def test_a_zip_cut_short_is_refused_and_leaves_nothing(tmp_path, shared_data):
    whole = (shared_data / "ticks/us_equity/tick/spy_20131007_trade.zip").read_bytes()
    path = tmp_path / "spy_20131007_trade.zip"
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(MarketFileError, match="damaged or cut off"):
        imported(tmp_path, path, wanted_format="lean")

    assert [path] == list(tmp_path.iterdir())


def test_a_zip_with_a_flipped_byte_is_refused_and_leaves_nothing(tmp_path, shared_data):
    data = bytearray((shared_data / "ticks/us_equity/tick/spy_20131007_trade.zip").read_bytes())
    data[len(data) // 2] ^= 0x10
    path = tmp_path / "spy_20131007_trade.zip"
    path.write_bytes(data)

    with pytest.raises(MarketFileError):
        imported(tmp_path, path)

    assert [path] == list(tmp_path.iterdir())


def test_archives_of_options_are_refused_in_words(tmp_path, shared_data):
    with pytest.raises(MarketFileError, match=r"holds 118 files.*option archives"):
        imported(tmp_path, shared_data / "options/usa_minute_goog_20151223_quote_american.zip")


def test_the_tape_of_ticks_can_be_opened_and_says_where_it_is_from(tmp_path, shared_data):
    result, _ = imported(tmp_path, shared_data / "ticks/us_equity/tick/ibm_20131007_trade.zip")

    tape = Tape.open(tmp_path / "0.tape")
    tape.verify()
    assert tape.instruments == result.instruments
    assert tape.metadata == {"source": "lean", "files": ["ibm_20131007_trade.zip"], "aggressor": "tick rule"}
    assert result.instruments[0].kind == "spot"
