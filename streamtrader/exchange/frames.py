"""Wire encoding: websocket frames of a server (unmasked, RFC 6455 5.2) and the texts of the venue's messages.

Many frames are joined into one write. `send_str` of the web framework costs 8 us a frame, this 0.4 us: at the
speed "max" the server is otherwise the slowest part of every session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamtrader.exchange.market import Frame

_TEXT, _PING = 0x81, 0x89  # final fragment, opcode 1 and 9
_TWO_BYTES, _EIGHT_BYTES = 126, 127
_SHORT = [
    bytes((_TEXT, length)) if length < _TWO_BYTES else bytes((_TEXT, _TWO_BYTES)) + length.to_bytes(2)
    for length in range(2048)
]


def text_header(length: int) -> bytes:
    """The header of an unmasked text frame of that many bytes."""
    if length < len(_SHORT):
        return _SHORT[length]
    if length < 1 << 16:
        return bytes((_TEXT, _TWO_BYTES)) + length.to_bytes(2)
    return bytes((_TEXT, _EIGHT_BYTES)) + length.to_bytes(8)


def text_frame(payload: bytes) -> bytes:
    return text_header(len(payload)) + payload


def ping_frame(payload: bytes) -> bytes:
    """A ping; its payload is below 126 bytes."""
    return bytes((_PING, len(payload))) + payload


def encoded(frames: Iterable[Frame], *, is_stamped: bool, is_combined: bool) -> bytes:
    """The frames as websocket frames, ready to be written.

    A stamp is the last key of the combined form, so that a client reads it at a fixed distance from the end.
    """
    parts: list[bytes] = []
    add = parts.append
    short, short_length = _SHORT, len(_SHORT)
    for stamp_ns, channel, text in frames:
        if not is_combined:
            payload = _data_of(channel.stream, text)
        elif is_stamped:
            payload = b'%b,"ns":%d}' % (text[:-1], stamp_ns)
        else:
            payload = text
        length = len(payload)
        add(short[length] if length < short_length else text_header(length))
        add(payload)
    return b"".join(parts)


def _data_of(stream: str, text: bytes) -> bytes:
    """The inner object of a combined frame, cut out rather than parsed so that its text stays untouched."""
    head = b'{"stream":"%b","data":' % stream.encode()
    if text.startswith(head):
        return text[len(head) : -1]
    return text[text.index(b'"data":') + len(b'"data":') : -1].strip()


def combined(stream: str, data: str) -> bytes:
    return f'{{"stream":"{stream}","data":{data}}}'.encode()


def levels_text(levels: Sequence[tuple[str, str]]) -> str:
    return "[" + ",".join([f'["{price}","{size}"]' for price, size in levels]) + "]"
