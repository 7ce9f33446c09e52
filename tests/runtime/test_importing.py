"""Raw captures become tapes: all of them, or a clear word why not."""

from __future__ import annotations

import gzip
from decimal import Decimal

import numpy as np
import pytest
import zstandard

from streamtrader.errors import MarketFileError
from streamtrader.events import BookState, Kind
from streamtrader.runtime.checking import check_events, check_tape
from streamtrader.runtime.importing import import_captures
from streamtrader.storage.tape import Tape
from tests.venues import frames
from tests.venues.frames import NOW_NS, compact, snapshot, spot_depth, spot_quote, spot_trade, usdm_depth

SMALL = [
    spot_quote(9),
    spot_depth(9, 11),
    snapshot(10),
    spot_trade(1),
    spot_depth(12, 13, (("100.25", "0.5"),)),
    spot_trade(2, price="100.125"),
]


def capture(path, lines, *, start_ns=NOW_NS, packed=lambda data: data):
    text = b"".join(b"%d %s\n" % (start_ns + index * 1000, line) for index, line in enumerate(lines))
    path.write_bytes(packed(text))
    return path


def events_of(path):
    return np.concatenate([np.asarray(events) for events in Tape.open(path).events()])


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_a_small_capture_becomes_a_tape(tmp_path, packed):
    path = capture(tmp_path / "capture", SMALL, packed=packed)

    result = import_captures([path], tmp_path / "out.tape")

    assert (result.lines, result.frames, result.rejected, result.trades) == (6, 5, 0, 2)
    assert result.events == {"trade": 2, "quote": 1, "book": 4, "book_clear": 1, "link": 2}
    assert (result.first_ns, result.last_ns) == (NOW_NS, NOW_NS + 5000)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["out.tape"]
    events = events_of(tmp_path / "out.tape")
    links = events[events["kind"] == Kind.LINK]
    assert links["a"].tolist() == [BookState.SYNCING, BookState.LIVE]


def test_tick_and_lot_are_the_finest_decimals_seen(tmp_path):
    result = import_captures([capture(tmp_path / "capture", SMALL)], tmp_path / "out.tape")

    (instrument,) = Tape.open(tmp_path / "out.tape").instruments
    assert result.instruments == (instrument,)
    assert (instrument.symbol, instrument.base, instrument.quote) == ("BTCUSDT", "BTC", "USDT")
    assert (instrument.price_tick, instrument.size_lot) == (Decimal("0.001"), Decimal("0.1"))
    assert instrument.kind == "spot"


def test_a_price_whose_exponent_has_no_end_is_rejected_and_harms_nothing(tmp_path):
    lines = [*SMALL, spot_depth(14, 15, (("1e9999999999999999999", "0.5"),)), spot_trade(3)]
    result = import_captures([capture(tmp_path / "capture", lines)], tmp_path / "out.tape")

    assert (result.rejected, result.trades, result.instruments[0].price_tick) == (1, 3, Decimal("0.001"))


def test_tick_and_lot_may_be_given(tmp_path):
    steps = {"BTCUSDT": (Decimal("0.01"), Decimal("0.00001"))}

    result = import_captures([capture(tmp_path / "capture", SMALL)], tmp_path / "out.tape", steps=steps)

    assert (result.instruments[0].price_tick, result.instruments[0].size_lot) == steps["BTCUSDT"]


def test_futures_are_told_by_the_previous_update_of_their_depth(tmp_path):
    lines = [usdm_depth(9, 11, 8), snapshot(10), usdm_depth(15, 18, 11)]

    result = import_captures([capture(tmp_path / "capture", lines)], tmp_path / "out.tape")

    assert result.instruments[0].kind == "perpetual"
    assert result.gaps == 0
    assert result.books_not_live == []


def test_files_continue_each_other_in_the_order_of_their_clocks(tmp_path):
    first = capture(tmp_path / "z-first", SMALL)
    second = capture(tmp_path / "a-second", [spot_depth(14, 15), spot_trade(3)], start_ns=NOW_NS + 10_000)

    result = import_captures([second, first], tmp_path / "out.tape")

    assert result.files == ["z-first", "a-second"]
    assert (result.gaps, result.trades, result.trade_id_gaps, result.disordered) == (0, 3, 0, 0)


def test_a_hole_between_files_is_a_gap_that_is_told(tmp_path):
    first = capture(tmp_path / "first", [*SMALL, *(spot_trade(number) for number in range(3, 20))])
    second = capture(tmp_path / "second", [spot_depth(24, 25), spot_trade(25)], start_ns=NOW_NS + 100_000)

    result = import_captures([first, second], tmp_path / "out.tape")

    assert (result.gaps, result.trade_id_gaps, result.books_not_live) == (1, 1, ["BTCUSDT"])
    assert check_tape(tmp_path / "out.tape").gaps == 1


BAD_LINES = {
    "no clock": b"hello world",
    "no JSON": b"%d hello" % NOW_NS,
    "broken JSON": b'%d {"stream":"btcusdt@trade","data":{"e":' % NOW_NS,
    "NaN": b"%d %s" % (NOW_NS, spot_trade(5, price="NaN")),
    "negative": b"%d %s" % (NOW_NS, spot_trade(5, price="-1.0")),
    "zero": b"%d %s" % (NOW_NS, spot_trade(5, price="0.0")),
    "absurd": b"%d %s" % (NOW_NS, spot_trade(5, price="1e300")),
    "absurd level": b"%d %s" % (NOW_NS, spot_depth(14, 15, (("1e300", "1"),))),
    "a clock of zero": b"0 " + spot_trade(5),
    "a clock beyond all": b"9" * 30 + b" " + spot_trade(5),
}


@pytest.mark.parametrize("what", BAD_LINES)
def test_a_bad_line_is_skipped_and_told_with_its_number(tmp_path, what):
    path = capture(tmp_path / "capture.txt", SMALL)
    path.write_bytes(path.read_bytes() + BAD_LINES[what] + b"\n%d %s\n" % (NOW_NS + 9000, spot_trade(3)))

    result = import_captures([path], tmp_path / "out.tape")

    assert result.rejected == 1
    assert result.errors[0].startswith("capture.txt:7: ")
    assert result.trades == 3
    events = events_of(tmp_path / "out.tape")
    assert np.isfinite(events["a"]).all()


def test_only_the_first_errors_are_kept_but_all_are_counted(tmp_path):
    path = capture(tmp_path / "capture", [*SMALL, *[spot_trade(5, price="-1")] * 50])

    result = import_captures([path], tmp_path / "out.tape")

    assert (result.rejected, len(result.errors)) == (50, 20)


def test_a_gzip_that_breaks_off_is_imported_up_to_there_and_told(tmp_path):
    lines = [*SMALL, *(spot_trade(identity) for identity in range(3, 20_000))]
    path = capture(tmp_path / "capture.gz", lines, packed=gzip.compress)
    path.write_bytes(path.read_bytes()[:-3000])

    result = import_captures([path], tmp_path / "out.tape")

    assert result.is_torn
    assert result.rejected >= 1
    assert "breaks off" in result.errors[-1]
    assert 2 < result.trades < 20_000


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"hello\n" * 100, gzip.compress(b"hello\n" * 100), gzip.compress(b"")[:8], bytes(range(256)) * 50,
     b"1723161253937085768 {}\n" * 50, b"1723161253937085768 {\"a\":1}\n"],
    # A gzip file bears the second it was made in: as a test's name it would be another one in each worker.
    ids=["empty", "blank", "text", "packed text", "torn gzip", "any bytes", "no fields", "no stream"],
)  # fmt: skip
def test_a_file_that_is_no_capture_is_refused_and_leaves_nothing(tmp_path, content):
    path = tmp_path / "capture"
    path.write_bytes(content)

    with pytest.raises(MarketFileError):
        import_captures([path], tmp_path / "out.tape")

    assert [each.name for each in tmp_path.iterdir()] == ["capture"]


def test_a_capture_of_nothing_usable_is_refused_and_leaves_nothing(tmp_path):
    path = capture(tmp_path / "capture", [spot_trade(5, price="-1")] * 30)

    with pytest.raises(MarketFileError):
        import_captures([path], tmp_path / "out.tape")

    assert [each.name for each in tmp_path.iterdir()] == ["capture"]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(MarketFileError, match=r"nowhere\.gz"):
        import_captures([tmp_path / "nowhere.gz"], tmp_path / "out.tape")


def test_an_import_never_overwrites(tmp_path):
    path = capture(tmp_path / "capture", SMALL)
    import_captures([path], tmp_path / "out.tape")
    before = (tmp_path / "out.tape").read_bytes()

    with pytest.raises(MarketFileError, match="exists already"):
        import_captures([path], tmp_path / "out.tape")

    assert (tmp_path / "out.tape").read_bytes() == before


def test_a_clock_that_runs_backwards_is_counted_and_held(tmp_path):
    path = tmp_path / "capture"
    stamps = [NOW_NS, NOW_NS + 5, NOW_NS + 3, NOW_NS + 9]
    path.write_bytes(b"".join(b"%d %s\n" % (stamp, spot_trade(index + 1)) for index, stamp in enumerate(stamps)))

    result = import_captures([path], tmp_path / "out.tape")

    assert result.disordered == 1
    assert check_tape(tmp_path / "out.tape").out_of_order == 0


def test_unknown_streams_are_counted_and_do_no_harm(tmp_path):
    unheard_of = compact({"stream": "btcusdt@unheardOf", "data": {"e": "unheardOf", "s": "BTCUSDT"}})

    result = import_captures([capture(tmp_path / "capture", [*SMALL, unheard_of])], tmp_path / "out.tape")

    assert (result.unknown, result.rejected) == (1, 0)


def test_both_paths_of_the_adapter_make_the_same_tape(tmp_path):
    path = capture(tmp_path / "capture", SMALL)

    import_captures([path], tmp_path / "slow.tape")
    import_captures([path], tmp_path / "fast.tape", scanner=frames.compiled_scanner())

    assert (tmp_path / "slow.tape").read_bytes() == (tmp_path / "fast.tape").read_bytes()


def test_the_check_sees_what_is_wrong(tmp_path):
    import_captures([capture(tmp_path / "capture", SMALL)], tmp_path / "out.tape")
    events = events_of(tmp_path / "out.tape")
    trades = np.flatnonzero(events["kind"] == Kind.TRADE)

    assert check_events([events]).is_clean
    for change in ("nan", "crossed", "backwards", "repeated"):
        wrong = events.copy()
        if change == "nan":
            wrong["a"][trades[0]] = np.nan
        elif change == "crossed":
            wrong["a"][np.flatnonzero(events["kind"] == Kind.BOOK)[-1]] = 500.0
        elif change == "backwards":
            wrong["received_ns"][-1] = 1
        else:
            wrong["id"][trades[1]] = wrong["id"][trades[0]]
        result = check_events([wrong])
        assert (result.not_a_number, result.crossed, result.out_of_order, result.trade_ids_repeated) == (
            change == "nan", change == "crossed", change == "backwards", change == "repeated",
        )  # fmt: skip


EXPECTED = {"spot": (19_904, 6_493, 6_491), "usdm": (21_313, 6_547, 6_547)}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.slow
def test_the_recorded_markets_rebuild_the_books_that_the_venue_had(imported, name):
    """All but two of its best quotes; the capture's clock runs about 1.27 s behind the venue's."""
    trades, compared, equal = EXPECTED[name]

    tape, told = imported(name)
    checked = check_tape(tape)

    assert (told.rejected, told.unknown, told.gaps, told.books_not_live) == (0, 0, 0, [])
    assert told.trades == checked.trades == trades
    assert (told.trade_id_gaps, checked.trade_id_gaps, checked.trade_ids_repeated) == (0, 0, 0)
    assert (checked.crossed, checked.gaps, checked.out_of_order, checked.not_a_number) == (0, 0, 0, 0)
    assert (checked.best_quote_agreement.compared, checked.best_quote_agreement.equal) == (compared, equal)
    assert -1300 < checked.clock_skew_ms < -1200
    counts = {finding.check: finding.count for finding in checked.findings}
    assert checked.is_clean and counts.keys() <= {"negative_latency", "book_disagrees"}
    assert counts.get("book_disagrees", 0) == compared - equal
