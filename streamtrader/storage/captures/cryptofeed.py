"""cryptofeed's captures, format 2: JSON lines with a kind, a connection, unix seconds, and the text as it came.

    {"t":"header","format":2,"exchange":"BYBIT",...}
    {"t":"http","conn":"BYBIT.http.1","ts":1786310817.601629,"url":"https://...","data":"..."}
    {"t":"connect","conn":"BYBIT.ws.2","ts":1786310818.2235148,"addr":"wss://stream.bybit.com/v5/public/linear"}
    {"t":"send"|"recv","conn":"BYBIT.ws.2","ts":...,"data":"..."}

The writer puts each connection's entries in order, but one connection behind the other: the file is held in memory
and given out by its clocks. Connections of one file may share names of symbols (spot and linear BTCUSDT).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streamtrader.errors import MarketFileError
from streamtrader.storage.captures.line import CaptureLine, Role, address_of, ns_of_seconds

HEAD = b'{"t":"header"'
BYTES_MOST = 2 << 30
_ROLES = {"recv": Role.FRAME, "http": Role.HTTP, "connect": Role.CONNECT, "send": Role.ASIDE, "header": Role.ASIDE}


class _Entry(msgspec.Struct, gc=False):
    t: str
    ts: msgspec.Raw = msgspec.Raw(b"0")
    conn: str = ""
    data: str = ""
    url: str = ""
    addr: str = ""


_entry_of = msgspec.json.Decoder(_Entry).decode


def read_cryptofeed(lines: Iterable[tuple[int, bytes]]) -> list[CaptureLine]:
    """All entries of numbered lines, by their clocks; those of one instant stay in the order of the file."""
    entries, held_bytes = [], 0
    for number, line in lines:
        entry = _read(number, line)
        held_bytes += len(entry.text)
        if held_bytes > BYTES_MOST:
            raise MarketFileError(f"a cryptofeed capture of more than {BYTES_MOST >> 30} GiB: split it by hours.")
        entries.append(entry)
    addresses = {entry.connection: entry.url for entry in entries if entry.role is Role.CONNECT}
    for index, entry in enumerate(entries):
        if entry.role is Role.FRAME and entry.connection in addresses:
            entries[index] = entry._replace(url=addresses[entry.connection])
    return sorted(entries, key=lambda entry: entry.received_ns)


def _read(number: int, line: bytes) -> CaptureLine:
    try:
        entry = _entry_of(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return CaptureLine(number, 0, b"", f"no entry of a cryptofeed capture ({error})")
    role = _ROLES.get(entry.t, Role.ASIDE)
    received_ns = ns_of_seconds(bytes(entry.ts))
    if role is not Role.ASIDE and not received_ns:
        return CaptureLine(number, 0, b"", "no receive time in seconds")
    return CaptureLine(number, received_ns, entry.data.encode(), "", entry.conn, role, address_of(entry.url or entry.addr))
