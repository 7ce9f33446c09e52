"""The same session under the worst and the best queue: between these an honest estimate must lie.

What is bounded is how much is filled, order by order (`simulator.queue`); everything else stays as it was set. The
money need not lie between: who is filled more may lose more, and a strategy that hears of a fill acts otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamtrader.runtime.loading import strategy_class
from streamtrader.runtime.replay import ReplayResult, replay
from streamtrader.strategies.strategy import PythonStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from streamtrader.config import Settings

CHEAP_EVENTS = 5_000_000  # up to here two more replays take about a second
FIGURES = ("orders", "fills", "partial_fills", "taker_fills", "turnover", "fees", "pnl", "drawdown_worst")


def are_cheap(estimate: ReplayResult, settings: Settings) -> bool:
    """Whether nobody will mind the wait: compiled strategies only, and not too many events."""
    is_python = any(issubclass(strategy_class(wanted.name), PythonStrategy) for wanted in settings.strategies)
    return estimate.events <= CHEAP_EVENTS and not is_python


def bounds_of(
    paths: Sequence[Path],
    settings: Settings,
    estimate: ReplayResult,
    *,
    interpreted: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """The figures of both bounds, by name. A replay that sent nothing, or was one of them, is not played again."""
    own = settings.simulator.queue
    bounds = {}
    for name, queue in (("pessimistic", "trades" if own == "trades" else "pessimistic"), ("optimistic", "optimistic")):
        result = estimate
        if queue != own and estimate.orders > 0:
            simulator = settings.simulator.model_copy(update={"queue": queue})
            bounded = settings.model_copy(update={"simulator": simulator})
            result = replay(paths, bounded, interpreted=interpreted, on_progress=on_progress)
        bounds[name] = {"queue": queue} | {figure: getattr(result, figure) for figure in FIGURES}
    return bounds
