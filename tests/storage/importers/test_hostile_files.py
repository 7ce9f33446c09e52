"""Damaged files: an error of ours and nothing left, or a tape without an impossible value. Nothing else, ever."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.errors import StreamTraderError
from streamtrader.events import Kind
from streamtrader.runtime.datasets import import_dataset
from streamtrader.storage.importers.hftbacktest import BEST, CLEAR, DEPTH, IS_BUY, IS_SELL, SNAPSHOT, TRADE
from streamtrader.storage.tape import Tape
from streamtrader.units import ABSURD_PRICE
from tests.storage.importers.files import events_of, npz, unpacked

START = 1_735_689_600_000
TOKENS = [
    *(
        b"NaN",
        b"-1",
        b"inf",
        b"",
        b"1e300",
        b"0",
        b'"',
        b",",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b"true",
        b" ",
        b"1_0",
        b".",
    ),
    *(b"9" * 20, b"-9223372036854775808", b"1e-400", b";", b"\xef\xbb\xbf", b"1.0000000000000000000000001"),
]
MUTATIONS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1 << 16), st.integers(1, 200), st.sampled_from(TOKENS)),
    min_size=1,
    max_size=3,
)


def mutated(data, mutations):
    content = bytearray(data)
    for kind, place, count, token in mutations:
        at = place % (len(content) + 1)
        if kind == 0 and at < len(content):
            content[at] = count
        elif kind == 1:
            del content[at : at + count % 20]
        elif kind == 2:
            content[at:at] = token
        elif kind == 3:
            fields = bytes(content).split(b",")
            fields[place % len(fields)] = token
            content = bytearray(b",".join(fields))
        elif kind == 4:
            del content[at:]
        else:
            content[at:at] = content[at : at + count]
    return bytes(content)


def lines(path, count):
    return b"".join(line + b"\n" for line in path.read_bytes().split(b"\n")[:count])


def member(path, count):
    with zipfile.ZipFile(path) as archive:
        name = archive.namelist()[0]
        return name, b"".join(line + b"\n" for line in archive.read(name).split(b"\n")[:count])


def sources(shared_data, folder):
    """Format, file name and content; zips by their member."""
    equity, crypto = shared_data / "ticks/us_equity/tick", shared_data / "candles/crypto"
    for path in (equity / "ibm_20131007_trade.zip", equity / "ibm_20131007_quote.zip"):
        yield "lean", "equity.zip", *member(path, 40)
    yield "lean", "equity_daily.zip", *member(shared_data / "candles/equity/daily_aapl.zip", 40)
    yield "lean", "crypto.zip", *member(crypto / "coinbase_minute_btcusd_20180404_quote.zip", 40)
    for path in sorted((shared_data / "ticks/tardis").glob("*.csv")):
        yield "tardis", path.name, "", lines(path, 30)
    for name in ("btcusdt-depth-snap.csv", "btcusdt-depth-update.csv"):
        yield "binance-dump", name, "", lines(shared_data / "ticks/binance" / name, 30)
    trades = b"".join(b"%d,100.50000000,0.25,25.0,%d,True,True\n" % (at, START + at) for at in range(30))
    yield "binance-dump", "BTCUSDT-trades-2025-01-01.csv", "", trades
    candle = b"%d,10.0,12.0,9.0,11.0,3.5,%d,1.0,7,0.5,0.5,0\n"
    candles = b"".join(candle % (START + 60_000 * at, START + 60_000 * at + 59_999) for at in range(20))
    yield "binance-dump", "BTCUSDT-1m-2025-01.csv", "", candles
    yield "csv", "usdjpy.csv", "", lines(shared_data / "ticks/fx/usdjpy-ticks.csv", 30)
    yield "csv", "candles.csv", "", lines(crypto / "bitstamp_btcusd_min_2020_01_01.csv", 30)
    whole = unpacked(shared_data / "ticks/cme/esh4-glbx-mdp3-20231224.mbo.dbn.zst")
    yield "dbn", "x.dbn", "", whole[: 8 + int.from_bytes(whole[4:8], "little") + 56 * 200]
    kinds = (TRADE, DEPTH, DEPTH, BEST, SNAPSHOT, CLEAR)
    path = npz(
        folder / "h.npz",
        *(
            (kinds[at % 6] | (IS_BUY if at % 2 else IS_SELL), at, at + 3, 100 + at % 5, at % 3 + 1)
            for at in range(60)
        ),
    )
    with zipfile.ZipFile(path) as archive:
        yield "hftbacktest", "x.npy", "", archive.read("data.npy")


@pytest.fixture(scope="module")
def foreign(shared_data, tmp_path_factory):
    pytest.importorskip("databento_dbn")
    return list(sources(shared_data, tmp_path_factory.mktemp("sources")))


@settings(max_examples=300)
@given(data=st.data(), mutations=MUTATIONS)
def test_a_damaged_file_is_refused_in_our_words_or_gives_a_possible_market(foreign, data, mutations):
    wanted_format, name, inner, content = foreign[data.draw(st.integers(0, len(foreign) - 1))]
    folder = Path(tempfile.mkdtemp())
    try:
        path, out = folder / name, folder / "out.tape"
        if inner:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(inner, mutated(content, mutations))
        else:
            path.write_bytes(mutated(content, mutations))

        try:
            import_dataset([path], out, wanted_format=wanted_format)
        except StreamTraderError:
            assert list(folder.iterdir()) == [path]
            return

        events = events_of(out)
        assert np.isfinite(np.stack([events[word] for word in "abcd"])).all()
        numbered = events[np.isin(events["kind"], (Kind.TRADE, Kind.QUOTE, Kind.BOOK, Kind.CANDLE))]
        limits = np.array([each.most for each in Tape.open(out).instruments])[numbered["instrument"]].T
        for word in "abcd":
            is_size = word in "bd"
            is_counted = numbered["kind"] != Kind.CANDLE
            assert (numbered[word] >= 0.0).all()
            assert (numbered[word] <= limits[int(is_size)])[is_counted].all()
            assert (numbered[word] < ABSURD_PRICE)[~is_counted].all()
        assert (events["a"][np.isin(events["kind"], (Kind.TRADE, Kind.BOOK, Kind.CANDLE))] > 0.0).all()
        assert np.all(np.diff(events["received_ns"], prepend=1) >= 0)
    finally:
        shutil.rmtree(folder)
