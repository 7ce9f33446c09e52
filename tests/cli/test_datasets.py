"""`data import` and `data export` of data sets, as commands."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
import zipfile

import pytest
from typer.testing import CliRunner

from streamtrader.cli.main import app
from streamtrader.storage.tape import Tape
from tests.cli.commands import environment

ROWS = "time,price,size\n1700000000,100.5,1\n1700000001,100.25,2\n"


def command(*arguments):
    said = CliRunner().invoke(app, ["data", *map(str, arguments)], env={"NO_COLOR": "1", "COLUMNS": "200"})
    return said.exit_code, said.stdout, said.stderr


def test_a_table_becomes_a_tape_and_a_document(tmp_path):
    (tmp_path / "btcusdt.csv").write_text(ROWS)

    code, out, _ = command("import", tmp_path / "btcusdt.csv", "--out", tmp_path / "a.tape", "--json")

    document = json.loads(out)
    assert code == 0
    assert (document["format"], document["frames"], document["events"]) == ("csv", 2, {"trade": 2})
    for name in ("unknown", "rejected", "errors", "gaps", "resyncs", "checksums", "instruments", "rows_per_s"):
        assert name in document
    assert document["checksums"] == {"verified": 0, "failed": 0, "missing": 0}
    assert document["instruments"][0]["symbol"] == "BTCUSDT"
    assert Tape.open(tmp_path / "a.tape").event_count == 2


def test_a_bad_file_ends_with_one_and_a_line_that_says_where(tmp_path):
    (tmp_path / "btcusdt.csv").write_text(ROWS.replace("100.25", "NaN"))

    code, out, err = command("import", tmp_path / "btcusdt.csv", "--out", tmp_path / "a.tape", "--json")

    assert code == 1
    assert "btcusdt.csv:3: price is 'NaN', which is no number." in err
    assert json.loads(out)["error"] == "MarketFileError"
    assert [path.name for path in tmp_path.iterdir()] == ["btcusdt.csv"]


def test_wishes_reach_the_importer(tmp_path):
    (tmp_path / "x.csv").write_text(ROWS)

    code, out, _ = command(
        "import", tmp_path / "x.csv", "--format", "csv", "--symbol", "ETH-USD", "--out", tmp_path / "a.tape", "--json"
    )
    refused = command("import", tmp_path / "x.csv", "--adjust", "all", "--out", tmp_path / "b.tape")

    assert (code, json.loads(out)["instruments"][0]["symbol"]) == (0, "ETH-USD")
    assert refused[0] == 4
    assert "--adjust all: one of none, splits, all, and for LEAN's equities only" in refused[2]


def test_a_tape_goes_out_as_npz_and_as_tables(tmp_path):
    (tmp_path / "btcusdt.csv").write_text(ROWS)
    command("import", tmp_path / "btcusdt.csv", "--out", tmp_path / "a.tape")

    npz = command("export", tmp_path / "a.tape", "--format", "hftbacktest", "--out", tmp_path / "a.npz", "--json")
    table = command("export", tmp_path / "a.tape", "--format", "csv", "--out", tmp_path / "a.csv", "--json")
    back = command("import", tmp_path / "a.npz", "--out", tmp_path / "b.tape", "--json")

    assert (npz[0], json.loads(npz[1])["files"]) == (0, ["a.npz"])
    assert (table[0], json.loads(table[1])["events"]) == (0, {"trades": 2})
    assert json.loads(back[1])["events"] == {"trade": 2}
    again = command("export", tmp_path / "a.tape", "--format", "csv", "--out", tmp_path / "a.csv")
    assert again[0] == 1
    assert "exists already" in again[2]


def test_an_unknown_format_is_wrong_usage(tmp_path):
    assert command("import", "x", "--format", "excel", "--out", tmp_path / "a.tape")[0] == 2
    code, _, err = command("export", "x", "--format", "excel", "--out", tmp_path / "a")

    assert code == 2
    assert "unknown format 'excel'; there are: lake, hftbacktest, csv" in err


def test_an_archive_whose_directory_is_damaged_is_told_by_its_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "spy_20131007_trade.zip", "w") as archive:
        archive.writestr("20131007_spy_Trade_Tick.csv", "1000,1000000,1,P,0,0\n")
    content = (tmp_path / "spy_20131007_trade.zip").read_bytes()
    (tmp_path / "spy_20131007_trade.zip").write_bytes(content.replace(b"PK\x01\x02", b"PK\x01\x03"))

    code, _, err = command("import", tmp_path / "spy_20131007_trade.zip", "--out", tmp_path / "a.tape")

    assert code == 1
    assert "spy_20131007_trade.zip is damaged or cut off" in err


OTHERS = {
    "a symbol of a capture": (("import", "capture", "--symbol", "ETHUSDT"), "--symbol means nothing for a raw capture"),
    "a time of a capture": (("import", "capture", "--from", "2024-08-09"), "--from means nothing for a raw capture"),
    "a venue of a table": (("import", "a.csv", "--venue", "kraken"), "--venue means nothing for a data set"),
    "a time of a table": (("import", "a.csv", "--to", "2024-08-09"), "--to means nothing for a data set"),
    "splits of a lake": (("import", "lake", "--format", "lake", "--adjust", "all"), "--adjust means nothing for a lake"),
    "a symbol into a lake": (("export", "a.tape", "--symbol", "ETHUSDT"), "--symbol means nothing for a lake"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_an_option_that_would_not_be_heeded_is_refused(tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "capture").write_text('1723161255343937085 {"stream":"btcusdt@trade","data":{}}\n')
    (tmp_path / "a.csv").write_text(ROWS)
    arguments, told = OTHERS[what]

    code, _, err = command(*arguments, "--out", "out")

    assert code == 4
    assert told in err
    assert not (tmp_path / "out").exists()


def small_files():
    """No file may grow beyond 300 KiB: what a full disk says, without one."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300 << 10, 300 << 10))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A table, and the tape and lake of it, too large for `small_files` each."""
    folder = tmp_path_factory.mktemp("large")
    rows = "".join(f"{1_700_000_000_000 + at},{100 + at * 7919 % 9973 / 100},{1 + at * 104_729 % 99_991 / 1000}\n" for at in range(60_000))
    (folder / "btcusdt.csv").write_text("time,price,size\n" + rows)
    capture = "".join(
        f'{1_700_000_000_000_000_000 + at} {{"stream":"btcusdt@trade","data":{{"e":"trade","E":1700000000000,"s":"BTCUSDT",'
        f'"t":{at},"p":"100.5","q":"1.5","T":1700000000000,"m":true}}}}\n'
        for at in range(10_000)
    )
    (folder / "capture").write_text(capture)
    assert command("import", folder / "btcusdt.csv", "--out", folder / "a.tape")[0] == 0
    assert command("export", folder / "a.tape", "--out", folder / "lake")[0] == 0
    return folder


WRITERS = {
    "a capture": ("import", "capture", "--out"),
    "a table": ("import", "btcusdt.csv", "--out"),
    "a lake": ("import", "lake", "--format", "lake", "--out"),
    "into a lake": ("export", "a.tape", "--out"),
    "into a table": ("export", "a.tape", "--format", "csv", "--out"),
    "into npz": ("export", "a.tape", "--format", "hftbacktest", "--out"),
}


@pytest.mark.parametrize("what", WRITERS)
def test_a_full_disk_ends_with_six_and_leaves_no_part(tmp_path, large, what):
    said = subprocess.run(
        [sys.executable, "-m", "streamtrader.cli.main", "data", *WRITERS[what], str(tmp_path / "out")],
        cwd=large, env=environment(), capture_output=True, text=True, preexec_fn=small_files, check=False,
    )  # fmt: skip

    assert (said.returncode, said.stderr.splitlines()[-1].split(":")[0]) == (6, "DiskFull")
    assert "Traceback" not in said.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("out", ["nowhere/a.tape", "a.csv/a.tape", "x" * 300])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_read(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(ROWS)
    (tmp_path / "capture").write_text('1723161255343937085 {"stream":"btcusdt@trade","data":{}}\n')

    for file in ("a.csv", "capture"):
        code, _, err = command("import", file, "--out", out)
        assert code == 1
        assert err.startswith(f"StorageError: {out}")
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "capture"}


def test_tables_do_not_go_beside_a_folder_that_was_named_as_the_output(tmp_path):
    (tmp_path / "btcusdt.csv").write_text(ROWS)
    command("import", tmp_path / "btcusdt.csv", "--out", tmp_path / "a.tape")
    (tmp_path / "folder").mkdir()

    code, _, err = command("export", tmp_path / "a.tape", "--format", "csv", "--out", tmp_path / "folder")

    assert code == 1
    assert "folder is a folder; name a file to write" in err


def test_a_tape_that_was_named_and_cannot_be_read_ends_a_listing_with_one(tmp_path):
    (tmp_path / "no.tape").write_text("no tape")

    assert command("ls", tmp_path)[0] == 0
    code, out, _ = command("ls", tmp_path / "no.tape", tmp_path / "nowhere.tape", "--json")

    assert code == 1
    told = [row["error"] for row in json.loads(out)["tapes"]]
    assert "is not a tape" in told[0]
    assert "there is no such file" in told[1]


def test_a_lake_is_not_asked_for_a_time_that_ends_before_it_begins(tmp_path):
    code, _, err = command(
        "import", tmp_path, "--format", "lake", "--from", "2024-08-09", "--to", "2024-08-08", "--out", tmp_path / "a.tape"
    )

    assert code == 4
    assert "--from must lie before --to" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_import_that_is_stopped_leaves_nothing(tmp_path, large, number):
    """The table is long enough to be in the middle of it when the first file appears."""
    rows = (large / "btcusdt.csv").read_text()
    with (large / "long.csv").open("w") as file:
        file.write(rows)
        for _ in range(40):
            file.write(rows.partition("\n")[2].splitlines()[-1].join(["", "\n"]) * 60_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "streamtrader.cli.main", "data", "import", "long.csv", "--out", str(tmp_path / "out")],
        cwd=large, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and not list(tmp_path.iterdir()):
        time.sleep(0.005)

    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
