"""Foreign files as bytes: plain, gzip, zstd or the one member of a zip, told by content; damage named, never swallowed.

Nothing is unpacked to disk. Where a vendor puts a checksum beside a file, it is verified before a byte is used.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import zstandard

from streamtrader.errors import MarketFileError
from streamtrader.storage.files import explained

_DAMAGE = (EOFError, zlib.error, zstandard.ZstdError, zipfile.BadZipFile, gzip.BadGzipFile, OSError)
_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK"


class Content(NamedTuple):
    """What is inside a file; `name` is how errors call it."""

    name: str
    stream: BinaryIO
    path: Path
    below: BinaryIO  # the file itself: how far it has been read is the progress

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end. Damage is a `MarketFileError`."""
        try:
            return self.stream.read(size)
        except _DAMAGE as error:
            raise broken(self.name, error) from error


def broken(name: str, error: Exception) -> MarketFileError:
    """What to say of bytes that cannot be unpacked."""
    why = explained(error) if isinstance(error, OSError) and error.errno else str(error) or type(error).__name__
    return MarketFileError(f"{name} is damaged or cut off ({why}); fetch the file again.", path=name)


def member_of(path: Path) -> str:
    """The name of the only member of a zip."""
    with _archive(path) as archive:
        return _only_member(path, archive).filename


def members_of(path: Path) -> list[str]:
    """The names of all members of a zip; empty for what is none. A damaged one is a `MarketFileError`."""
    if not zipfile.is_zipfile(path):
        return []
    with _archive(path) as archive:
        return archive.namelist()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Content]:
    """The content of a file, unpacked as it is read."""
    with contextlib.ExitStack() as stack:
        try:
            below: BinaryIO = stack.enter_context(path.open("rb"))
            start = below.read(4)
            below.seek(0)
        except OSError as error:
            raise MarketFileError(f"{path} cannot be read: {explained(error)}", path=str(path)) from error
        if not start:
            raise MarketFileError(f"{path} is empty.", path=str(path))
        if start.startswith(_ZIP):
            archive = stack.enter_context(_archive(path, below))
            member = _only_member(path, archive)
            try:
                unpacked = stack.enter_context(archive.open(member))
            except (*_DAMAGE, RuntimeError, NotImplementedError) as error:
                raise broken(path.name, error) from error
            yield Content(f"{path.name}/{member.filename}", unpacked, path, below)  # type: ignore[arg-type]
        elif start.startswith(_GZIP):
            yield Content(path.name, stack.enter_context(gzip.GzipFile(fileobj=below)), path, below)  # type: ignore[arg-type]
        elif start == _ZSTD:
            reader = zstandard.ZstdDecompressor().stream_reader(below, read_across_frames=True, closefd=False)
            yield Content(path.name, stack.enter_context(reader), path, below)
        else:
            yield Content(path.name, below, path, below)


def first_bytes(path: Path, size: int = 4096) -> bytes:
    """How the content begins."""
    with opened(path) as content:
        return content.read(size)


def verify_checksum(path: Path) -> bool:
    """Hold a file against `<file>.CHECKSUM` beside it (`<sha256 in hex>  <name>`); False where there is none.

    This is how data.binance.vision publishes them: https://github.com/binance/binance-public-data#checksum
    """
    beside = path.with_name(path.name + ".CHECKSUM")
    if not beside.is_file():
        return False
    wanted = beside.read_text(encoding="ascii", errors="replace").split()
    if not wanted or len(wanted[0]) != hashlib.sha256().digest_size * 2:
        raise MarketFileError(f"{beside} holds no SHA-256 checksum; fetch it again.", path=str(beside))
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted[0].lower():
        raise MarketFileError(
            f"{path.name} does not carry its checksum ({found[:12]}… instead of {wanted[0][:12]}… in {beside.name}); "
            "fetch both again.",
            path=str(path),
        )
    return True


def _archive(path: Path, file: BinaryIO | None = None) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path if file is None else file)
    except _DAMAGE as error:
        raise broken(path.name, error) from error


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise MarketFileError(
            f"{path.name} holds {len(members)} files; a data set has one in each archive "
            "(option archives, with one for each contract, are not imported).",
            path=str(path),
        )
    return members[0]
