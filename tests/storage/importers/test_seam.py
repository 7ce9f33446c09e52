"""The one way to a tape: known formats, whole or not at all, never over another file."""

from __future__ import annotations

import resource
import signal

import numpy as np
import pytest

from streamtrader.cli.datasets import DATASETS, FILE_EXPORTS
from streamtrader.errors import DiskFull, MarketFileError
from streamtrader.events import EVENT, Kind
from streamtrader.runtime.datasets import EXPORTS, dataset_format
from streamtrader.storage.importers.detecting import IMPORTERS
from streamtrader.storage.importers.markets import Intake, pair_of
from streamtrader.storage.importers.rows import rows_of
from streamtrader.storage.importers.writing import write_tape
from streamtrader.storage.tape import Tape
from tests.storage.importers.files import imported, written, zipped

FORMATS = {
    "candles/equity/daily_spy.zip": "lean",
    "candles/equity/corporate_actions/factor_files_spy.csv": "lean",
    "candles/equity/corporate_actions/map_files_qqq.csv": "lean",
    "ticks/us_equity/tick/spy_20131007_trade.zip": "lean",
    "ticks/tardis/trades_1.csv": "tardis",
    "ticks/tardis/binance-futures_book_snapshot_25_BTCUSDT.csv": "tardis",
    "ticks/binance/btcusdt-depth-update.csv": "binance-dump",
    "ticks/cme/esh4-glbx-mdp3-20231224.mbo.dbn.zst": "dbn",
    "ticks/fx/usdjpy-ticks.csv": "csv",
    "candles/fx/gbpusd-m1-ask-2012.csv.gz": "csv",
    "ticks/binance/btcusdt-trades.parquet": None,
    "wire/binance/spot_btcusdt_20240808.gz": None,
    "wire/binance/cryptofeed_BINANCE_FUTURES.jsonl.zst": None,
    "wire/coinbase/cryptofeed_COINBASE_EXCHANGE_2021.ws.txt.gz": None,
    "wire/kraken/crossbook_kraken_btcusd_sample.cbcap": None,
    "wire/binance/gocryptotrader_http_recorded.json.gz": None,
    "wire/alpaca/stream_messages.jsonl": None,
    "wire/binance/jkorf/ExchangeData/Trades.txt": None,
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_told_by_content(shared_data, name):
    assert dataset_format([shared_data / name]) == FORMATS[name]


def test_the_commands_know_every_importer_and_every_exporter():
    assert tuple(IMPORTERS) == DATASETS
    assert EXPORTS == FILE_EXPORTS


def test_files_of_several_data_sets_are_refused(tmp_path, shared_data):
    files = [shared_data / "ticks/fx/usdjpy-ticks.csv", shared_data / "ticks/tardis/trades_1.csv"]

    with pytest.raises(MarketFileError, match=r"several data sets \(usdjpy-ticks.csv: csv, trades_1.csv: tardis\)"):
        imported(tmp_path, *files)


def test_a_capture_is_of_no_data_set(tmp_path, shared_data):
    with pytest.raises(MarketFileError, match=r"of no data set that is known \(lean, binance-dump"):
        imported(tmp_path, shared_data / "wire/kraken/crossbook_kraken_btcusd_sample.cbcap")


def test_a_symbol_that_is_not_there_is_refused(tmp_path, shared_data):
    with pytest.raises(MarketFileError, match="nothing of MSFT in spy"):
        imported(tmp_path, shared_data / "ticks/us_equity/tick/spy_20131007_trade.zip", symbols=["MSFT"])

    assert not list(tmp_path.iterdir())


def test_an_existing_tape_is_never_touched(tmp_path):
    path = written(tmp_path / "a.csv", "time,price,size", "1700000000,5,1")
    (tmp_path / "1.tape").write_text("mine")

    with pytest.raises(MarketFileError, match="exists already; an import never overwrites"):
        write_tape([iter(())], Intake(), tmp_path / "1.tape", {})

    assert (tmp_path / "1.tape").read_text() == "mine"
    assert imported(tmp_path, path)[0].rows == 1


def streamed(*starts, fails=None):
    """A stream of one trade for each time; then a failure, if one is wanted."""
    intake = Intake()
    found = intake.find("test", "BTCUSDT")

    def stream():
        for start in starts:
            yield rows_of(Kind.TRADE, found, 1, start, start)
        if fails is not None:
            raise fails

    return [stream()], intake


def test_a_source_that_fails_on_the_way_leaves_nothing(tmp_path):
    streams, intake = streamed(1, 2, 3, fails=MarketFileError("broken"))

    with pytest.raises(MarketFileError, match="broken"):
        write_tape(streams, intake, tmp_path / "out.tape", {})

    assert not list(tmp_path.iterdir())


def test_what_a_killed_import_left_is_cleared_away(tmp_path):
    for name in ("out.tape.waiting", "out.tape.partial"):
        (tmp_path / name).write_bytes(b"x" * 1000)

    written_now = write_tape(*streamed(1, 2, 3), tmp_path / "out.tape", {"note": "whole"})

    assert (written_now.events, written_now.by_kind) == (3, {"trade": 3})
    assert [path.name for path in tmp_path.iterdir()] == ["out.tape"]
    tape = Tape.open(tmp_path / "out.tape")
    tape.verify()
    assert tape.metadata["note"] == "whole"


def test_a_disk_that_is_full_is_told_and_nothing_is_left(tmp_path):
    count = 10_000
    intake = Intake()
    found = intake.find("test", "BTCUSDT")
    batches = (rows_of(Kind.TRADE, found, count, at, at) for at in range(100))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count * EVENT.itemsize * 3, hard))
    try:
        with pytest.raises(DiskFull, match="file size limit"):
            write_tape([batches], intake, tmp_path / "out.tape", {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)

    assert not list(tmp_path.iterdir())


def test_an_import_reports_how_far_it_is(tmp_path, shared_data):
    told = []

    imported(
        tmp_path, shared_data / "ticks/us_equity/tick/ibm_20131007_trade.zip",
        on_progress=lambda done, all_: told.append((done, all_)),
    )  # fmt: skip

    assert told == sorted(told)
    assert told[-1][0] <= told[-1][1]
    assert told[-1][0] / told[-1][1] > 0.9


def test_an_empty_file_and_a_folder_are_refused_in_words(tmp_path):
    empty = tmp_path / "empty.csv"
    empty.touch()

    with pytest.raises(MarketFileError, match=r"empty.csv is empty"):
        imported(tmp_path, empty, wanted_format="csv")
    with pytest.raises(MarketFileError, match="cannot be read: it is a directory"):
        imported(tmp_path, tmp_path, wanted_format="csv")
    with pytest.raises(MarketFileError, match="cannot be read: there is no such file"):
        imported(tmp_path, tmp_path / "none.csv", wanted_format="csv")


def test_a_zip_of_two_files_is_refused(tmp_path):
    import zipfile

    path = zipped(tmp_path / "two.zip", "a.csv", "time,price,size")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.csv", "time,price,size\n")

    with pytest.raises(MarketFileError, match=r"two.zip holds 2 files"):
        imported(tmp_path, path)


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTCUSDT", ("BTC", "USDT")), ("BTC-USD", ("BTC", "USD")), ("ETH_BTC", ("ETH", "BTC")), ("XBT/EUR", ("XBT", "EUR")),
        ("SPY", ("SPY", "")), ("USDJPY", ("USD", "JPY")), ("BTC-PERPETUAL", ("BTC-PERPETUAL", "")), ("USDT", ("USDT", "")),
    ],
)  # fmt: skip
def test_base_and_quote_are_read_from_a_symbol(symbol, pair):
    assert pair_of(symbol) == pair


def test_events_of_an_import_have_no_bytes_that_mean_nothing(tmp_path, shared_data):
    _, events = imported(tmp_path, shared_data / "ticks/us_equity/tick/ibm_20131007_quote.zip")

    assert set(np.unique(events["flags"]).tolist()) == {0}
    assert set(np.unique(events["side"]).tolist()) == {0}
    assert np.isfinite(np.stack([events[word] for word in "abcd"])).all()
