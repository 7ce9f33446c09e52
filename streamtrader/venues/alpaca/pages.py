"""The pages of Alpaca's REST interface: what they hold, and the token that leads on. Pure functions over bytes.

    {"trades":{"AAPL":[{"t":"2021-10-13T08:00:00.08960768Z","x":"P","p":140.2,"s":595,"c":["@","T"],"i":1,"z":"C"}]},
     "next_page_token":"QUFQTHwyMDIxLTEwLTEzVDA4..."}
    {"quotes":{"IBM":[{"t":"2021-10-04T18:00:14.012577217Z","ax":"N","ap":143.71,"as":2,"bx":"H","bp":143.68,"bs":1}]},...}
    {"bars":{"BTC/USD":[{"t":"2021-11-11T11:11:00Z","o":1,"h":1,"l":1,"c":1,"v":3.67,"n":10,"vw":1}]},"next_page_token":null}

A trade that was cancelled, or that a later one corrects, carries `u` ("canceled", "incorrect") and did not happen;
"corrected" is what counts instead. Rows are as the stream tells them (`rows`): what counts in `c`, the exchange in
`d`, sizes in shares.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
import numpy as np

from streamtrader.errors import BadMessage, ConfigError, LinkLost
from streamtrader.events import EVENT, Kind
from streamtrader.instruments import BELIEVED
from streamtrader.venues.alpaca import markets
from streamtrader.venues.alpaca.conditions import TOLD_ONLY, VOLUME_ONLY, effect_of
from streamtrader.venues.alpaca.messages import ID_MOST, SIDES, exchange_code
from streamtrader.venues.history import Rows, trade_rows
from streamtrader.venues.values import decoder, nanoseconds_of

NEVER_WERE = ("canceled", "incorrect")
Row = TypeVar("Row")


class Trade(msgspec.Struct, gc=False):
    t: str
    p: float
    s: float
    i: int = 0
    x: str = ""
    c: list[str] | None = None
    z: str | None = ""
    u: str = ""
    tks: str = ""


class Quote(msgspec.Struct, gc=False):
    t: str
    bp: float
    bs: float
    ap: float
    ask_size: float = msgspec.field(name="as")


class Bar(msgspec.Struct, gc=False):
    t: str
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float


class _Answer(msgspec.Struct, gc=False):
    trades: dict[str, list[Trade]] | None = None
    quotes: dict[str, list[Quote]] | None = None
    bars: dict[str, list[Bar]] | None = None
    next_page_token: str | None = None
    message: str = ""


_answer_of = decoder(_Answer)


def trades_of(body: bytes, symbol: str) -> tuple[list[Trade], str]:
    """The trades of a page that stand, and the token of the next one; "" where there is none."""
    answer = _checked(body)
    return [trade for trade in _of(answer.trades, symbol) if trade.u not in NEVER_WERE], answer.next_page_token or ""


def bars_of(body: bytes, symbol: str) -> tuple[list[Bar], str]:
    answer = _checked(body)
    return _of(answer.bars, symbol), answer.next_page_token or ""


def quotes_of(body: bytes, symbol: str) -> tuple[Rows, str, int]:
    """QUOTE rows of instrument 0 in shares, the token of the next page, and how many had no two sides."""
    answer = _checked(body)
    told = _of(answer.quotes, symbol)
    rows = np.zeros(len(told), EVENT)
    rows["kind"] = Kind.QUOTE
    rows["venue_ns"] = rows["received_ns"] = [nanoseconds_of(each.t) for each in told]
    for word, name in zip("abcd", ("bp", "bs", "ap", "ask_size"), strict=True):
        rows[word] = [getattr(each, name) for each in told]
    if not markets.is_crypto(symbol):
        lots = np.where(rows["venue_ns"] < markets.SHARES_SINCE_NS, markets.ROUND_LOT, 1.0)
        rows["b"] *= lots
        rows["d"] *= lots
    sides = zip("abcd", BELIEVED * 2, strict=True)
    true = np.all([(rows[word] > 0) & (rows[word] <= most) for word, most in sides], axis=0)
    return rows[true], answer.next_page_token or "", int(len(rows) - np.count_nonzero(true))


def trade_rows_of(trades: list[Trade], last_price: float, last_side: int) -> tuple[Rows, int, float, int]:
    """TRADE rows of instrument 0, how many trades cannot be true, and what the tick rule knows behind them."""
    kept: list[tuple[int, int, float, float, int]] = []
    words: list[tuple[float, float]] = []
    rejected = 0
    for trade in trades:
        effect, venue_ns = effect_of(trade.c or (), trade.z or ""), nanoseconds_of(trade.t)
        is_true = 0.0 < trade.p <= BELIEVED.price and 0.0 < trade.s <= BELIEVED.size and 0 <= trade.i < ID_MOST and venue_ns > 0
        if not is_true or effect == TOLD_ONLY:
            rejected += not is_true
            continue
        side = SIDES.get(trade.tks, -1)
        if side < 0:
            side = int(trade.p < last_price) if last_price and trade.p != last_price else last_side
        if effect != VOLUME_ONLY:
            last_price, last_side = trade.p, side
        kept.append((trade.i, venue_ns, trade.p, trade.s, side))
        words.append((float(effect), exchange_code(trade.x)))
    rows, _ = trade_rows(*zip(*kept, strict=True)) if kept else (np.zeros(0, EVENT), 0)
    rows["c"], rows["d"] = np.array(words, np.float64).reshape(-1, 2).T
    return rows, rejected, last_price, last_side


def _checked(body: bytes) -> _Answer:
    answer = _answer_of(body)
    if answer.message:
        text = answer.message[:200]
        if "too many requests" in text.lower():
            raise LinkLost(f"alpaca: {text}", status=429)
        raise ConfigError(f"alpaca: {text}")
    return answer


def _of(listed: dict[str, list[Row]] | None, symbol: str) -> list[Row]:
    """A page may hold nothing of the symbol; it never holds another one, which was not asked for."""
    if listed is not None and set(listed) - {symbol}:
        raise BadMessage(f"alpaca: a page of {', '.join(sorted(listed))[:80]} instead of {symbol}")
    return (listed or {}).get(symbol) or []
