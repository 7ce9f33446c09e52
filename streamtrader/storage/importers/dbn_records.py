"""Databento's binary encoding: the header by their own library, the records as one array.

https://databento.com/docs/standards-and-conventions/databento-binary-encoding: metadata, then records, each of which
begins with its length in words of four bytes and its type. A file of one schema has records of one length, so a piece
of it is an array as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.storage.extras import library
from streamtrader.storage.importers.markets import Intake
from streamtrader.storage.importers.opening import Content, opened

MAGIC = b"DBN"
PIECE_RECORDS = 1 << 16
RECORD_LEAST = 16  # bytes: what every record begins with
HEADER_MOST = 64 << 20  # bytes of metadata; a longer header is damage
PRICE_SCALE = 10**9
UNDEFINED_PRICE = np.iinfo(np.int64).max
DEFINITION = 19
INTERVALS_S = {32: 1, 33: 60, 34: 3_600, 35: 86_400}
_HEAD = [("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8")]
_TAIL = [("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4")]
_TRADE = [
    *_HEAD,
    ("price", "<i8"),
    ("size", "<u4"),
    ("action", "S1"),
    ("side", "S1"),
    ("flags", "u1"),
    ("depth", "u1"),
]
_BEST = [(f"{side}_px_00", "<i8") for side in ("bid", "ask")]
_BEST += [(f"{side}_{word}_00", "<u4") for word in ("sz", "ct") for side in ("bid", "ask")]
_ORDER = [
    *(*_HEAD, ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"), ("channel_id", "u1")),
    *(("action", "S1"), ("side", "S1"), *_TAIL),
]
# A best price taken at an interval has the fields of a trade, but its action is none.
_SAMPLE = [(name if name != "action" else "reserved", kind) for name, kind in (*_TRADE, *_TAIL, *_BEST)]
_CANDLE = [*_HEAD, *((name, "<i8") for name in ("open", "high", "low", "close")), ("volume", "<u8")]
# The fields of each type of record; all versions of the encoding have these alike.
LAYOUTS: dict[int, np.dtype[Any]] = {
    0: np.dtype([*_TRADE, *_TAIL]),
    1: np.dtype([*_TRADE, *_TAIL, *_BEST]),
    160: np.dtype(_ORDER),
    195: np.dtype(_SAMPLE),
    196: np.dtype(_SAMPLE),
    **dict.fromkeys(INTERVALS_S, np.dtype(_CANDLE)),
}
Records = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Defined:
    """What a definition says of an instrument."""

    tick: Decimal | None
    base: str
    quote: str
    is_stock: bool


@dataclass(frozen=True, slots=True)
class DbnFile:
    """The header of a file, and the type of its records."""

    path: Path
    dataset: str
    record_type: int
    symbols: dict[int, str]  # by instrument id
    start_ns: int
    schema: str


def dbn() -> Any:
    """The library, an extra."""
    return library("databento_dbn", extra="databento", what="importing DBN files")


def described(path: Path) -> DbnFile:
    """Read the header and look at the first record."""
    with opened(path) as content:
        metadata = _metadata(content)
        first = content.read(RECORD_LEAST)
    if len(first) < RECORD_LEAST:
        raise MarketFileError(f"{content.name} holds no record.", path=str(path))
    symbols: dict[int, str] = {}
    for symbol, intervals in metadata.mappings.items():
        for interval in intervals:
            if str(interval["symbol"]).isdigit():
                symbols[int(interval["symbol"])] = str(symbol)
    schema = str(metadata.schema) if metadata.schema is not None else ""
    return DbnFile(path, str(metadata.dataset), first[1], symbols, int(metadata.start), schema)


def records(file: DbnFile, intake: Intake) -> Iterator[Records]:
    """The records of a file in arrays; types that carry no market data are passed over."""
    fields = LAYOUTS[file.record_type]
    with opened(file.path) as content:
        _metadata(content)
        carried, stride, count = b"", 0, 0
        while piece := content.read(PIECE_RECORDS * max(stride, fields.itemsize)):
            data = carried + piece
            stride = stride or max(data[0] * 4, RECORD_LEAST)
            whole = len(data) // stride * stride
            lengths = np.frombuffer(data, np.uint8)[0:whole:stride]
            types = np.frombuffer(data, np.uint8)[1:whole:stride]
            if stride >= fields.itemsize and np.all(lengths == stride // 4) and np.all(types == file.record_type):
                found, carried = np.frombuffer(data[:whole], _strided(fields, stride)), data[whole:]
            else:
                found, carried = _walked(data, file, fields, count)
            count += len(found)
            intake.rows += len(found)
            intake.bytes_read[file.path.name] = content.below.tell()
            if len(found):
                yield found
    if carried:
        raise MarketFileError(f"{content.name} breaks off in a record, after {count} whole ones; fetch it again.")


def _strided(fields: np.dtype[Any], stride: int) -> np.dtype[Any]:
    """The same fields in longer records: some end with the time at which they were sent."""
    if stride == fields.itemsize or fields.fields is None:
        return fields
    names: Any = list(fields.names or ())
    formats, offsets = [fields.fields[name][0] for name in names], [fields.fields[name][1] for name in names]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": stride})


def definitions(path: Path) -> dict[str, Defined]:
    """The instruments that a file of definitions describes, by their symbol."""
    with opened(path) as content:
        parts = []
        while piece := content.read(1 << 20):
            parts.append(piece)
    decoder = dbn().DBNDecoder()
    try:
        decoder.write(b"".join(parts))
        messages = decoder.decode()
    except Exception as error:
        raise MarketFileError(f"{path.name} cannot be read as DBN ({error}); fetch it again.") from error
    found = {}
    for message in messages:
        if hasattr(message, "min_price_increment"):
            tick = int(message.min_price_increment)
            is_told = 0 < tick < UNDEFINED_PRICE
            found[str(message.raw_symbol)] = Defined(
                Decimal(tick) / PRICE_SCALE if is_told else None,
                str(message.asset) or str(message.raw_symbol),
                str(message.currency),
                str(message.instrument_class) == "K",
            )
    return found


def _metadata(content: Content) -> Any:
    prefix = _exactly(content, 8)
    size = int.from_bytes(prefix[4:8], "little")
    if not prefix.startswith(MAGIC) or size > HEADER_MOST:
        raise MarketFileError(f"{content.name} is no DBN file: it begins with {prefix!r}.")
    try:
        return dbn().Metadata.decode(prefix + _exactly(content, size))
    except MarketFileError:
        raise
    except Exception as error:
        raise MarketFileError(f"{content.name}: its header cannot be read ({error}).") from error


def _exactly(content: Content, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = content.read(size - len(data))
        if not piece:
            raise MarketFileError(f"{content.name} breaks off in its header; fetch it again.")
        data += piece
    return data


def _walked(data: bytes, file: DbnFile, fields: np.dtype[Any], count: int) -> tuple[Records, bytes]:
    """Records of several types, as a live client writes them: one after the other."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        size = data[at] * 4
        if size < RECORD_LEAST:
            raise MarketFileError(f"{file.path.name} is damaged behind record {count + len(found)}; fetch it again.")
        if at + size > len(data):
            break
        if data[at + 1] == file.record_type:
            found.append(data[at : at + fields.itemsize])
        at += size
    return np.frombuffer(b"".join(found), fields), data[at:]
