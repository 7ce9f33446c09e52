"""Raw frames on their way to disk: kept as they come by the loop, packed and written by a thread.

A file is a row of whole zstd frames with checksums, each of many lines. So a crash, or a disk that is full, costs the
last one at most; `zstd -dc` and every reader of captures take the file as one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import zstandard

from streamtrader.errors import StorageError
from streamtrader.kernel.ring import Ring
from streamtrader.storage import raw_lines
from streamtrader.storage.files import Appender, create_whole, explained, refused, sync_file

LEVEL = 6  # 80 MB of lines a second on one core, a ninth of their size; 9 gains a tenth and costs twice the time
PACKED_BYTES = 1 << 20  # lines of so many bytes become a zstd frame without waiting for `flush`
PENDING_BYTES_MOST = 64 << 20
SUFFIX = ".raw.zst"


class Item(NamedTuple):
    """What came in: a frame, or a note about what happened. `received_ns` is 0 where no clock is known yet.

    `position` is how many events the ring had been given before it.
    """

    received_ns: int
    text: bytes
    position: int
    is_note: bool = False


class Entry(NamedTuple):
    """The frames of one read, or a note."""

    received_ns: int
    texts: Sequence[bytes]
    position: int
    is_note: bool = False


class FrameLog:
    """The sink of a tap (`venues.tap.FrameSink`): keeps everything until a thread takes it. Never blocks the loop.

    A disk that stands still for long costs frames, not memory: beyond PENDING_BYTES_MOST they are counted in `lost`
    and the recording has a note of it. Frames that became events hold up the ring, and so the socket, long before.
    """

    def __init__(self, ring: Ring, *, is_stamped: bool = False) -> None:
        self.pending_bytes = 0
        self.lost = 0
        self.is_closed = False  # nobody takes any more
        self._is_stamped = is_stamped
        self._ring = ring
        self._noted_lost = 0
        self._entries: list[Entry] = []

    def connected(self, received_ns: int) -> None:
        self._note(received_ns, raw_lines.CONNECTED)

    def disconnected(self, received_ns: int) -> None:
        self._note(received_ns, raw_lines.DISCONNECTED)

    def turned(self, link: int) -> None:
        self._note(0, raw_lines.LINK, link=link)

    def left(self, link: int, heir: int, received_ns: int) -> None:
        self._note(received_ns, raw_lines.LEFT, link=link, heir=heir)

    def frames(self, frames: Sequence[bytes], received_ns: int) -> None:
        if self.is_closed:
            return
        if self.pending_bytes > PENDING_BYTES_MOST:
            self.lost += len(frames)
            return
        clock_ns = 0 if self._is_stamped else received_ns
        self._entries.append(Entry(clock_ns, tuple(frames), self._ring.written))
        self.pending_bytes += sum(map(len, frames))

    def answer(self, symbol: str, path: str, status: int, body: bytes, received_ns: int) -> None:
        if self.is_closed:
            return
        self._note(received_ns, raw_lines.ANSWER, symbol=symbol, path=path, status=status, has_body=bool(body))
        if body:
            self._entries.append(Entry(received_ns, (body,), self._ring.written))
            self.pending_bytes += len(body)

    def renewed(self, symbol: str, received_ns: int) -> None:
        self._note(received_ns, raw_lines.RENEWED, symbol=symbol)

    def take(self) -> list[Entry]:
        """Everything since the last call."""
        if self.lost > self._noted_lost:
            self._note(self._entries[-1].received_ns, raw_lines.LOST, frames=self.lost - self._noted_lost)
            self._noted_lost = self.lost
        entries, self._entries, self.pending_bytes = self._entries, [], 0
        return entries

    def items(self, entries: Sequence[Entry]) -> list[Item]:
        """One by one, with the market's own stamp as the clock of stamped frames. For the thread that writes."""
        items = []
        for received_ns, texts, position, is_note in entries:
            for text in texts:
                clock_ns = received_ns
                if self._is_stamped and not (clock_ns or is_note):
                    text, clock_ns = raw_lines.unstamped(text)
                items.append(Item(clock_ns, text, position, is_note))
        return items

    def _note(self, received_ns: int, kind: str, **values: Any) -> None:
        if self.is_closed:
            return
        text = raw_lines.note_text(kind, received_ns=received_ns, **values)
        self._entries.append(Entry(received_ns, (text,), self._ring.written, is_note=True))
        self.pending_bytes += len(text)


class RawWriter(Appender):
    """Appends lines to one file. What `flush` returned from is in the file; after `sync` it survives a power cut."""

    def __init__(self, path: Path, file: Any, header: bytes) -> None:
        super().__init__(path, file)
        self.line_count = 0  # in the file, notes included
        self.first_ns = 0
        self.last_ns = 0
        self.size_bytes = 0
        self._header: bytes | None = header
        self._early: list[Item] = []  # from before any clock was known
        self._lines: list[bytes] = []
        self._line_bytes = 0
        self._compress = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress

    @classmethod
    def create(cls, path: Path | str, header: bytes) -> Self:
        """Begin a file, which must not exist yet; `header` is the text of `raw_lines.header_text`."""
        path = Path(path)
        try:
            create_whole(path, b"")
            file = path.open("r+b", buffering=0)
        except FileExistsError as error:
            raise StorageError(
                f"{path} exists already; a recording is never overwritten. Choose another name."
            ) from error
        except OSError as error:
            raise refused(f"{path} cannot be created", error, path) from error
        return cls(path, file, header)

    def append(self, items: Sequence[Item]) -> None:
        """Take items; whole batches of them go to the file, the rest waits for `flush`."""
        for item in items:
            if not (self.last_ns or item.received_ns):
                self._early.append(item)
                continue
            if self._header is not None:
                self._begin(item.received_ns)
            self._add(item)
            if self._line_bytes >= PACKED_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write what waits as one zstd frame: all of it, or the file ends where it ended before."""
        if self._failure:
            raise StorageError(f"{self.path} can no longer be written: {self._failure}")
        if not self._lines:
            return
        data = self._compress(b"".join(self._lines))
        count, self._lines, self._line_bytes = len(self._lines), [], 0
        try:
            self._write(memoryview(data))
        except OSError as error:
            self._roll_back(explained(error))
            raise refused(str(self.path), error, self.path) from error
        self.size_bytes += len(data)
        self.line_count += count

    def sync(self) -> None:
        """Flush, and wait until it is on the disk."""
        self.flush()
        super().sync()

    def close(self) -> None:
        """Sync and close. After a failure nothing is added: what is in the file is whole."""
        if self._failure and not self._file.closed:
            with contextlib.suppress(OSError):
                sync_file(self._file.fileno())
        super().close()

    def _begin(self, received_ns: int) -> None:
        """The first clock that is known dates the first note, and what came before it."""
        assert self._header is not None
        header, self._header, self.first_ns = self._header, None, received_ns
        early, self._early = self._early, []
        for item in (Item(received_ns, header, 0, is_note=True), *early):
            self._add(item._replace(received_ns=received_ns))

    def _add(self, item: Item) -> None:
        self.last_ns = max(self.last_ns, item.received_ns)
        if item.is_note:
            line = b"%d %b\n" % (self.last_ns, item.text)
        else:
            line = raw_lines.line_of(self.last_ns, item.text)
        self._lines.append(line)
        self._line_bytes += len(line)

    def _roll_back(self, why: str) -> None:
        """Only once: whoever goes on after a full disk begins another file."""
        self._failure = why
        with contextlib.suppress(OSError):
            self._file.truncate(self.size_bytes)
            self._file.seek(self.size_bytes)


def cut_torn_tail(path: Path) -> int:
    """Cut a file that a crash left back to its last whole zstd frame; the bytes that were cut off."""
    whole = _whole_bytes(path)
    cut = path.stat().st_size - whole
    if cut:
        with path.open("r+b") as file:
            file.truncate(whole)
            sync_file(file.fileno())
    return cut


def _whole_bytes(path: Path) -> int:
    """Where the last whole zstd frame ends. Reads and checks the whole file."""
    whole = read = 0
    with path.open("rb") as file:
        frame = zstandard.ZstdDecompressor().decompressobj()
        data = b""
        while data or (data := file.read(PACKED_BYTES)):
            read = file.tell()
            try:
                frame.decompress(data)
            except zstandard.ZstdError:
                break
            data = frame.unused_data if frame.eof else b""
            if frame.eof:
                whole = read - len(data)
                frame = zstandard.ZstdDecompressor().decompressobj()
    return whole
