"""`streamtrader venues` and imports of any venue's captures, as a user calls them."""

from __future__ import annotations

from tests.cli.commands import called


def test_the_table_of_venues_is_one_document():
    told = called("venues", "--json").document

    kraken = next(row for row in told["venues"] if row["name"] == "kraken")
    assert "CRC32" in kraken["proof"]
    assert {"trade", "quote", "book"} <= set(kraken["events"])


def test_a_capture_is_imported_by_what_is_in_it(shared_data, tmp_path):
    path = shared_data / "wire/kraken/crossbook_kraken_btcusd_sample.cbcap"

    tape = tmp_path / "kraken.tape"

    told = called("data", "import", path, "--format", "auto", "--out", tape, "--json").document

    assert told["checksums"] == {"verified": 2_052, "failed": 0}
    assert (told["frames"], told["unknown"], told["rejected"], told["gaps"], told["resyncs"]) == (2_104, 0, 0, 0, 0)
    assert told["events"]["book"] == 3_798
    assert called("data", "check", tape, "--json").document["crossed"] == 0
