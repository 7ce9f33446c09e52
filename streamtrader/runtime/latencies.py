"""Latencies that were measured: from a table, or from what a run's own orders took."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.errors import ConfigError
from streamtrader.simulator.latency import MOST_NS, NOTHING_RECORDED, SAMPLE_SLOTS, Latencies, Latency
from streamtrader.storage.files import replace_whole
from streamtrader.storage.reader import DatabaseReader
from streamtrader.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    from streamtrader.config import Settings
    from streamtrader.config_simulator import SimulatorSettings

COLUMNS = ("sent_ns", "up_ns", "down_ns")
FIRST_ANSWERS = """
    SELECT intents.at_ns AS sent_ns, MIN(fills.at_ns) - intents.at_ns AS round_trip_ns
    FROM intents JOIN fills ON fills.seat = intents.seat AND fills.order_id = intents.order_id
    WHERE fills.liquidity = 'taker' AND intents.immediate = 1 GROUP BY intents.sequence ORDER BY intents.at_ns
"""


@dataclass(frozen=True, slots=True, eq=False)
class LatencyTerms:
    """The model and what it needs beside the two medians; `samples` are rows of sent, up, down in nanoseconds."""

    model: int = 0
    sigma: float = 0.5
    seed: int = 1
    samples: np.ndarray[Any, Any] | None = None

    def of_seat(self, index: int, up_ns: int, down_ns: int) -> Latency:
        """Each seat draws numbers of its own."""
        samples = NOTHING_RECORDED if self.samples is None else self.samples
        return Latency(up_ns, down_ns, self.model, self.sigma, self.seed + (index << 31), samples)


def latency_terms(settings: SimulatorSettings) -> LatencyTerms:
    model = int(Latencies[settings.latency.upper()])
    samples = None
    if model == Latencies.RECORDED:
        if not settings.latency_file:
            raise ConfigError("simulator.latency = recorded needs simulator.latency_file: a table, or a run's directory")
        samples = recorded_pairs(Path(settings.latency_file))
    return LatencyTerms(model, settings.latency_sigma, settings.latency_seed, samples)


def keep_pairs(directory: RunDirectory, samples: np.ndarray[Any, Any]) -> None:
    """Write what was measured into a run, which then needs no other file to be played again."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(samples.tolist())
    replace_whole(directory.latencies, text.getvalue().encode())


def with_kept_pairs(settings: Settings, directory: RunDirectory) -> Settings:
    """The settings of a run with the latencies that it keeps, where it has any; older runs have none."""
    if not directory.latencies.exists():
        return settings
    simulator = settings.simulator.model_copy(update={"latency_file": str(directory.latencies)})
    return settings.model_copy(update={"simulator": simulator})


def recorded_pairs(path: Path) -> np.ndarray[Any, Any]:
    """Pairs in the order of sending, as many as a venue keeps: evenly chosen where there are more.

    ConfigError where there is nothing to read, or where it makes no sense.
    """
    pairs = np.array(_pairs_of_run(path) if path.is_dir() else _pairs_of_table(path), np.int64).reshape(-1, 3)
    if len(pairs) == 0:
        raise ConfigError(f"simulator.latency_file {path}: no latency was measured there")
    if (pairs[:, 1:] < 0).any() or (pairs[:, 1:] > MOST_NS).any():
        raise ConfigError(f"simulator.latency_file {path}: a latency must lie between 0 and {MOST_NS} ns")
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    kept = pairs[np.linspace(0, len(pairs) - 1, min(len(pairs), SAMPLE_SLOTS)).astype(np.int64)]
    ends = np.repeat(kept[-1:], SAMPLE_SLOTS - len(kept), axis=0)
    return np.concatenate([kept, ends])


def _pairs_of_table(path: Path) -> list[tuple[int, ...]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise ConfigError(f"simulator.latency_file {path}: its first line must be {','.join(COLUMNS)}")
            return [tuple(int(row[name]) for name in COLUMNS) for row in rows]
    except OSError as error:
        raise ConfigError(f"simulator.latency_file {path}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"simulator.latency_file {path}: {error}; whole nanoseconds are wanted") from error


def _pairs_of_run(path: Path) -> list[tuple[int, ...]]:
    """Only a taker's first fill tells when the venue had the order; its round trip is halved, for want of more."""
    with DatabaseReader.open(RunDirectory.open(path).database) as reader:
        rows = reader.select(FIRST_ANSWERS)
        return [
            (row["sent_ns"], row["round_trip_ns"] // 2, row["round_trip_ns"] - row["round_trip_ns"] // 2)
            for row in rows
            if row["round_trip_ns"] <= MOST_NS  # others waited for a trigger first
        ]
