"""Tapes of small messages for the tests."""

from decimal import Decimal
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from streamtrader.events import EVENT, MORE, Kind
from streamtrader.instruments import Instrument
from streamtrader.storage.tape import Tape, TapeWriter

BTCUSDT = Instrument("binance", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
in_files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
batches = st.lists(st.lists(st.integers(1, 4), max_size=8), max_size=8)  # batches of messages of so many rows


def events_of(rows_of_messages: list[int], first: int = 0) -> np.ndarray:
    """Messages of so many rows each, all rows different."""
    count = sum(rows_of_messages)
    events = np.zeros(count, EVENT)
    events["kind"] = Kind.BOOK
    events["id"] = np.arange(first, first + count)
    events["received_ns"] = 1_700_000_000_000_000_000 + np.arange(first, first + count)
    events["a"] = np.arange(first, first + count) * 0.5
    events["flags"] = MORE
    events["flags"][np.cumsum(rows_of_messages, dtype=np.int64) - 1] = 0
    return events


def written(path: Path, rows_of_batches: list[list[int]]) -> np.ndarray:
    """A tape of these batches; the events that went in."""
    everything = [np.zeros(0, EVENT)]
    with TapeWriter.create(path, [BTCUSDT], {"seed": 7}) as writer:
        for messages in rows_of_batches:
            everything.append(events_of(messages, sum(map(len, everything))))
            writer.append(everything[-1])
    return np.concatenate(everything)


def read(tape: Tape) -> bytes:
    return b"".join(events.tobytes() for events in tape.events())


def fresh(folder: Path) -> Path:
    """A path that is free, also when hypothesis comes back to the same folder."""
    return folder / f"{len(list(folder.iterdir()))}.tape"
