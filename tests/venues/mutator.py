"""A grammar mutator: takes a frame apart at its tokens and puts something else there, as no honest venue would.

Deterministic for a `Random`, fast enough for millions, and blind to what a key means: so it serves every venue.
"""

from __future__ import annotations

import re
from random import Random

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null|[\[\]{},:]')
VALUES = (
    b"null", b"true", b"false", b"[]", b"{}", b'""', b"0", b"-0", b"-1", b"1", b"0.0", b"-0.0", b"1.5", b"1e308", b"1e-400",
    b"1e400", b"-1e400", b"NaN", b"Infinity", b"-Infinity", b'"NaN"', b'"nan"', b'"Infinity"', b'"-inf"', b'"-1"', b'"0"',
    b'"0.0"', b'"1e400"', b'"1e308"', b'" 1"', b'"1_000"', b'"0x10"', b'"1,5"', b'"\\ud800"', '"١٢٣"'.encode(), b"9" * 400,
    b'"' + b"9" * 400 + b'"', b"1" + b"0" * 5_000, b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808",
    b"18446744073709551616", b"4611686018427387904", b"1000000001", b'"10000000.1"', b'"1000000000001"', b"1e15", b"0.00000000000000000000001",
    b"[" * 50 + b"]" * 50, b'{"a":' * 50 + b"1" + b"}" * 50, b'[["1","1"]]', b'[["NaN","1"]]', b'[["1","-1"]]', b'[["0","1"]]',
    b'[["1e999","1"]]', b'[["1"]]', b'[["1","2","3","4","5"]]', b'"2026-08-02T03:35:51.660084Z"', b'"9999-12-31T23:59:59Z"',
    b'"0000-00-00T00:00:00Z"', b'"1960-01-01T00:00:00Z"', b'"2026-08-02T03:35:51.6600840000000000Z"', b'"snapshot"', b'"update"',
    b'"delta"', b'"buy"', b'"SELL"', b"[1]", b'{"1":1}',
)  # fmt: skip
TAILS = (b"", b"}", b"]", b",", b"\x00", b"\xff", b"{}", b" ", b"null", b'{"a":1}')


def mutated(frame: bytes, random: Random) -> bytes:
    """Some changes of the frame, one upon the other."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        frame = random.choice(CHANGES)(frame, random)
    return frame


def _spans(frame: bytes) -> list[tuple[int, int]]:
    return [match.span() for match in TOKEN.finditer(frame)]


def replace_token(frame: bytes, random: Random) -> bytes:
    spans = _spans(frame)
    if not spans:
        return frame
    start, stop = random.choice(spans)
    return frame[:start] + random.choice(VALUES) + frame[stop:]


def replace_value(frame: bytes, random: Random) -> bytes:
    """A number or a text becomes another one; the frame stays JSON."""
    spans = [
        (start, stop)
        for start, stop in _spans(frame)
        if frame[start] not in b"[]{},:" and frame[stop : stop + 1] != b":"
    ]
    if not spans:
        return frame
    start, stop = random.choice(spans)
    return frame[:start] + random.choice(VALUES) + frame[stop:]


def change_digit(frame: bytes, random: Random) -> bytes:
    """Another digit, a digit more or less, a point moved: values that may well be true."""
    places = [at for at, byte in enumerate(frame) if 48 <= byte <= 57 or byte == 46]
    if not places:
        return frame
    at = random.choice(places)
    new = random.choice((b"0", b"9", b"5", b"", b".", b"-", b"00", b"e5", b"%d" % random.randrange(10)))
    return frame[:at] + new + frame[at + 1 :]


def drop_token(frame: bytes, random: Random) -> bytes:
    spans = _spans(frame)
    if not spans:
        return frame
    start, stop = random.choice(spans)
    return frame[:start] + frame[stop:]


def repeat_part(frame: bytes, random: Random) -> bytes:
    """Two places of a token sequence: what lies between comes twice, as duplicate keys and levels do."""
    spans = _spans(frame)
    if len(spans) < 2:
        return frame
    (start, _), (_, stop) = sorted(random.sample(spans, 2))
    return frame[:stop] + random.choice((b",", b"")) + frame[start:stop] + frame[stop:]


def swap_tokens(frame: bytes, random: Random) -> bytes:
    spans = _spans(frame)
    if len(spans) < 2:
        return frame
    (a, b), (c, d) = sorted(random.sample(spans, 2))
    return frame[:a] + frame[c:d] + frame[b:c] + frame[a:b] + frame[d:]


def flip_bytes(frame: bytes, random: Random) -> bytes:
    if not frame:
        return frame
    changed = bytearray(frame)
    for _ in range(random.randint(1, 4)):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def cut(frame: bytes, random: Random) -> bytes:
    return frame[: random.randint(0, len(frame))] + random.choice(TAILS)


CHANGES = (
    replace_token, replace_value, replace_value, replace_value, change_digit, change_digit, drop_token, repeat_part,
    swap_tokens, flip_bytes, cut,
)  # fmt: skip
