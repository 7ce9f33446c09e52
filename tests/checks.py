"""The batteries that every extension of a kind must pass. To add an indicator, add one line to `INDICATORS`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from streamtrader.indicators import (
    Atr,
    Diffusion,
    Ema,
    Indicator,
    Microprice,
    OrderFlowImbalance,
    RealizedVolatility,
    Rsi,
    SessionVwap,
    Sma,
    WilderAverage,
    ZScore,
)
from streamtrader.kernel.account import Account
from streamtrader.kernel.compiler import compiled
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Order
from streamtrader.kernel.record import boxed
from streamtrader.kernel.seat import Seat
from streamtrader.kernel.table import refuses
from streamtrader.simulator.venue import SimulatedVenue
from tests import naive

TICK = 0.01


class Feed(NamedTuple):
    """What an indicator is fed: `rows(count, seed)` makes inputs, `play(box, rows, answers)` feeds them."""

    rows: Callable[[int, int], Any]
    play: Callable[[Any, Any, Any], None]


class Registered(NamedTuple):
    cls: type[Indicator]
    arguments: dict[str, Any]
    feed: Feed
    twin: Callable[..., float]


def walk(count, seed):
    """A price that moves by ticks, often not at all."""
    steps = np.random.default_rng(seed).integers(-3, 4, count)
    return (np.abs(np.cumsum(steps)) + 10_000) * TICK


def price_rows(count, seed):
    return walk(count, seed).reshape(-1, 1)


def candle_rows(count, seed):
    close = walk(count, seed)
    reach = np.random.default_rng(seed + 1).integers(0, 4, (count, 2)) * TICK
    return np.stack([close + reach[:, 0], close - reach[:, 1], close], axis=1)


def trade_rows(count, seed):
    """Price, size, and a clock that passes a day about every 20 trades."""
    generator = np.random.default_rng(seed + 2)
    now_ns = np.cumsum(generator.integers(0, naive.NS_PER_DAY // 10, count))
    rows = np.zeros(count, [("price", "f8"), ("size", "f8"), ("now_ns", "i8")])
    rows["price"], rows["size"], rows["now_ns"] = walk(count, seed), generator.integers(0, 50, count) / 8, now_ns
    return rows


def quote_rows(count, seed):
    generator = np.random.default_rng(seed + 3)
    bid, spread = walk(count, seed), generator.integers(1, 4, count) * TICK
    sizes = generator.integers(0, 5, (count, 2)) / 4
    return np.stack([bid, sizes[:, 0], bid + spread, sizes[:, 1]], axis=1)


def clocked_rows(count, seed):
    """A price, and a clock that stands still, ticks or leaps."""
    rows = np.zeros(count, [("price", "f8"), ("now_ns", "i8")])
    rows["price"] = walk(count, seed)
    rows["now_ns"] = np.cumsum(np.random.default_rng(seed + 4).choice([0, 10**6, 10**9, 7 * 10**10], count))
    return rows


def play_prices(box, rows, answers):
    for index in range(len(rows)):
        answers[index] = box[0].update(rows[index, 0])


def play_candles(box, rows, answers):
    for index in range(len(rows)):
        answers[index] = box[0].update(rows[index, 0], rows[index, 1], rows[index, 2])


def play_trades(box, rows, answers):
    for index in range(len(rows)):
        answers[index] = box[0].update(rows[index]["price"], rows[index]["size"], rows[index]["now_ns"])


def play_clocked(box, rows, answers):
    for index in range(len(rows)):
        answers[index] = box[0].update(rows[index]["price"], rows[index]["now_ns"])


def play_quotes(box, rows, answers):
    for index in range(len(rows)):
        answers[index] = box[0].update(rows[index, 0], rows[index, 1], rows[index, 2], rows[index, 3])


PRICES = Feed(price_rows, play_prices)
CANDLES = Feed(candle_rows, play_candles)
TRADES = Feed(trade_rows, play_trades)
QUOTES = Feed(quote_rows, play_quotes)
CLOCKED = Feed(clocked_rows, play_clocked)

INDICATORS = [
    Registered(Sma, {"window": 7}, PRICES, naive.sma),
    Registered(Ema, {"span": 5}, PRICES, naive.ema),
    Registered(
        Ema,
        {"span": 5, "is_mean_seeded": True},
        PRICES,
        lambda history, span, **_: naive.mean_seeded_ema(history, span),
    ),
    Registered(WilderAverage, {"span": 5}, PRICES, naive.wilder_average),
    Registered(Rsi, {"span": 5}, PRICES, naive.rsi),
    Registered(ZScore, {"window": 9}, PRICES, naive.z_score),
    Registered(RealizedVolatility, {"window": 6}, PRICES, naive.realized_volatility),
    Registered(Diffusion, {"half_life_s": 30.0}, CLOCKED, naive.diffusion),
    Registered(Atr, {"span": 5}, CANDLES, naive.atr),
    Registered(Atr, {"span": 5, "counts_first_range": False}, CANDLES, naive.atr),
    Registered(SessionVwap, {}, TRADES, naive.session_vwap),
    Registered(SessionVwap, {"offset_ns": 3_600_000_000_000}, TRADES, naive.session_vwap),
    Registered(Microprice, {}, QUOTES, naive.microprice),
    Registered(OrderFlowImbalance, {"window": 8}, QUOTES, naive.order_flow_imbalance),
]


def played(registered, rows, *, is_compiled=True):
    """The answers and the final bytes of a fresh indicator."""
    box = boxed(registered.cls(**registered.arguments))
    answers = play_on(registered, box, rows, is_compiled=is_compiled)
    return answers, box


def play_on(registered, box, rows, *, is_compiled=True):
    answers = np.zeros(len(rows))
    play = compiled(registered.feed.play) if is_compiled else registered.feed.play
    play(box, rows, answers)
    return answers


def revived(box):
    """What a crash leaves: a copy of the bytes, elsewhere in memory."""
    return np.frombuffer(bytearray(box.tobytes()), box.dtype)


def leaves(layout):
    """The scalar types inside a layout, however deep."""
    if layout.fields is None:
        return {layout.base}
    return set().union(*(leaves(field[0].base) for field in layout.fields.values()))


def check_indicator(registered):
    check_layout(registered)
    check_documentation(registered.cls)
    rows = registered.feed.rows(120, 1)
    check_twin(registered, rows)
    check_bytes(registered, rows)
    check_restart(registered, rows)
    check_not_a_number(registered, rows)


def check_layout(registered):
    """Two instances have one layout, of types that mean the same compiled or not, with value and ready in it."""
    first, second = (registered.cls(**registered.arguments) for _ in range(2))

    assert first.dtype == second.dtype
    assert boxed(first).tobytes() == boxed(second).tobytes()
    assert {"value", "ready"} <= set(first.dtype.names)
    assert leaves(first.dtype) <= {np.dtype("f8"), np.dtype("i8"), np.dtype("?")}
    assert not first.ready


def check_documentation(cls):
    assert cls.__doc__ and ">>>" in cls.__doc__, f"{cls.__name__} needs a docstring with a doctest"


def check_twin(registered, rows):
    """Fed one by one it says, after each prefix, what its definition says of the whole prefix."""
    answers, box = played(registered, rows)
    history = [tuple(row) if rows.dtype.fields else tuple(row.tolist()) for row in rows]

    twin = [registered.twin(history[:end], **registered.arguments) for end in range(1, len(history) + 1)]

    assert np.isfinite(answers).all()
    assert answers.tolist() == pytest.approx(twin, rel=1e-9, abs=1e-9)
    assert box[0]["value"] == answers[-1]


def check_bytes(registered, rows):
    """Compiled and uncompiled, one call and many, differ in no bit."""
    answers, box = played(registered, rows)
    slow_answers, slow_box = played(registered, rows, is_compiled=False)
    ragged = boxed(registered.cls(**registered.arguments))
    for start, stop in ((0, 1), (1, 2), (2, 50), (50, len(rows))):
        play_on(registered, ragged, rows[start:stop])

    assert answers.tobytes() == slow_answers.tobytes()
    assert box.tobytes() == slow_box.tobytes()
    assert box.tobytes() == ragged.tobytes()


def check_restart(registered, rows):
    """Stopped after any update and revived from its bytes it goes on as if nothing had happened."""
    answers, whole = played(registered, rows)
    box = boxed(registered.cls(**registered.arguments))
    for index in range(len(rows)):
        box = revived(box)
        assert play_on(registered, box, rows[index : index + 1]) == answers[index]

    assert box.tobytes() == whole.tobytes()


def check_not_a_number(registered, rows):
    """What is not a finite number is passed over: not one bit of the indicator changes."""
    _, box = played(registered, rows)
    before = box.tobytes()
    names = rows.dtype.names or range(rows.shape[1])
    for name in names:
        for wrong in (math.nan, math.inf, -math.inf):
            row = rows[-1:].copy()
            field = row[name] if rows.dtype.names else row[:, name]
            if field.dtype.kind == "f":
                field[:] = wrong
                play_on(registered, box, row)
                assert box.tobytes() == before, (name, wrong)


class Situation(NamedTuple):
    """Everything that a rule may look at, in plain integers and floats; -1 ticks: that side of the book is empty."""

    side: int = 0
    lots: int = 1_024
    ticks: int = 0
    position: int = 0
    buying: int = 0
    selling: int = 0
    bid: int = 12_800
    ask: int = 12_928
    state: int = 2
    age_ns: int = 0
    now_ns: int = 1_000_000_000_000
    equity: float = 10_000.0
    day_equity: float = 10_000.0
    worst: float = 0.0
    halted: int = 0


# Powers of two, so that every price and size of a situation is exact: 12,800 ticks are 100, 1,024 lots are 1.
TICKS_PER_UNIT, LOTS_PER_UNIT = 128.0, 1_024.0


@functools.cache
def templates():
    """Making a record takes a millisecond, copying its bytes a microsecond. (`copy()` would not copy the padding.)"""
    market = boxed(Market(TICKS_PER_UNIT, LOTS_PER_UNIT, 0.0, 0, 64))
    return boxed(Order()), boxed(Seat(SimulatedVenue())), market, boxed(Account())


def records_of(situation):
    """The real records of a situation, each in an array of one: order, seat, market, account."""
    boxes = tuple(revived(template) for template in templates())
    order, seat, market, account = (box[0] for box in boxes)
    order.side, order.lots, order.ticks = situation.side, situation.lots, situation.ticks
    seat.position_lots = situation.position
    seat.working_buy_lots, seat.working_sell_lots = situation.buying, situation.selling
    seat.equity, seat.day_equity = situation.equity, situation.day_equity
    seat.drawdown_worst, seat.halted = situation.worst, situation.halted
    market.state = situation.state
    market.now_ns = situation.now_ns
    market.book_ns = situation.now_ns - situation.age_ns
    market.book.top[:] = (situation.bid, situation.ask)
    market.book.top_lots[:] = (5_120, 5_120)
    account.equity = situation.equity
    return boxes


def ask_rule(rules, orders, seats, markets, accounts):
    """The code of the refusal, or 0: what the engine calls."""
    return refuses(rules[0], orders[0], seats[0], markets[0], accounts[0])


def check_rule(rule, situations):
    """Asked one thing after another, compiled or not and restarted in between, it answers and ends the same."""
    slow, fast, restarted = boxed(rule), boxed(rule), boxed(rule)
    assert leaves(slow.dtype) <= {np.dtype("f8"), np.dtype("i8"), np.dtype("?")}
    assert type(rule).__doc__, f"{type(rule).__name__} needs a docstring"
    codes = []
    for situation in situations:
        answers = []
        for box, ask in ((slow, ask_rule), (fast, compiled(ask_rule)), (restarted, compiled(ask_rule))):
            records = records_of(situation)
            answers.append((int(ask(box, *records)), *(record.tobytes() for record in records)))
        assert answers[0] == answers[1] == answers[2], situation
        assert slow.tobytes() == fast.tobytes() == restarted.tobytes()
        assert answers[0][0] in (0, rule.code)
        codes.append(answers[0][0])
        restarted = revived(restarted)
    return codes
