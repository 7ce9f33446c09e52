"""`record`: a market goes to a tape, through sockets, and is what an import of the same frames is."""

from __future__ import annotations

from streamtrader.events import BookState, Kind
from streamtrader.storage.tape import Tape
from tests.cli.commands import called, events_of


def test_a_recorded_tape_is_the_imported_one_and_one_row_more(short, short_tape, tmp_path):
    """The rows differ in the states of the book alone: a socket that closes makes it stale, a file that ends does not."""
    out = tmp_path / "y.tape"

    told = called("record", "--market", short, "--speed", "max", "--out", out, "--json").document

    recorded, imported = events_of(out), events_of(short_tape)
    assert told["events"] == len(recorded) == Tape.open(out).event_count
    links = [recorded[recorded["kind"] == Kind.LINK], imported[imported["kind"] == Kind.LINK]]
    assert [BookState(int(state)).name for state in links[0]["a"]] == ["LIVE", "STALE"]
    assert [BookState(int(state)).name for state in links[1]["a"]] == ["SYNCING", "LIVE"]
    assert recorded[recorded["kind"] != Kind.LINK].tobytes() == imported[imported["kind"] != Kind.LINK].tobytes()
    assert called("data", "check", out, "--json").document["best_quote_agreement"] == called(
        "data", "check", short_tape, "--json"
    ).document["best_quote_agreement"]  # fmt: skip


def test_the_counts_by_kind_are_those_of_the_tape(short, tmp_path):
    """What was heard behind the last event is not on it, and there is nearly always something."""
    told = called(
        "record", "--market", short, "--speed", "max", "--max-events", 5_000, "--out", tmp_path / "y.tape", "--json"
    ).document

    kinds = events_of(tmp_path / "y.tape")["kind"].tolist()
    assert told["events_by_kind"] == {kind.name.lower(): kinds.count(kind) for kind in Kind if kinds.count(kind)}
    assert sum(told["events_by_kind"].values()) == told["events"]


def test_options_of_the_embedded_exchange_are_refused_at_a_real_venue(short, tmp_path):
    out = tmp_path / "y.tape"

    refused = called("record", "--venue", "kraken", "--market", short, "--speed", "max", "--out", out, code=4)

    assert "--market, --speed belongs to the embedded exchange and means nothing for kraken" in refused.err
    assert not out.exists()


def test_a_recording_never_overwrites(short, short_tape):
    before = short_tape.read_bytes()

    refused = called("record", "--market", short, "--out", short_tape, code=1)

    assert "exists already" in refused.err
    assert short_tape.read_bytes() == before
