"""The hot path of the adapter: one trade, aggTrade, bookTicker or depth frame to rows of the ring, no object made.

Plain functions over bytes; `kernel.compiler` turns them into machine code, uncompiled they do the same. The
scanner knows exactly the frames that the venue sends today, key by key. It refuses everything else (another order
of keys, an exponent, a sign, more than 15 digits, a price of zero, bytes left over) by answering `HANDED_OVER`,
and the slow path in `messages.py` decides what the frame is. So the scanner never rejects and never counts errors.
Since 2026 frames of USD-M carry the pair behind the symbol (`ps`) and the type of the symbol at their end (`st`);
older captures do not.

How the steps chain with `at`, and what -1 means, is told in `venues/tokens.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from streamtrader.events import ASK, BID, EVENT, MORE, Kind
from streamtrader.venues.binance.listed import QUOTE_MARK, find_slot, symbol, table_of
from streamtrader.venues.books import EXPECTED, HEARD, NEWEST, PLACE_WORDS
from streamtrader.venues.tokens import (
    STAMP_BYTES,
    above_zero,
    after,
    decimal,
    integer,
    literal,
    milliseconds,
    stamp,
)

HANDED_OVER, COMMITTED, DEPTH = 0, 1, 2  # what `scan` answers; a depth message of n rows answers DEPTH + n
JUDGE = -1  # what `scan_read` answers when it is time to look for books that fell silent

# What `scan` leaves in the header: of a depth message, then its running counts. What `scan_read` keeps there: how far
# it is, in frames, in bytes and in rows, and when to look for silent books.
INSTRUMENT, AFTER, LAST, RECEIVED, TRADES, QUOTES, FRAMES, LEVELS, DONE, AT, SEQUENCE, JUDGE_AT = range(12)
HEADER_WORDS = 12

ROW_BYTES_MIN = 5  # [1,1] is the shortest level that the slow path takes

TRADE, QUOTE, BOOK = int(Kind.TRADE), int(Kind.QUOTE), int(Kind.BOOK)

OPENING = literal('{"stream":"')
AT_TRADE = literal('trade","data":{"e":"trade","E":')
AT_AGGREGATE = literal('aggTrade","data":{"e":"aggTrade","E":')
AT_TICKER = literal('bookTicker","data":{')
AT_DEPTH, AT_SIGN, PACE_UNIT = literal("depth"), literal("@"), literal("ms")
DEPTH_DATA = literal('","data":{"e":"depthUpdate","E":')
TICKER_EVENT = literal('"e":"bookTicker",')
KEY_T, KEY_E, KEY_U, KEY_FIRST = literal(',"T":'), literal(',"E":'), literal('"u":'), literal(',"U":')
KEY_LAST, KEY_PREVIOUS, KEY_ID = literal(',"u":'), literal(',"pu":'), literal(',"t":')
KEY_SYMBOL, KEY_PAIR, KEY_KIND = literal(',"s":"'), literal(',"ps":"'), literal(',"st":')
KEY_PRICE, KEY_SIZE, KEY_NORMAL = literal(',"p":"'), literal('","q":"'), literal(',"nq":"')
KEY_AGGREGATE, KEY_EARLIEST, KEY_LATEST = literal(',"a":'), literal(',"f":'), literal(',"l":')
KEY_BID, KEY_BID_SIZE = literal(',"b":"'), literal('","B":"')
KEY_ASK, KEY_ASK_SIZE = literal('","a":"'), literal('","A":"')
KEY_BIDS, KEY_ASKS = literal(',"b":['), literal(',"a":[')
KEY_TYPE, KEY_MAKER, KEY_LAST_FLAG = literal(',"X":"'), literal(',"m":'), literal(',"M":')
MARKET_MAKER = literal('MARKET","m":')
TRUE, FALSE = literal("true"), literal("false")
LEVEL_OPEN, LEVEL_MIDDLE, LEVEL_CLOSE, COMMA = literal('["'), literal('","'), literal('"]'), literal(",")
CLOSE_LIST, CLOSE_DATA = literal("]"), literal("}")


def scan_read(
    text: Any, lengths: Any, count: int, events: Any, sequence: int, end: int, received_ns: int, table: Any, places: Any,
    header: Any,
) -> int:  # fmt: skip
    """Scan the frames of one read, which lie in `text` end to end, until one needs more than this knows.

    It writes rows from `sequence` on, before `end`. `lengths` says where frames end, if there are several. Trades and
    quotes are committed, and depth that follows the last update of its book, which `places` tells. It answers
    COMMITTED when all `count` are taken, else what `scan` said of the frame that it stands at; JUDGE, behind the first
    frame whose clock has reached `JUDGE_AT`: silence is judged between the same two frames however they came.
    """
    mask = len(events) - 1
    done, at, code = header[DONE], header[AT], COMMITTED
    while done < count and code == COMMITTED:
        length = lengths[done] if count > 1 else len(text)
        frame = text[at : at + length]
        code = scan(frame, length, events, sequence, end - sequence, received_ns, table, header)
        clock_ns = header[RECEIVED]
        if code == COMMITTED:
            clock_ns = events[sequence & mask]["received_ns"]
            sequence += 1
        elif code >= DEPTH:
            place = places[header[INSTRUMENT]]
            if place[EXPECTED] == header[AFTER]:
                place[NEWEST], place[EXPECTED], place[HEARD] = header[LAST], header[LAST], clock_ns
                sequence += code - DEPTH
                header[LEVELS] += code - DEPTH
                code = COMMITTED
        if code == COMMITTED:
            at += length
            done += 1
            if clock_ns >= header[JUDGE_AT]:
                header[RECEIVED] = clock_ns
                code = JUDGE
    header[DONE], header[AT], header[SEQUENCE] = done, at, sequence
    return code


def scan(
    frame: Any, length: int, events: Any, sequence: int, room: int, received_ns: int, table: Any, header: Any
) -> int:
    """Write the rows of one frame from `sequence` on; a `received_ns` of 0 asks for the frame's own stamp."""
    header[FRAMES] += 1
    stop = length - 1
    if room < 1 or length < STAMP_BYTES or frame[stop] != 125:
        return HANDED_OVER
    if received_ns == 0:
        received_ns, stop = stamp(frame, length)
    slot, at = find_slot(frame, after(frame, 0, stop, OPENING), stop, table)
    if received_ns <= 0 or at < 0 or at >= stop:
        return HANDED_OVER
    listed = table[slot]
    if frame[at] == 116:
        return scan_trade(frame, at, stop, events, sequence, received_ns, listed, header)
    if frame[at] == 97:
        return scan_aggregate(frame, at, stop, events, sequence, received_ns, listed, header)
    if frame[at] == 98:
        return scan_ticker(frame, at, stop, events, sequence, received_ns, listed, header)
    return scan_depth(frame, at, stop, events, sequence, room, received_ns, listed, header)


def scan_trade(
    frame: Any, at: int, stop: int, events: Any, sequence: int, received_ns: int, listed: Any, header: Any
) -> int:
    """One trade: `m` says that the buyer was the maker, so that the seller came to the market."""
    _, at = milliseconds(frame, after(frame, at, stop, AT_TRADE))
    early_ns, early = milliseconds(frame, after(frame, at, stop, KEY_T))  # USD-M has T before s
    at = symbol(frame, max(at, early), stop, KEY_SYMBOL, listed)
    identity, at = integer(frame, after(frame, at, stop, KEY_ID))
    price, size, at = price_and_size(frame, at, stop, listed)
    if early >= 0:
        venue_ns = early_ns
        at = after(frame, after(frame, at, stop, KEY_TYPE), stop, MARKET_MAKER)
    else:
        venue_ns, at = milliseconds(frame, after(frame, at, stop, KEY_T))
        at = after(frame, at, stop, KEY_MAKER)
    side, at = aggressor(frame, at, stop)
    if at != stop:
        return HANDED_OVER
    listed["has_trades"] = 1
    return put_trade(events, sequence, venue_ns, received_ns, price, size, identity, side, listed, header)


def scan_aggregate(
    frame: Any, at: int, stop: int, events: Any, sequence: int, received_ns: int, listed: Any, header: Any
) -> int:
    """The trades of one taker at one price as one trade; of a symbol whose single trades come it is told already."""
    _, at = milliseconds(frame, after(frame, at, stop, AT_AGGREGATE))
    early_id, early = integer(frame, after(frame, at, stop, KEY_AGGREGATE))  # USD-M has a before s
    at = symbol(frame, max(at, early), stop, KEY_SYMBOL, listed)
    identity, late = integer(frame, after(frame, at, stop, KEY_AGGREGATE))
    if early >= 0:
        identity, late = early_id, at
    price, size, at = price_and_size(frame, late, stop, listed)
    _, normal = decimal(frame, after(frame, at, stop, KEY_NORMAL))  # without orders of retail programmes
    at = max(at, after(frame, normal, stop, QUOTE_MARK))
    _, at = integer(frame, after(frame, at, stop, KEY_EARLIEST))
    _, at = integer(frame, after(frame, at, stop, KEY_LATEST))
    venue_ns, at = milliseconds(frame, after(frame, at, stop, KEY_T))
    side, at = aggressor(frame, after(frame, at, stop, KEY_MAKER), stop)
    if at != stop or listed["has_trades"]:
        return HANDED_OVER
    return put_trade(events, sequence, venue_ns, received_ns, price, size, identity, side, listed, header)


def price_and_size(frame: Any, at: int, stop: int, listed: Any) -> tuple[float, float, int]:
    """`,"p":"61837.63","q":"0.02"` of a trade, and the place after it."""
    price, at = decimal(frame, after(frame, at, stop, KEY_PRICE))
    size, at = decimal(frame, after(frame, above_zero(price, listed["price_most"], at), stop, KEY_SIZE))
    return price, size, after(frame, above_zero(size, listed["size_most"], at), stop, QUOTE_MARK)


def aggressor(frame: Any, at: int, stop: int) -> tuple[int, int]:
    """The taker's side from the flag that the buyer was the maker; `stop` when all that follows is known."""
    sold = after(frame, at, stop, TRUE)
    at = max(sold, after(frame, at, stop, FALSE))
    flag = after(frame, at, stop, KEY_LAST_FLAG)  # spot
    at = max(at, after(frame, flag, stop, TRUE), after(frame, flag, stop, FALSE))
    return (1 if sold >= 0 else 0), ending(frame, at, stop)


def ending(frame: Any, at: int, stop: int) -> int:
    """`stop`, when the data ends here, with or without the type of the symbol that USD-M tells."""
    _, told = integer(frame, after(frame, at, stop, KEY_KIND))
    return after(frame, max(at, told), stop, CLOSE_DATA)


def put_trade(
    events: Any, sequence: int, venue_ns: int, received_ns: int, price: float, size: float, identity: int, side: int,
    listed: Any, header: Any,
) -> int:  # fmt: skip
    event = events[sequence & (len(events) - 1)]
    event["venue_ns"], event["received_ns"] = venue_ns, received_ns
    event["a"], event["b"], event["c"], event["d"] = price, size, 0.0, 0.0
    event["id"], event["instrument"], event["kind"] = identity, listed["instrument"], TRADE
    event["side"], event["flags"] = side, 0
    header[TRADES] += 1
    return COMMITTED


def scan_ticker(
    frame: Any, at: int, stop: int, events: Any, sequence: int, received_ns: int, listed: Any, header: Any
) -> int:
    """One best bid and offer; spot sends no clock with it."""
    at = after(frame, at, stop, AT_TICKER)
    dated = after(frame, at, stop, TICKER_EVENT)
    update, at = integer(frame, after(frame, max(at, dated), stop, KEY_U))
    at = symbol(frame, at, stop, KEY_SYMBOL, listed)
    at = max(at, symbol(frame, at, stop, KEY_PAIR, listed))
    price_most, size_most = listed["price_most"], listed["size_most"]
    bid, at = decimal(frame, after(frame, at, stop, KEY_BID))
    bid_size, at = decimal(frame, after(frame, above_zero(bid, price_most, at), stop, KEY_BID_SIZE))
    ask, at = decimal(frame, after(frame, above_zero(bid_size, size_most, at), stop, KEY_ASK))
    ask_size, at = decimal(frame, after(frame, above_zero(ask, price_most, at), stop, KEY_ASK_SIZE))
    at = after(frame, above_zero(ask_size, size_most, at), stop, QUOTE_MARK)
    venue_ns = 0
    if dated >= 0:
        venue_ns, at = milliseconds(frame, after(frame, at, stop, KEY_T))
        _, at = milliseconds(frame, after(frame, at, stop, KEY_E))
    if ending(frame, at, stop) != stop:
        return HANDED_OVER
    event = events[sequence & (len(events) - 1)]
    event["venue_ns"], event["received_ns"] = venue_ns, received_ns
    event["a"], event["b"], event["c"], event["d"] = bid, bid_size, ask, ask_size
    event["id"], event["instrument"], event["kind"] = update, listed["instrument"], QUOTE
    event["side"], event["flags"] = 0, 0
    header[QUOTES] += 1
    return COMMITTED


def scan_depth(
    frame: Any, at: int, stop: int, events: Any, sequence: int, room: int, received_ns: int, listed: Any, header: Any
) -> int:
    """One depth message: its rows are written, but whoever keeps the sequence commits them."""
    at = after(frame, at, stop, AT_DEPTH)
    if at < 0:
        return HANDED_OVER
    _, pace = integer(frame, after(frame, at, stop, AT_SIGN))  # depth@100ms, or depth alone
    at = max(at, after(frame, pace, stop, PACE_UNIT))
    venue_ns, at = milliseconds(frame, after(frame, at, stop, DEPTH_DATA))
    traded_ns, late = milliseconds(frame, after(frame, at, stop, KEY_T))  # USD-M only
    at = symbol(frame, max(at, late), stop, KEY_SYMBOL, listed)
    at = max(at, symbol(frame, at, stop, KEY_PAIR, listed))
    first, at = integer(frame, after(frame, at, stop, KEY_FIRST))
    last, at = integer(frame, after(frame, at, stop, KEY_LAST))
    known = first - 1
    if late >= 0:
        venue_ns = traded_ns
        known, at = integer(frame, after(frame, at, stop, KEY_PREVIOUS))
    if at < 0 or first > last or known >= last or first == 0:
        return HANDED_OVER
    at = after(frame, at, stop, KEY_BIDS)
    at, rows = levels(frame, at, stop, events, sequence, room, listed, BID, 0)
    at = after(frame, at, stop, KEY_ASKS)
    at, rows = levels(frame, at, stop, events, sequence, room, listed, ASK, rows)
    if ending(frame, at, stop) != stop:
        return HANDED_OVER
    mask = len(events) - 1
    for row in range(rows):
        event = events[(sequence + row) & mask]
        event["venue_ns"], event["received_ns"], event["id"] = venue_ns, received_ns, last
        event["instrument"] = listed["instrument"]
        event["flags"] = MORE if row < rows - 1 else 0
    header[INSTRUMENT], header[AFTER] = listed["instrument"], known
    header[LAST], header[RECEIVED] = last, received_ns
    return DEPTH + rows


def levels(
    frame: Any, at: int, stop: int, events: Any, sequence: int, room: int, listed: Any, side: int, rows: int
) -> tuple[int, int]:
    """The levels of one side; the place after the closing bracket and the number of rows by now."""
    if after(frame, at, stop, CLOSE_LIST) >= 0:
        return at + 1, rows
    mask, price_most, size_most = len(events) - 1, listed["price_most"], listed["size_most"]
    while at >= 0 and rows < room:
        price, at = decimal(frame, after(frame, at, stop, LEVEL_OPEN))
        size, at = decimal(frame, after(frame, above_zero(price, price_most, at), stop, LEVEL_MIDDLE))
        at = after(frame, at, stop, LEVEL_CLOSE)
        if at < 0 or size > size_most:
            return -1, rows
        event = events[(sequence + rows) & mask]
        event["a"], event["b"], event["c"], event["d"] = price, size, 0.0, 0.0
        event["kind"], event["side"] = BOOK, side
        rows += 1
        if after(frame, at, stop, COMMA) < 0:
            return after(frame, at, stop, CLOSE_LIST), rows
        at += 1
    return -1, rows


Scanner = Callable[..., int]


@functools.cache
def compiled_scanner(*, cache: bool = False) -> Scanner:
    """`scan_read` as machine code; the first call of a process compiles it, or loads it from the kernel's cache."""
    from streamtrader.kernel.compiler import entry_point, inlined

    for step in (decimal, above_zero):  # a sixth faster for depth, no slower to compile
        inlined(step)
    text, lengths = b'{"stream":"", no frame at all}', np.zeros(0, np.int64)
    header, places = np.zeros(HEADER_WORDS, np.int64), np.zeros((1, PLACE_WORDS), np.int64)
    return entry_point(
        scan_read, text, lengths, 1, np.zeros(2, EVENT), 0, 2, 1, table_of(()), places, header, cache=cache
    )  # fmt: skip
