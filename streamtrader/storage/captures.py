"""Raw captures as other programs write them: one frame a line, `<receive time in ns> <JSON>`, plain, gzip or zstd.

Reads line by line in bounded memory, by the file's content and not by its name. What is wrong with a line is told
with its number and skipped; only a file that cannot be opened, or is no such capture at all, is an exception.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from streamtrader.errors import MarketFileError
from streamtrader.storage.files import explained

LINE_BYTES_MOST = 16 << 20
LINES_BEFORE_REFUSAL = 20  # so many lines of another shape, and none right, are no capture
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class CaptureLine:
    """One line; `problem` says why it cannot be used, and then there is no text."""

    number: int
    received_ns: int
    text: bytes
    problem: str = ""


class CaptureReader:
    """The lines of one capture, in order; `is_torn` when the file broke off in the middle of its compression."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.is_torn = False

    def __iter__(self) -> Iterator[CaptureLine]:
        number = wrong = right = 0
        with _opened(self.path) as file:
            while True:
                try:
                    line = file.readline(LINE_BYTES_MOST)
                except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
                    if not right:
                        raise self._refused(f"its compression is damaged ({error})") from error
                    self.is_torn = True
                    yield CaptureLine(number + 1, 0, b"", f"the file breaks off here ({error})")
                    return
                if not line:
                    break
                number += 1
                read = _read(number, line, file)
                right += not read.problem
                wrong += bool(read.problem)
                if not right and wrong >= LINES_BEFORE_REFUSAL:
                    raise self._refused("its lines are not `<nanoseconds> <JSON>`")
                if read.text or read.problem:
                    yield read
        if not right:
            raise self._refused("not one line of it is `<nanoseconds> <JSON>`")

    def _refused(self, why: str) -> MarketFileError:
        return MarketFileError(f"{self.path} is no raw capture: {why}.", path=str(self.path))


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


def _read(number: int, line: bytes, file: BinaryIO) -> CaptureLine:
    if len(line) >= LINE_BYTES_MOST and not line.endswith(b"\n"):
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_BYTES_MOST)
        return CaptureLine(number, 0, b"", f"a line of more than {LINE_BYTES_MOST} bytes")
    clock, _, text = line.strip().partition(b" ")
    if not clock:
        return CaptureLine(number, 0, b"")
    if not (clock.isdigit() and len(clock) <= 19 and 0 < int(clock) < 2**63):
        return CaptureLine(number, 0, b"", "no receive time in nanoseconds at its start")
    text = text.strip()
    if not text.startswith(b"{"):
        return CaptureLine(number, 0, b"", "no JSON object behind its receive time")
    return CaptureLine(number, int(clock), text)
