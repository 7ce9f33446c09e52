"""Columns of text against Python's own numbers; levels, orders and merges against their obvious twins."""

from __future__ import annotations

import io
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import MarketFileError
from streamtrader.events import EVENT, MORE
from streamtrader.storage.importers import table
from streamtrader.storage.importers.clocks import text_ns
from streamtrader.storage.importers.merging import merged
from streamtrader.storage.importers.messages import TopLevels
from streamtrader.storage.importers.opening import Content
from streamtrader.storage.importers.order_levels import ORDER, OrderLevels
from streamtrader.storage.importers.table import tables

INTEGERS = st.integers(0, 9_219_999_999_999_999_999)
DECIMALS = st.decimals(min_value=0, max_value=Decimal(99999999), allow_nan=False, allow_infinity=False, places=9)
TEXTS = st.one_of(
    DECIMALS.map(lambda number: format(number, "f")),
    st.floats(0, 1e9).map(repr),
    st.floats(-1e9, 1e9).map(lambda number: f"{number:.3e}"),
    st.integers(0, 10**15).map(str),
    st.integers(0, 10**6).map(lambda number: f"{number}."),
)


def content_of(text):
    stream = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    return Content("file.csv", stream, Path("file.csv"), stream)


def one_table(text, columns=None):
    (found,) = tables(content_of(text), columns)
    return found


@given(st.lists(st.tuples(INTEGERS, TEXTS), min_size=1, max_size=40))
def test_numbers_are_those_that_python_reads(rows):
    found = one_table("".join(f"{whole},{text}\n" for whole, text in rows), ["whole", "text"])

    assert found.integers("whole").tolist() == [whole for whole, _ in rows]
    assert found.numbers("text").tolist() == [float(text) for _, text in rows]


@given(st.lists(DECIMALS, min_size=1, max_size=20))
def test_the_finest_place_is_that_of_the_finest_number(numbers):
    found = one_table("".join(f"{number:f}\n" for number in numbers), ["price"])

    found.numbers("price")

    places = [max(0, -int(number.normalize().as_tuple().exponent)) for number in numbers]
    assert found.places("price") == min(max(places), 8)


@given(st.lists(TEXTS, min_size=1, max_size=60), st.integers(20, 400))
def test_pieces_hold_the_rows_of_the_whole(texts, size):
    text = "name\n" + "".join(f"{text}\n" for text in texts)
    kept = table.PIECE_BYTES
    table.PIECE_BYTES = size
    try:
        parts = list(tables(content_of(text)))
    finally:
        table.PIECE_BYTES = kept

    assert [number for part in parts for number in part.numbers("name")] == [float(text) for text in texts]
    assert [line for part in parts for line in part.lines] == list(range(2, len(texts) + 2))


@pytest.mark.parametrize("end", ["\n", "\r\n", ""], ids=["LF", "CRLF", "none at the end"])
def test_ends_of_lines_marks_of_order_and_quotes_do_not_matter(end):
    text = b"\xef\xbb\xbf" + f'"a","b"{end or chr(10)}1,"2.5"{end or chr(10)}3,4{end}'.encode()

    found = one_table(text)

    assert (found.numbers("a").tolist(), found.numbers("b").tolist()) == ([1.0, 3.0], [2.5, 4.0])


BAD_FIELDS = ["", "x", "1e", "NaN", "nan", "inf", "-inf", "1_000", "1,5", "0x10", "--1", "1.2.3", "9" * 400]


@pytest.mark.parametrize("field", BAD_FIELDS)
def test_what_is_no_number_is_refused_with_its_line_and_column(field):
    found = one_table(f'price\n1.5\n"{field}"\n' if "," not in field else "price\n1.5\n1..5\n")

    with pytest.raises(MarketFileError, match=r"file\.csv:3: price is '.*', which is no number"):
        found.numbers("price")


@pytest.mark.parametrize("field", ["0", "-1", "1e12", "1e300", "0.0"])
def test_a_price_that_cannot_be_is_refused(field):
    with pytest.raises(
        MarketFileError, match=r"file\.csv:2: price is '.*', which is no price: above 0 and below 1e\+12"
    ):
        one_table(f"price\n{field}\n").prices("price")


def test_words_are_read_in_any_case_and_others_are_refused():
    found = one_table("side\nbuy\nSELL\nBuy\n")
    wrong = one_table("side\nbuy\nbuyer\n")

    assert found.codes("side", {"buy": 0, "sell": 1}).tolist() == [0, 1, 0]
    with pytest.raises(MarketFileError, match=r"file\.csv:3: side is 'buyer', not one of buy, sell"):
        wrong.codes("side", {"buy": 0, "sell": 1})


@given(st.lists(st.sampled_from(["BTCUSDT", "BTC-PERPETUAL", "ETH", "BTCUSD"]), min_size=1, max_size=20))
def test_rows_are_grouped_by_a_text_in_the_order_of_first_appearance(symbols):
    found = one_table("symbol,at\n" + "".join(f"{symbol},{at}\n" for at, symbol in enumerate(symbols)))

    groups = {text: found.chosen(rows).integers("at").tolist() for text, rows in found.groups("symbol")}

    assert list(groups) == list(dict.fromkeys(symbols))
    assert groups == {text: [at for at, symbol in enumerate(symbols) if symbol == text] for text in groups}


TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31))
FORMS = [
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M:%S+00:00",
]


@given(st.lists(TIMES, min_size=1, max_size=20), st.sampled_from(FORMS), st.booleans())
def test_times_of_one_form_and_of_several_are_those_that_numpy_reads(times, form, is_mixed):
    texts = [f"{time:%Y}".zfill(4) + time.strftime(form)[4:] for time in times]
    texts += ["2020-02-29"] * is_mixed

    found = text_ns(one_table("time\n" + "".join(f"{text}\n" for text in texts)), "time")

    plain = [text.removesuffix("Z").removesuffix("+00:00") for text in texts]
    assert found.tolist() == np.array(plain, "M8[ns]").astype(np.int64).tolist()


@pytest.mark.parametrize(
    "text",
    ["2023-02-29", "2023-13-01", "2023-00-10", "2023-01-00", "2023-01-32", "2023-01-01 24:00", "2023-01-01 10:60"],
)
def test_a_day_or_an_hour_that_is_none_is_refused(text):
    with pytest.raises(MarketFileError, match=rf"file.csv:3: time is '{text}', which is no date"):
        text_ns(one_table(f"time\n{'2023-01-01 10:00'[: len(text)]}\n{text}\n"), "time")


PICTURES = st.lists(st.dictionaries(st.integers(1, 6), st.integers(1, 3), max_size=4), min_size=1, max_size=8)


@given(PICTURES, st.integers(1, 8))
def test_changes_of_pictures_lead_from_each_to_the_next(pictures, cut):
    levels, book, seen = TopLevels(), {}, []
    for part in (pictures[:cut], pictures[cut:]):
        if not part:
            continue
        prices, sizes = np.full((len(part), 4), np.nan), np.zeros((len(part), 4))
        for at, picture in enumerate(part):
            prices[at, : len(picture)], sizes[at, : len(picture)] = list(picture), list(picture.values())
        row, price, size = levels.changes(0, prices, sizes)
        for at in range(len(part)):
            for one, two in zip(price[row == at].tolist(), size[row == at].tolist(), strict=True):
                assert book.get(one, 0.0) != two, "only what changed"
                book[one] = two
            seen.append({one: two for one, two in book.items() if two})

    assert seen == pictures


ORDERS = st.lists(
    st.tuples(st.sampled_from("AAMCC"), st.integers(1, 5), st.integers(0, 1), st.integers(1, 4), st.integers(1, 9)),
    min_size=1,
    max_size=40,
)


@given(ORDERS, st.integers(1, 4), st.integers(0, 40))
def test_orders_add_up_to_the_levels_that_they_make(rows, per_message, cut):
    cut -= cut % per_message
    book, told = OrderLevels(), {}
    for start, part in ((0, rows[:cut]), (cut, rows[cut:])):
        orders = np.zeros(len(part), ORDER)
        for name, at in (("order_id", 1), ("side", 2), ("price", 3), ("size", 4)):
            orders[name] = [row[at] for row in part]
        message = (start + np.arange(len(part))) // per_message
        levels = book.apply(orders, np.array([row[0] == "C" for row in part], bool), message)
        for number, *level in zip(
            *(getattr(levels, name).tolist() for name in ("message", "side", "price", "size")), strict=True
        ):
            told.setdefault(number, []).append(tuple(level))

    live, unknown, before = {}, 0, {}
    for number in range(-(-len(rows) // per_message)):
        for action, order_id, side, price, size in rows[number * per_message : (number + 1) * per_message]:
            if action != "C":
                live[order_id] = (side, price, size)
            elif order_id in live:
                side, price, left = live.pop(order_id)
                if left > size:
                    live[order_id] = (side, price, left - size)
            else:
                unknown += 1
        after = {}
        for side, price, size in live.values():
            after[side, price] = after.get((side, price), 0) + size
        changed = {key for key in before | after if before.get(key, 0) != after.get(key, 0)}
        assert set(told.get(number, [])) == {(*key, after.get(key, 0)) for key in changed}
        before = after
    assert book.unknown == unknown
    assert sorted(book.live["order_id"].tolist()) == sorted(live)


STREAMS = st.lists(
    st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=5), max_size=4), max_size=3
)


@given(STREAMS)
def test_a_merge_is_in_order_and_takes_no_message_apart(streams):
    parts, number = [], 0
    for at, batches in enumerate(streams):
        now, arrays = 0, []
        for messages in batches:
            rows = []
            for step, count in messages:
                now, number = now + step, number + 1
                rows += [(now, at, number, MORE if row + 1 < count else 0) for row in range(count)]
            events = np.zeros(len(rows), EVENT)
            for name, column in zip(
                ("received_ns", "instrument", "id", "flags"), zip(*rows, strict=True), strict=False
            ):
                events[name] = column
            arrays.append(events)
        parts.append(arrays)

    found = list(merged([iter(arrays) for arrays in parts]))

    together = np.concatenate([np.zeros(0, EVENT), *found])
    assert np.all(np.diff(together["received_ns"]) >= 0)
    assert all(events["flags"][-1] == 0 for events in found)
    edges = np.append(0, together["flags"][:-1]) & MORE == 0
    assert len(np.unique(together["id"])) == np.count_nonzero(edges[: len(together)])
    for at, arrays in enumerate(parts):
        own = together[together["instrument"] == at]
        assert own.tobytes() == b"".join(events.tobytes() for events in arrays)
