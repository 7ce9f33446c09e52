"""Tapes of every kind of event, and lakes of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamtrader.events import EVENT, MORE, Kind
from streamtrader.instruments import Instrument
from streamtrader.runtime.lake import export_to_lake, import_from_lake
from streamtrader.storage.lake_reader import Wanted
from streamtrader.storage.tape import Tape, TapeWriter
from streamtrader.units import NS_PER_DAY

START_NS = 1_723_161_600_000_000_000  # 2024-08-09T00:00Z
INGESTED_NS = 1_800_000_000_000_000_000
MARKETS = (
    Instrument("binance", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5)),
    Instrument("binance", "BTCUSDT", "BTC", "USDT", Decimal("0.1"), Decimal("0.001"), kind="perpetual"),
    Instrument("kraken", "BTC/USD", "BTC", "USD", Decimal("0.1"), Decimal("0.00000001")),
)
AGREEABLE = np.array([0.0, 1.0, 2.0, 3.0, 5.0, 100.25, 64_123.45], np.float64)


def tape_of(path: Path, events: np.ndarray, instruments=MARKETS) -> Path:
    with TapeWriter.create(path, instruments, {"market": "made up"}) as writer:
        writer.append(events)
        assert not writer.held_count
    return path


def events_of(path: Path) -> np.ndarray:
    return np.concatenate([np.zeros(0, EVENT), *Tape.open(path).events()])


def exported(tape: Path, lake: Path | str, **more):
    return export_to_lake(tape, lake, ingested_ns=INGESTED_NS, **more)


def imported(lake: Path | str, path: Path, **wanted) -> np.ndarray:
    import_from_lake(lake, path, Wanted(**wanted))
    return events_of(path)


def files_of(lake: Path) -> dict[str, bytes]:
    return {path.relative_to(lake).as_posix(): path.read_bytes() for path in lake.rglob("*") if path.is_file()}


def lively(
    count: int, *, seed: int = 1, start_ns: int = START_NS - NS_PER_DAY // 2, step_ns: int = NS_PER_DAY // 64
) -> np.ndarray:
    """Messages of up to four rows of all kinds, over some days, with words as they are on real tapes."""
    random = np.random.default_rng(seed)
    events = np.zeros(count, EVENT)
    events["kind"] = random.choice([int(kind) for kind in Kind], count)
    events["side"] = random.integers(0, 2, count) * np.isin(events["kind"], (Kind.TRADE, Kind.BOOK, Kind.LIQUIDATION))
    for field in "abcd":
        events[field] = random.choice(AGREEABLE, count)
    events["id"] = np.arange(count) + 1_000_000
    events["flags"] = MORE * (random.random(count) < 0.6)
    events["flags"][3::4] = events["flags"][-1:] = 0
    is_start = np.append(True, (events["flags"][:-1] & MORE) == 0)
    events["received_ns"] = start_ns + step_ns * np.cumsum(is_start)
    events["venue_ns"] = events["received_ns"] - random.integers(0, 10**9, count)
    events["instrument"] = random.integers(0, 3, count)
    return events


@st.composite
def anything(draw, *, kinds=(*(int(kind) for kind in Kind), 77, 255)) -> np.ndarray:
    """Any 64 bytes that a tape takes, in whole messages."""
    count = draw(st.integers(1, 40))
    events = draw(arrays.arrays(EVENT, count, elements=_rows(kinds)))
    events["flags"][-1] &= 0xFFFF ^ MORE
    return events


def _rows(kinds):
    word = st.one_of(st.sampled_from(AGREEABLE.tolist()), st.floats(width=64, allow_nan=True))
    whole = st.integers(-(2**63), 2**63 - 1)
    clock = st.one_of(st.integers(START_NS, START_NS + 3 * NS_PER_DAY), whole)
    flags = st.one_of(st.sampled_from((0, MORE, 2, 3)), st.integers(0, 2**16 - 1))
    return st.tuples(
        st.one_of(st.just(0), clock), clock, word, word, word, word, whole,
        st.integers(0, 2), st.sampled_from(kinds), st.one_of(st.integers(0, 1), st.integers(0, 255)), flags,
    )  # fmt: skip
