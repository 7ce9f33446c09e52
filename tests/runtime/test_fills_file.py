"""A list of fills is believed whole or not at all; every mistake is told with its line, its column and a remedy."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import MarketFileError
from streamtrader.events import Side
from streamtrader.runtime.fills_file import FillsFile, read_fills
from streamtrader.runtime.times import time_ns, time_text

HEADER = "trade_id,time,symbol,side,size,price,fee,fee_asset"
GOOD = "1,2024-08-09T00:00:00Z,BTCUSDT,buy,2,100,0.2,USDT"
AT_NS = 1_723_161_600_000_000_000


def read(tmp_path: Path, *lines: str, header: str = HEADER, quotes: tuple[str, ...] = ()) -> FillsFile:
    path = tmp_path / "fills.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return read_fills(path, quotes)


def test_a_line_is_a_fill(tmp_path: Path) -> None:
    ((strategy, fill),) = read(tmp_path, "7,1723161600000,eth/usdt,S,0.50,2000.10,-0.01,bnb").fills

    assert (strategy, fill.key, fill.at_ns, fill.pair) == ("", "7", AT_NS, ("eth/usdt", "ETH", "USDT"))
    assert (fill.side, fill.size, fill.price) == (Side.SELL, Decimal("0.5"), Decimal("2000.1"))
    assert (fill.fee, fill.fee_currency) == (Decimal("-0.01"), "BNB")


def test_a_fee_without_an_asset_is_in_quote(tmp_path: Path) -> None:
    ((_, fill),) = read(tmp_path, "7,1723161600,BTC-USD,buy,1,1,0.1,").fills

    assert fill.fee_currency == "USD"


@pytest.mark.parametrize("line", [GOOD, "1,1723161600,BTCUSDT,BUY,2.0,1e2,0.20,USDT"])
def test_a_repeated_trade_is_ignored_and_counted(tmp_path: Path, line: str) -> None:
    found = read(tmp_path, GOOD, line, "1,1723161600,ETHUSDT,buy,1,1,0,")

    assert (len(found.fills), found.repeated_count) == (2, 1)


def test_a_strategy_column_attributes(tmp_path: Path) -> None:
    found = read(tmp_path, f"{GOOD},maker", header=f"{HEADER},strategy")

    assert [strategy for strategy, _ in found.fills] == ["maker"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [((2, 1, 1), "from the last to the first"), ((1, 3, 2), "out of order"), ((1, 2, 2), None)],
    ids=["reverse", "mixed", "in order"],
)
def test_lines_are_booked_in_the_order_of_time(tmp_path: Path, lines: tuple[int, ...], told: str | None) -> None:
    """A file that was written backwards is turned round, so that trades of one moment are in their order too."""
    rows = [f"{number},{1_723_161_600 + at},BTCUSDT,buy,1,1,0," for number, at in enumerate(lines)]
    found = read(tmp_path, *rows)

    order = [fill.key for _, fill in found.fills]
    assert order == {None: ["0", "1", "2"], "out of order": ["0", "2", "1"]}.get(told, ["2", "1", "0"])
    assert [note for note in found.notes if told is None or told not in note] == []


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (HEADER.replace("price", "cost"), "no column price"),
        ("trade_id,time", "no column symbol, side, size, price, fee, fee_asset"),
        (f"{HEADER},price", "the column price is there twice"),
        ("", "no column trade_id"),
    ],
)
def test_a_header_without_its_columns_is_told(tmp_path: Path, header: str, told: str) -> None:
    with pytest.raises(MarketFileError, match=rf"^fills\.csv:1: {told}.*the first line must name"):
        read(tmp_path, GOOD, header=header)


BAD = {
    "size": ["NaN", "-1", "0", "", "inf", "1_000", "ten", "0x10", "1e999", "٣"],
    "price": ["nan", "-100", "0", "1,5", "-0", "1e40"],
    "fee": ["", "free", "Infinity", "1e-40"],
    "side": ["", "long", "buysell"],
    "symbol": ["", "BTCFDUSD", "AAPL", "BTC USDT"],
    "time": ["", "yesterday", "2024-13-01", "2024-02-30T00:00:00Z", "123", "1" * 20, "2024-08-09T25:00", "-1723161600"],
    "trade_id": [""],
    "fee_asset": ["B N B", "€"],
}


@pytest.mark.parametrize(("column", "text"), [(column, text) for column, texts in BAD.items() for text in texts])
def test_a_bad_cell_is_told_with_its_line_column_and_remedy(tmp_path: Path, column: str, text: str) -> None:
    cells = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {"trade_id": "2", column: f'"{text}"'}

    with pytest.raises(MarketFileError) as raised:
        read(tmp_path, GOOD, ",".join(cells.values()))

    told = str(raised.value)
    assert told.startswith("a mistake in the fills, nothing was booked:\n  fills.csv:3: ")
    assert column in told.split(":")[3]
    assert any(word in told for word in ("write", "give", "name", "says", "must")), told


def test_a_trade_told_twice_in_different_words_names_both_lines(tmp_path: Path) -> None:
    with pytest.raises(MarketFileError, match=r"fills\.csv:3: trade_id: 1 of BTCUSDT is another trade in line 2; keep"):
        read(tmp_path, GOOD, GOOD.replace(",100,", ",101,"))


def test_a_line_with_a_cell_too_many_is_told(tmp_path: Path) -> None:
    with pytest.raises(MarketFileError, match=r"fills\.csv:2: 9 cells and 8 columns"):
        read(tmp_path, GOOD.replace("0.2", "0,2"))


def test_all_mistakes_are_told_at_once_up_to_a_limit(tmp_path: Path) -> None:
    with pytest.raises(MarketFileError) as raised:
        read(tmp_path, *(f"{number},1723161600,BTCUSDT,buy,-1,1,0," for number in range(30)))

    lines = str(raised.value).splitlines()
    assert (lines[0], len(lines), lines[-1]) == ("30 mistakes in the fills, nothing was booked:", 22, "  and 10 more")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe\x00", "is no text in UTF-8"), (HEADER.encode() + b'\n1,"unclosed', "no table of fills"),
        (gzip.compress(HEADER.encode())[:-9], "damaged or cut off"), (b"", "is empty"),
    ],
    ids=["not text", "an open quote", "a torn archive", "nothing"],
)  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "fills.csv").write_bytes(content)

    with pytest.raises(MarketFileError, match=told):
        read_fills(tmp_path / "fills.csv")


def test_a_packed_file_with_other_separators_and_a_mark_in_front_is_read(tmp_path: Path) -> None:
    text = "\ufeff" + HEADER.replace(",", ";").upper() + "\r\n" + GOOD.replace(",", ";") + "\r\n\r\n"
    (tmp_path / "fills.csv.gz").write_bytes(gzip.compress(text.encode()))

    assert len(read_fills(tmp_path / "fills.csv.gz").fills) == 1


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("1723161600", AT_NS), ("1723161600.5", AT_NS + 500_000_000), ("1723161600000", AT_NS),
        ("1723161600000000", AT_NS), ("1723161600000000001", AT_NS + 1), ("2024-08-09", AT_NS),
        ("2024-08-09 00:00:00 UTC", AT_NS), ("2024-08-09T02:00+02:00", AT_NS), ("2024-08-08T19:30:00-0430", AT_NS),
        ("2024-08-09T00:00:00.000000001Z", AT_NS + 1), ("2024-08-09T00:00:00.1", AT_NS + 100_000_000),
    ],
)  # fmt: skip
def test_a_time_is_read_to_the_nanosecond(text: str, at_ns: int) -> None:
    assert time_ns(text) == at_ns


@given(at_ns=st.integers(10**17, 4 * 10**18))
def test_a_time_is_read_back_as_it_was_written(at_ns: int) -> None:
    assert time_ns(time_text(at_ns)) == time_ns(str(at_ns)) == at_ns
