"""Read raw captures line by line: `<receive ns> <json>`, plain, gzip or zstd, several files as one.

What a file is packed with is told by its first bytes, not by its name. Damage ends the file it is in, never the
reading: whoever reads is told and decides.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson
import zstandard

from streamtrader.errors import MarketFileError
from streamtrader.storage.raw_lines import NOTE_HEAD

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CHUNK_BYTES = 1 << 16
_GZIP_BITS = 31
_STREAM_HEAD = b'{"stream":"'
SHORTEST_STAMP = 16  # digits: anything shorter is not nanoseconds since the epoch
LONGEST_STAMP = 19
_TEXT_AT = LONGEST_STAMP + 1
_STREAM_AT = _TEXT_AT + len(_STREAM_HEAD)
Line = tuple[Path, int, bytes]  # the file, the number of the line in it from 1, the bytes
OnDamage = Callable[[Path, int, str], None]


class Parsed(NamedTuple):
    """A usable line: `stream` is empty for a REST snapshot."""

    stamp_ns: int
    stream: str
    text: bytes
    document: dict[str, Any]


def checked_paths(names: Sequence[str]) -> list[Path]:
    """The paths as readable files; several names may be given in one, separated by commas."""
    paths = [Path(part).expanduser() for name in names for part in name.split(",") if part]
    for path in paths:
        if not path.is_file():
            problem = "is a directory" if path.is_dir() else "does not exist"
            raise MarketFileError(f"market file {path} {problem}; give a raw capture or a tape", path=str(path))
    return paths


def read_lines(paths: Sequence[Path], on_damage: OnDamage) -> Iterator[Line]:
    """Every line of every file in order; a damaged file ends with a call of `on_damage` and the next one begins."""
    for path in paths:
        number, rest = 0, b""
        try:
            for chunk in _chunks(path):
                lines = (rest + chunk).split(b"\n")
                rest = lines.pop()
                for raw in lines:
                    number += 1
                    yield path, number, raw
            if rest:
                yield path, number + 1, rest
        except (EOFError, zlib.error, zstandard.ZstdError) as error:
            on_damage(path, number + 1, f"the compressed data ends or breaks here: {error}")
        except OSError as error:
            on_damage(path, number + 1, f"cannot be read: {error}")


def _chunks(path: Path) -> Iterator[bytes]:
    """The unpacked bytes, all of them up to where a file breaks."""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic.startswith(_GZIP):
            yield from _unzipped(file)
        elif magic == _ZSTD:
            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader:
                while chunk := reader.read(_CHUNK_BYTES):
                    yield chunk
        else:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk


def _unzipped(file: IO[bytes]) -> Iterator[bytes]:
    """By hand: the standard reader loses what it has unpacked when the file then breaks off."""
    member = zlib.decompressobj(wbits=_GZIP_BITS)
    while packed := file.read(_CHUNK_BYTES):
        yield member.decompress(packed)
        while member.eof and (packed := member.unused_data.lstrip(b"\0")):
            member = zlib.decompressobj(wbits=_GZIP_BITS)
            yield member.decompress(packed)
    if not member.eof:
        raise EOFError("it ends before its end mark")


def known(raw: bytes) -> tuple[int, str, bytes] | None:
    """Stamp, stream and text of a line that was found usable before; by position, as this is done for every frame.

    None for a line of another form, which is to be taken apart with care.
    """
    if raw[LONGEST_STAMP:_STREAM_AT] != b" " + _STREAM_HEAD:
        return None
    stream = raw[_STREAM_AT : raw.index(b'"', _STREAM_AT)]
    return int(raw[:LONGEST_STAMP]), stream.decode(), raw[_TEXT_AT:].rstrip()


def is_silent(raw: bytes) -> bool:
    """A blank line, or a note that `record --raw` wrote between the frames: nothing to send, and nothing wrong."""
    return not raw.strip() or raw.partition(b" ")[2].startswith(NOTE_HEAD)


def parsed(raw: bytes) -> Parsed | str:
    """The parts of a line, or what is wrong with it."""
    digits, _, text = raw.strip().partition(b" ")
    if not (digits.isdigit() and SHORTEST_STAMP <= len(digits) <= LONGEST_STAMP):
        return "does not start with a receive time in nanoseconds"
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"is not JSON: {error}"
    if isinstance(document, dict):
        stream = document.get("stream")
        if isinstance(stream, str) and isinstance(document.get("data"), dict):
            return Parsed(int(digits), stream, text, document)
        if type(document.get("lastUpdateId")) is int and _are_levels(document.get("bids"), document.get("asks")):
            return Parsed(int(digits), "", text, document)
    return "is neither a stream frame nor a depth snapshot"


def _are_levels(*sides: object) -> bool:
    return all(
        isinstance(side, list) and all(isinstance(level, list) and len(level) == 2 for level in side)
        for side in sides
    )
