"""The columns of the lake: which channel an event goes to, under which names its words lie there, and the way back.

Every channel has `sequence` (the event's number on its tape), `message` (the number of the first event of its
message: rows with the same one take effect together), `received_at`, `venue_at` (null where the venue sends no
clock), the event's words under their own names, `flags` as on the tape, and the lineage: `ingested_at`, `source_uri`,
`transform_id`. Times are nanoseconds in UTC and have no time zone: DuckDB has no functions for such with one. Prices
and sizes are the doubles of the tape. `raw` is null but for an event that the columns cannot say exactly (a word in
use that has no column here): then it holds its 64 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from streamtrader.events import EVENT, EVENT_BYTES, BookState, Kind, Side, TradingStatus
from streamtrader.storage.extras import arrow

TRANSFORM_ID = "tape-to-lake/1"  # grows with every change of what a row says
Events = np.ndarray[Any, np.dtype[Any]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
AGGRESSOR = {0: Side.BUY.name.lower(), 1: Side.SELL.name.lower()}
SIDE_OF_BOOK = {0: "bid", 1: "ask"}


@dataclass(frozen=True, slots=True)
class Word:
    """One column and the word of the event that it shows; `labels` name whole numbers, `may_lack` makes 0 a null."""

    name: str
    field: str  # of EVENT; `volume` is the id read as a double
    labels: Mapping[int, str] | None = None
    is_time: bool = False
    may_lack: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """One table of the lake. A channel of several kinds has a column `kind`."""

    name: str
    kinds: tuple[Kind, ...]
    words: tuple[Word, ...]
    sides: Mapping[int, str] | None = None
    sided: tuple[Kind, ...] = ()  # those of its kinds whose side means something


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where the rows of a file come from: the last three columns."""

    ingested_ns: int
    source_uri: str
    transform_id: str = TRANSFORM_ID


def _labels(names: type[IntEnum]) -> dict[int, str]:
    return {int(each): each.name.lower() for each in names}


_PRICE, _SIZE, _ID = Word("price", "a"), Word("size", "b"), Word("id", "id")
_TRADED = (_PRICE, _SIZE, _ID)
_OHLCV = tuple(Word(name, field) for name, field in zip(("open", "high", "low", "close"), "abcd", strict=True))
_QUOTED = tuple(
    Word(name, field) for name, field in zip(("bid_price", "bid_size", "ask_price", "ask_size"), "abcd", strict=True)
)
_MARKED = (
    _PRICE,
    Word("index_price", "b", may_lack=True),
    Word("funding_rate", "c"),
    Word("is_settled", "d"),
    Word("next_funding_at", "id", is_time=True, may_lack=True),
)
_SESSION = (Kind.FILL, Kind.ORDER, Kind.TIMER, Kind.COMMAND)

CHANNELS = (
    Channel("trade", (Kind.TRADE,), _TRADED, AGGRESSOR, (Kind.TRADE,)),
    Channel("quote", (Kind.QUOTE,), (*_QUOTED, _ID)),
    Channel("book", (Kind.BOOK, Kind.BOOK_CLEAR), _TRADED, SIDE_OF_BOOK, (Kind.BOOK,)),
    Channel("candle", (Kind.CANDLE,), (*_OHLCV, Word("volume", "volume"))),
    Channel("mark", (Kind.MARK,), _MARKED),
    Channel("liquidation", (Kind.LIQUIDATION,), _TRADED, AGGRESSOR, (Kind.LIQUIDATION,)),
    Channel("status", (Kind.STATUS,), (Word("status", "a", _labels(TradingStatus)), _ID)),
    Channel("link", (Kind.LINK,), (Word("state", "a", _labels(BookState)), _ID)),
    Channel("correction", (Kind.CORRECTION,), _TRADED, AGGRESSOR, (Kind.CORRECTION,)),
    # The engine's own events, and what is new to this version: their words as they are.
    Channel("session", _SESSION, (*(Word(field, field) for field in "abcd"), _ID), AGGRESSOR, _SESSION),
)
BY_NAME = {channel.name: channel for channel in CHANNELS}
_SESSION_AT = len(CHANNELS) - 1
CHANNEL_OF_KIND = np.full(256, _SESSION_AT, np.uint8)
for _index, _channel in enumerate(CHANNELS):
    CHANNEL_OF_KIND[[int(kind) for kind in _channel.kinds]] = _index


def schema_of(channel: Channel) -> Any:
    """The Arrow schema of a channel, the same for every file of it."""
    pa = arrow()
    time, name = pa.timestamp("ns"), pa.dictionary(pa.int8(), pa.string())
    columns = [("sequence", pa.int64()), ("message", pa.int64()), ("received_at", time), ("venue_at", time)]
    if len(channel.kinds) > 1:
        columns.append(("kind", name))
    if channel.sides is not None:
        columns.append(("side", name))
    for word in channel.words:
        number = pa.int64() if word.field == "id" else pa.float64()
        columns.append((word.name, name if word.labels else time if word.is_time else number))
    columns += [("flags", pa.uint16()), ("raw", pa.binary(EVENT_BYTES))]
    return pa.schema([*columns, ("ingested_at", time), ("source_uri", name), ("transform_id", name)])


def table_of(channel: Channel, events: Events, sequences: Numbers, messages: Numbers, lineage: Lineage) -> Any:
    """Rows of one channel and one instrument as an Arrow table."""
    pa, schema, count = arrow(), schema_of(channel), len(events)
    kinds = np.ascontiguousarray(events["kind"])
    columns: dict[str, Any] = {
        "sequence": pa.array(sequences),
        "message": pa.array(messages),
        "received_at": _times(events["received_ns"]),
        "venue_at": _times(events["venue_ns"], may_lack=True),
        "flags": pa.array(np.ascontiguousarray(events["flags"])),
        "raw": pa.nulls(count, schema.field("raw").type),
        "ingested_at": pa.repeat(pa.scalar(lineage.ingested_ns, schema.field("ingested_at").type), count),
        "source_uri": _named(np.zeros(count, np.int8), {0: lineage.source_uri}),
        "transform_id": _named(np.zeros(count, np.int8), {0: lineage.transform_id}),
    }
    if len(channel.kinds) > 1:
        columns["kind"] = _named(kinds, {int(kind): kind.name.lower() for kind in channel.kinds})
    if channel.sides is not None:
        columns["side"] = _named(events["side"], channel.sides, is_known=np.isin(kinds, channel.sided))
    for word in channel.words:
        values = _word(events, word)
        if word.labels:
            columns[word.name] = _named(values, word.labels)
        elif word.is_time:
            columns[word.name] = _times(values, may_lack=word.may_lack)
        else:
            columns[word.name] = pa.array(values, mask=values == 0 if word.may_lack else None)
    table = pa.table([columns[name] for name in schema.names], schema=schema)
    return _with_raw(table, channel, events)


def _with_raw(table: Any, channel: Channel, events: Events) -> Any:
    """The events are made again from the columns; those that come out otherwise are kept byte for byte."""
    pa = arrow()
    whole = np.dtype((np.void, EVENT_BYTES))
    given = np.ascontiguousarray(events)
    again = events_of(channel, table, given["instrument"]).view(whole)
    is_same = again == given.view(whole)
    for word in channel.words:
        values = _word(given, word)
        if values.dtype == np.float64:  # a NaN in a dictionary may come back as another NaN
            is_same &= ~np.isnan(values)
    if is_same.all():
        return table
    rows = [None if same else row.tobytes() for same, row in zip(is_same.tolist(), given, strict=True)]
    at = table.schema.get_field_index("raw")
    return table.set_column(at, table.schema.field(at), pa.array(rows, table.schema.field(at).type))


def events_of(channel: Channel, table: Any, instrument: int | Numbers) -> Events:
    """The events that the rows of a table were; `instrument` is their number on the tape to be."""
    events = np.zeros(table.num_rows, EVENT)
    events["received_ns"] = _numbers(table["received_at"])
    events["venue_ns"] = _numbers(table["venue_at"])
    events["flags"] = table["flags"].to_numpy()
    if len(channel.kinds) > 1:
        events["kind"] = _numbered(table["kind"], {int(kind): kind.name.lower() for kind in channel.kinds})
    else:
        events["kind"] = channel.kinds[0]
    if channel.sides is not None:
        events["side"] = _numbered(table["side"], channel.sides)
    for word in channel.words:
        column = table[word.name]
        if word.labels:
            events[word.field] = _numbered(column, word.labels)
        elif word.field == "id":
            events["id"] = _numbers(column)
        else:
            values = column.fill_null(0.0).to_numpy() if column.null_count else column.to_numpy()
            events["id" if word.field == "volume" else word.field] = (
                np.ascontiguousarray(values).view(np.int64) if word.field == "volume" else values
            )
    raw = table["raw"]
    if raw.null_count < len(raw):
        rows = np.flatnonzero(raw.is_valid().to_numpy())
        events[rows] = np.frombuffer(b"".join(raw.take(arrow().array(rows)).to_pylist()), EVENT)
    events["instrument"] = instrument
    return events


def _word(events: Events, word: Word) -> np.ndarray[Any, Any]:
    if word.field == "volume":
        return np.ascontiguousarray(events["id"]).view(np.float64)
    return np.ascontiguousarray(events[word.field])


def _times(values: np.ndarray[Any, Any], *, may_lack: bool = False) -> Any:
    pa = arrow()
    times = np.ascontiguousarray(values)
    return pa.array(times, mask=times == 0 if may_lack else None).cast(pa.timestamp("ns"))


def _named(
    values: np.ndarray[Any, Any], names: Mapping[int, str], *, is_known: np.ndarray[Any, Any] | None = None
) -> Any:
    """Small whole numbers as a column of their names; a number without one is null."""
    pa = arrow()
    codes = np.full(len(values), -1, np.int8)
    for code, number in enumerate(names):
        codes[values == number] = code
    if is_known is not None:
        codes[~is_known] = -1
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), list(names.values()))


def _numbers(column: Any) -> Numbers:
    numbers: Numbers = column.cast(arrow().int64()).fill_null(0).to_numpy()
    return numbers


def _numbered(column: Any, names: Mapping[int, str]) -> Numbers:
    """The way back from names to numbers, whatever order a file's dictionary has; null is 0."""
    pa = arrow()
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_encode()
    numbers = {name: number for number, name in names.items()}
    by_code = np.array([numbers.get(name, 0) for name in whole.dictionary.to_pylist()] or [0], np.int64)
    codes = whole.indices.fill_null(-1).to_numpy()
    found: Numbers = np.where(codes < 0, 0, by_code[np.maximum(codes, 0)])
    return found
