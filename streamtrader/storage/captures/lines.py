"""Captures of one frame a line: `<ns> <JSON>`, cryptofeed's older text, plain JSON lines, and one JSON document.

1723161255343937085 {"stream":"btcusdt@trade","data":{...}}              binance-raw; recordings of ours too
1618677817.061845: {"type":"snapshot",...}                               cryptofeed-text, unix seconds
wss://ws-feed.pro.coinbase.com <- 1618677817.020616: {...}               sent; `<->` opened; `->` a REST answer
{"channel":"book",...}                                                   json-lines: no clock at all
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from streamtrader.storage.captures.line import CaptureLine, Role, address_of, ns_of, ns_of_seconds

DOCUMENT_BYTES_MOST = 256 << 20


def read_ns_line(number: int, line: bytes) -> CaptureLine:
    """`<receive time in ns> <JSON>`."""
    clock, _, text = line.partition(b" ")
    received_ns = ns_of(clock)
    if not received_ns:
        return CaptureLine(number, 0, b"", "no receive time in nanoseconds at its start")
    text = text.strip()
    if not text.startswith((b"{", b"[")):
        return CaptureLine(number, 0, b"", "no JSON behind its receive time")
    return CaptureLine(number, received_ns, text)


def read_seconds_line(number: int, line: bytes) -> CaptureLine:
    """`<unix seconds>: <JSON>`, or what was opened, sent or asked for, with its address before an arrow."""
    head, mark, text = line.partition(b": ")
    if head.startswith((b"wss://", b"ws://", b"http")):
        url, _, rest = head.partition(b" ")
        arrow, _, clock = rest.partition(b" ")
        role = {b"<->": Role.CONNECT, b"->": Role.HTTP}.get(arrow, Role.ASIDE)
        return CaptureLine(number, ns_of_seconds(clock), text, role=role, url=address_of(url.decode(errors="replace")))
    received_ns = ns_of_seconds(head)
    if not received_ns:
        return CaptureLine(number, 0, b"", "no receive time in seconds at its start")
    if not mark or not text.startswith((b"{", b"[")):
        return CaptureLine(number, 0, b"", "no JSON behind its receive time")
    return CaptureLine(number, received_ns, text)


def read_json_line(number: int, line: bytes) -> CaptureLine:
    """A frame alone."""
    if not line.startswith((b"{", b"[")):
        return CaptureLine(number, 0, b"", "no JSON")
    return CaptureLine(number, 0, line)


def frames_of_document(text: bytes) -> Iterator[CaptureLine]:
    """The messages of one JSON document, in their order: its lists opened, an object that holds lists of objects too.

    Raises msgspec.MsgspecError, ValueError or RecursionError where it is no JSON.
    """
    for number, part in enumerate(_messages_in(text.strip()), start=1):
        yield CaptureLine(number, 0, part)


def _messages_in(part: bytes) -> Iterator[bytes]:
    if part.startswith(b"["):
        for element in msgspec.json.decode(part, type=list[msgspec.Raw]):
            yield from _messages_in(bytes(element))
        return
    values = [bytes(value) for value in msgspec.json.decode(part, type=dict[str, msgspec.Raw]).values()]
    if values and all(value.startswith((b"{", b"[")) for value in values):
        for value in values:  # {"init": {...}, "updates": [{...}, ...]}: a holder of messages
            yield from _messages_in(value)
    else:
        yield part
