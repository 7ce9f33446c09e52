"""Any raw capture, plain, gzip or zstd, by what is in it and not by its name.

Reads in bounded memory where the format allows. What is wrong with an entry is told with its number and skipped;
only a file that cannot be opened, or is no capture at all, is an exception.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from streamtrader.errors import MarketFileError
from streamtrader.storage.captures import cbcap, cryptofeed, lines
from streamtrader.storage.captures.line import CaptureLine, clocked
from streamtrader.storage.files import explained

LINE_BYTES_MOST = 16 << 20
SHOWN = 64  # bytes at the start that tell what else a file may be
LINES_BEFORE_REFUSAL = 20  # so many lines of another shape, and none right, are no capture
FORMATS = ("binance-raw", "cryptofeed", "cryptofeed-text", "cbcap", "json-lines", "json-document")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SECONDS = re.compile(rb"\d{9,10}(\.\d+)?: |(wss?|https?)://\S+ (<->|<-|->) ")
_DAMAGE = (EOFError, OSError, zlib.error, zstandard.ZstdError)
_SHAPES: dict[str, tuple[Callable[[int, bytes], CaptureLine], str]] = {
    "binance-raw": (lines.read_ns_line, "`<nanoseconds> <JSON>`"),
    "cryptofeed-text": (lines.read_seconds_line, "`<seconds>: <JSON>`"),
    "json-lines": (lines.read_json_line, "JSON"),
}

_OTHERS = (  # how else a file may begin, and what its owner may do with it
    (re.compile(rb"\Z"), "there is nothing in it"),
    (re.compile(rb"\x89STAPE"), "it is a tape already"),
    (re.compile(rb"PAR1"), "it is one Parquet file; the folder of a lake is imported with --format lake"),
    (re.compile(rb"PK\x03\x04"), "it is a zip archive that is cut off or damaged; fetch it again"),
    (re.compile(rb"\d[^\s{\[]*[,;\t]"), "it is a table whose first line does not name the columns; add such a line"),
)


class CaptureReader:
    """The entries of one capture, in the order of their clocks; `is_torn` when it breaks off, or its compression does.

    `format` is one of FORMATS, `venue` what the file itself calls its venue, both known once reading has begun.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.is_torn = False
        self.format = ""
        self.venue = ""
        self._last_number = 0
        self._damage = ""
        self._start = b""

    def __iter__(self) -> Iterator[CaptureLine]:
        self.is_torn = False
        right = wrong = 0
        for entry in self._entries():
            right += not entry.problem
            wrong += bool(entry.problem)
            if not right and wrong >= LINES_BEFORE_REFUSAL:
                raise self._refused(f"its lines are not {self._shape()}")
            yield entry
        if not right:
            raise self._refused(f"not one line of it is {self._shape()}")
        self.is_torn = self.is_torn or (self.format == "cbcap" and wrong > 0)  # damage ends such a file

    def _shape(self) -> str:
        return _SHAPES[self.format][1] if self.format in _SHAPES else f"one of a {self.format} capture"

    def _entries(self) -> Iterator[CaptureLine]:
        with _opened(self.path) as file:
            try:
                first = file.readline(LINE_BYTES_MOST)
            except _DAMAGE as error:
                raise self._refused(f"its compression is damaged ({error})") from error
            self._start = first[:SHOWN]
            self.format = format_of(first)
            if self.format == "cbcap":
                self.venue = cbcap.venue_of(first)
                yield from self._until_damage(cbcap.read_cbcap(file))
            elif self.format == "cryptofeed":
                self.venue = _exchange_of(first)
                yield from cryptofeed.read_cryptofeed(self._numbered(first, file))
            elif self.format == "json-document":
                yield from clocked(self._document(first, file))
            elif self.format == "json-lines":
                yield from clocked(self._lines(first, file))
            else:
                yield from self._lines(first, file)
        if self.is_torn:
            yield CaptureLine(self._last_number + 1, 0, b"", f"the file breaks off here ({self._damage})")

    def _lines(self, first: bytes, file: BinaryIO) -> Iterator[CaptureLine]:
        read = _SHAPES[self.format][0]
        for number, line in self._numbered(first, file):
            if len(line) >= LINE_BYTES_MOST:
                yield CaptureLine(number, 0, b"", f"a line of more than {LINE_BYTES_MOST} bytes")
            elif line:
                yield read(number, line)

    def _numbered(self, first: bytes, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        """Stripped lines with their numbers; where the compression breaks off they end. An overlong one stays long."""
        number, line = 1, first
        while line:
            self._last_number = number
            if len(line) >= LINE_BYTES_MOST and not line.endswith(b"\n"):
                rest = line
                while rest and not rest.endswith(b"\n"):
                    rest = file.readline(LINE_BYTES_MOST)
                yield number, line
            else:
                yield number, line.strip()
            number += 1
            try:
                line = file.readline(LINE_BYTES_MOST)
            except _DAMAGE as error:
                self.is_torn, self._damage = True, str(error)
                return

    def _until_damage(self, entries: Iterator[CaptureLine]) -> Iterator[CaptureLine]:
        try:
            for entry in entries:
                self._last_number = entry.number
                yield entry
        except _DAMAGE as error:
            self.is_torn, self._damage = True, str(error)

    def _document(self, first: bytes, file: BinaryIO) -> Iterator[CaptureLine]:
        try:
            text = first + file.read(lines.DOCUMENT_BYTES_MOST + 1)
        except _DAMAGE as error:
            raise self._refused(f"its compression is damaged ({error})") from error
        if len(text) > lines.DOCUMENT_BYTES_MOST:
            raise self._refused(f"one JSON document of more than {lines.DOCUMENT_BYTES_MOST >> 20} MiB")
        try:
            yield from lines.frames_of_document(text)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self._refused(f"neither lines of a capture nor one JSON document ({error})") from error

    def _refused(self, why: str) -> MarketFileError:
        other = next((told for head, told in _OTHERS if head.match(self._start)), why)
        return MarketFileError(f"{self.path} is no raw capture: {other}.", path=str(self.path))


def format_of(first: bytes) -> str:
    """The format of a capture by its first line."""
    line = first.strip()
    if line.startswith(cbcap.MAGIC):
        return "cbcap"
    if line.startswith(cryptofeed.HEAD):
        return "cryptofeed"
    if _SECONDS.match(line):
        return "cryptofeed-text"
    if line.startswith((b"{", b"[")):
        return "json-lines" if _is_whole(line) and first.endswith(b"\n") else "json-document"
    return "binance-raw"


def _is_whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def _exchange_of(header: bytes) -> str:
    class_ = dict[str, msgspec.Raw]
    try:
        return str(msgspec.json.decode(msgspec.json.decode(header, type=class_)["exchange"])).lower()
    except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
        return ""


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
        start = file.read(4)
        file.seek(0)
    except OSError as error:
        raise MarketFileError(f"{path} cannot be read: {explained(error)}", path=str(path)) from error
    if start.startswith(_GZIP):
        return _Closing(gzip.GzipFile(fileobj=file), file)
    if start == _ZSTD:
        return _Closing(zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True), file)
    return file


class _Closing(io.BufferedReader):
    """A buffered view of a decompressor that closes the file below too."""

    def __init__(self, raw: object, file: BinaryIO) -> None:
        super().__init__(raw, 1 << 18)  # type: ignore[arg-type]
        self._below = file

    def close(self) -> None:
        super().close()
        self._below.close()
