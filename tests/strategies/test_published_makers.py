"""Tables 1 to 3 of Avellaneda and Stoikov (2008), by the strategy in the kernel.

600 paths a row; `nox -s papers` runs 20,000 (STREAMTRADER_PATHS), and then profit must come within 1 % and its
deviation within 3 %. Measured with those, profit and its deviation: with inventory 64.88 and 6.53 for gamma 0.1,
68.49 and 8.97 for 0.01, 31.49 and 4.89 for 1; symmetric 68.32 and 13.57, 68.84 and 13.53, 43.96 and 10.83. A band is
four standard errors, theirs and ours.
"""

from __future__ import annotations

import functools
import math
import os
from typing import NamedTuple

import numpy as np
import pytest

from streamtrader.events import BUY, SELL
from streamtrader.kernel.outbox import OutboxKind
from tests.strategies import papers

PATHS = int(os.environ.get("STREAMTRADER_PATHS", "600"))
SIMULATED_PATHS, PRINTED_PATHS = 400_000, 1_000


class Row(NamedTuple):
    """Profit, its deviation, and that of the final position: simulated by formula, and as printed."""

    gamma: float
    is_symmetric: bool
    simulated: tuple[float, float, float]
    printed: tuple[float, float, float]


TABLES = [
    Row(0.1, False, (64.88, 6.54, 2.93), (65.0, 6.6, 2.9)),
    Row(0.1, True, (68.20, 13.47, 8.39), (68.4, 12.7, 8.4)),
    Row(0.01, False, (68.38, 8.97, 5.21), (68.6, 8.7, 5.1)),
    Row(0.01, True, (68.66, 13.70, 8.71), (68.8, 12.8, 8.7)),
    Row(1.0, False, (31.45, 4.84, 1.64), (31.4, 5.0, 1.7)),
    Row(1.0, True, (43.69, 10.75, 5.18), (44.0, 11.0, 5.1)),
]
SPREADS = {0.1: 1.49, 0.01: 1.35, 1.0: 3.02}
rows = pytest.mark.parametrize(
    "row", TABLES, ids=lambda row: f"gamma {row.gamma} {'symmetric' if row.is_symmetric else 'inventory'}"
)


@functools.cache
def outcomes_of(row):
    strategy = papers.maker(row.gamma, is_symmetric=row.is_symmetric)
    return papers.simulate(strategy, PATHS, seed=round(1_000 * row.gamma) + row.is_symmetric)


def errors_of(values, paths):
    """The standard errors of a mean and of a deviation over so many paths; profits have long tails."""
    deviation = values.std()
    kurtosis = ((values - values.mean()) ** 4).mean() / deviation**4
    return deviation / math.sqrt(paths), 0.5 * deviation * math.sqrt((kurtosis - 1.0) / paths)


def assert_close(outcomes, figures, their_paths, rounding):
    """Within four standard errors of the difference, and half of the last digit that they print."""
    profits, positions = outcomes
    measured = profits.mean(), profits.std(), positions.std()
    ours = *errors_of(profits, PATHS), errors_of(positions, PATHS)[1]
    theirs = *errors_of(profits, their_paths), errors_of(positions, their_paths)[1]
    for have, expected, our_error, their_error in zip(measured, figures, ours, theirs, strict=True):
        assert have == pytest.approx(expected, abs=4.0 * math.hypot(our_error, their_error) + rounding)


@rows
def test_profit_and_risk_are_those_of_the_model_and_of_the_paper(row):
    outcomes = outcomes_of(row)

    assert_close(outcomes, row.simulated, SIMULATED_PATHS, 0.005)
    assert_close(outcomes, row.printed, PRINTED_PATHS, 0.05)
    assert abs(outcomes.positions.mean()) <= 4.0 * outcomes.positions.std() / math.sqrt(PATHS)
    if PATHS >= 20_000:
        assert outcomes.profits.mean() == pytest.approx(row.simulated[0], rel=0.01)
        assert outcomes.profits.std() == pytest.approx(row.simulated[1], rel=0.03)


def test_inventory_is_worth_its_price():
    """What the paper is about: less profit, and far less risk."""
    for inventory, symmetric in zip(TABLES[::2], TABLES[1::2], strict=True):
        ours, theirs = outcomes_of(inventory).profits, outcomes_of(symmetric).profits
        assert ours.std() < 0.75 * theirs.std()
        assert ours.mean() / ours.std() > 1.3 * theirs.mean() / theirs.std()


def quotes_of(row, middle, position, step):
    """The paper's formulas, in ticks away from the market."""
    remaining = 1.0 - step * 0.005
    constant = 2.0 / row.gamma * math.log(1.0 + row.gamma / papers.K)
    variance = papers.SIGMA**2 * (0.5 if row.is_symmetric else remaining)
    center = middle if row.is_symmetric else middle - position * row.gamma * papers.SIGMA**2 * remaining
    half = 0.5 * (row.gamma * variance + constant)
    ticks = papers.TICKS_PER_UNIT
    return math.floor((center - half) * ticks + 1e-3), math.ceil((center + half) * ticks - 1e-3)


def fills_by_formula(row, events):
    """(step, side, ticks) of each fill of a path, from the events alone: the paper's loop, without an engine."""
    position, fills = 0, []
    for step, steps in enumerate(events[:-1].reshape(papers.STEPS, 4)):
        touches, reached = np.floor(steps["a"] * papers.TICKS_PER_UNIT + 0.5).reshape(2, 2).tolist()
        bid, ask = quotes_of(row, 0.5 * sum(touches) / papers.TICKS_PER_UNIT, position, step)
        is_bought, is_sold = reached[1] <= bid, reached[0] >= ask
        fills += [(step, SELL, ask)] * is_sold + [(step, BUY, bid)] * is_bought
        position += is_bought - is_sold
    return fills


@rows
def test_every_fill_is_that_of_the_papers_own_loop(row):
    """Order by order: each step's traders meet that step's quotes, and the fills are in the next step's position."""
    events, _ = papers.market_of(5, np.random.default_rng(11))
    for path in events:
        engine = papers.engine_of(papers.maker(row.gamma, is_symmetric=row.is_symmetric))

        said = papers.play(engine, path)

        filled = said[said["kind"] == OutboxKind.FILLED]
        steps = (filled["at_ns"] - papers.START_NS) // papers.STEP_NS
        fills = list(zip(steps.tolist(), filled["side"].tolist(), filled["ticks"].tolist(), strict=True))
        assert fills == fills_by_formula(row, path)
        assert len(fills) > 20
        assert not np.isin(said["kind"], [OutboxKind.REFUSED, OutboxKind.REJECTED]).any()


def test_the_spread_is_on_average_the_one_that_the_paper_prints():
    for gamma, printed in SPREADS.items():
        maker = papers.maker(gamma)
        mean = np.mean([float(maker.spread(1.0 - step * 0.005)) for step in range(papers.STEPS)])
        assert mean == pytest.approx(printed, abs=0.015)
        assert float(papers.maker(gamma, is_symmetric=True).spread(0.3)) == pytest.approx(printed, abs=0.006)


def test_a_path_ends_in_the_same_bytes_compiled_or_not():
    events, _ = papers.market_of(1, np.random.default_rng(2))
    outcomes = []
    for interpreted in (False, True):
        engine = papers.engine_of(papers.maker(0.1), interpreted=interpreted)
        said = papers.play(engine, events[0])
        outcomes.append((said.tobytes(), {name: array.tobytes() for name, array in engine.arrays().items()}))

    assert outcomes[0] == outcomes[1]
