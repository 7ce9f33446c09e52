"""The lines of a raw recording: `<received ns> <JSON>`, each frame as it came in, and what happened around the frames.

    1723161255342000000 {"streamtrader":"frames","schema":1,"channels":["trade"],"instruments":[...]}
    1723161255342000000 {"streamtrader":"connected","received_ns":0}
    1723161255342000000 {"stream":"btcusdt@trade","data":{...}}
    1723161255355000000 {"streamtrader":"answer","received_ns":1723161255355000000,"symbol":"BTCUSDT","path":"/api/...","status":200,"has_body":true}
    1723161255355000000 {"lastUpdateId":50093239218,"bids":[...],"asks":[...]}
    1723161255360000000 {"streamtrader":"base64","data":"gqFU..."}
    1723161255370000000 {"streamtrader":"disconnected","received_ns":1723161255370000000}

Frames and answers are what any reader of such captures knows. Lines with the key `streamtrader` first are notes: with
them an import makes the same calls to the adapter as the session did, and so writes the same tape. A `received_ns`
within a note is the clock that the adapter was given, 0 while a stamped market's clock was not known yet. The body of
an answer is the next line. Bytes that are no single line of JSON (msgpack, a line break between tokens) are kept in
base64. Where a link is replaced at a venue that numbers nothing, two speak for a while: a note `link` tells which of them
the frames behind it came from, `left` that one has ended. A note `renewed` tells that the engine began a book anew. A note
`lost` tells that the disk could not keep up, and how many frames are missing before it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import orjson

from streamtrader.errors import MarketFileError, StreamTraderError
from streamtrader.instruments import Instrument

SCHEMA = 1
_STAMP = re.compile(rb',"ns":([1-9]\d{18})(\}\]?)\Z')  # the last key of a frame, or of its last element
STAMP_TAIL_BYTES = 27
Clock = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
NOTE_HEAD = b'{"streamtrader":'
FRAMES, CONNECTED, DISCONNECTED, LINK, LEFT, ANSWER, RENEWED, BASE64, LOST = (
    "frames", "connected", "disconnected", "link", "left", "answer", "renewed", "base64", "lost",
)  # fmt: skip


def line_of(received_ns: int, text: bytes) -> bytes:
    """One line with its end. What would not survive being a line is wrapped; nothing is altered."""
    is_line = text[:1] in (b"{", b"[") and text[-1:] in (b"}", b"]") and b"\n" not in text and b"\r" not in text
    if not is_line or text.startswith(NOTE_HEAD):
        text = note_text(BASE64, data=base64.b64encode(text).decode())
    return b"%d %b\n" % (received_ns, text)


def unstamped(frame: bytes) -> tuple[bytes, int]:
    """A stamped frame as the market had it, and its stamp; 0 where there is none.

    >>> unstamped(b'{"stream":"x","data":{},"ns":1723161255342000000}')
    (b'{"stream":"x","data":{}}', 1723161255342000000)
    >>> unstamped(b'[{"T":"t","ns":1723161255342000000}]')
    (b'[{"T":"t"}]', 1723161255342000000)
    """
    found = _STAMP.search(frame, max(0, len(frame) - STAMP_TAIL_BYTES))
    return (frame, 0) if found is None else (frame[: found.start()] + found[2], int(found[1]))


def note_text(kind: str, **values: Any) -> bytes:
    """A note as JSON; its kind comes first."""
    return orjson.dumps({"streamtrader": kind} | values)


def header_text(instruments: Sequence[Instrument], channels: Sequence[str]) -> bytes:
    """The first note of a file: the instruments, with the venue's own ticks and lots, and what was subscribed to."""
    listed = [instrument.as_dict() for instrument in instruments]
    return note_text(FRAMES, schema=SCHEMA, channels=list(channels), instruments=listed)


def note_of(text: bytes) -> Note | None:
    """The note that a line's text is, or None for what the venue sent.

    Raises MarketFileError for a note that cannot be read, or that a newer streamtrader wrote.
    """
    if not text.startswith(NOTE_HEAD):
        return None
    try:
        note = _note_of(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MarketFileError(f"a note of a raw recording is damaged: {error}") from error
    if note.schema > SCHEMA:
        raise MarketFileError(
            "this raw recording was written by a newer streamtrader; update streamtrader to read it"
        )
    return note


class Note(msgspec.Struct, gc=False):
    """What a note can say; which of it, its `kind` tells."""

    kind: str = msgspec.field(name="streamtrader")
    schema: int = SCHEMA
    received_ns: Clock = 0
    symbol: str = ""
    path: str = ""
    status: int = 0
    has_body: bool = False
    data: str = ""
    frames: int = 0
    link: Annotated[int, msgspec.Meta(ge=0)] = 0
    heir: Annotated[int, msgspec.Meta(ge=0)] = 0
    channels: list[str] = []
    listed: list[dict[str, Any]] = msgspec.field(name="instruments", default_factory=list)

    def content(self) -> bytes:
        """The bytes that a `base64` note holds."""
        try:
            return base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise MarketFileError(f"a frame of a raw recording is no base64: {error}") from error

    def instruments(self) -> tuple[Instrument, ...]:
        """Those of the first note of a file."""
        try:
            return tuple(Instrument.from_dict(values) for values in self.listed)
        except (TypeError, ValueError, ArithmeticError, StreamTraderError) as error:
            raise MarketFileError(f"the first note of a raw recording is damaged: {error!r}") from error


_note_of = msgspec.json.Decoder(Note).decode
