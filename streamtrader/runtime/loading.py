"""From settings to an engine: finds strategy classes, builds rules, and keeps compiled kernels under honest names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamtrader
from streamtrader import risk
from streamtrader import strategies as built_in
from streamtrader.errors import ConfigError, StrategyError
from streamtrader.kernel.calls import use_cache
from streamtrader.runtime.accounts import account_terms
from streamtrader.runtime.assembly import Placement, Terms
from streamtrader.runtime.fee_terms import fee_terms
from streamtrader.runtime.latencies import latency_terms
from streamtrader.runtime.taking import taking_terms
from streamtrader.simulator.queue import Queue
from streamtrader.simulator.takers import SelfTrade
from streamtrader.strategies.strategy import PythonStrategy, Strategy
from streamtrader.units import NS_PER_MS, NS_PER_S
from streamtrader.venues.binance.scan import Scanner, compiled_scanner

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType

    from streamtrader.config import RiskSettings, Settings, StrategySettings
    from streamtrader.instruments import Instrument

PACKAGE = Path(streamtrader.__file__).parent


def strategy_class(name: str) -> type[Any]:
    """`EmaCross`, `my_package.module:Class` or `path/to/file.py:Class` (`:Class` may be left out of a file of one)."""
    if ":" not in name and not name.endswith(".py"):
        found = getattr(built_in, name, None)
        if not _is_strategy(found):
            raise StrategyError(
                f"there is no strategy {name}. Built in: {', '.join(sorted(built_in_names()))}; "
                "your own: path/to/file.py:ClassName"
            )
        return found  # type: ignore[return-value]
    place, _, class_name = name.rpartition(":") if not name.endswith(".py") else (name, "", "")
    module = _module_at(place)
    own = [value for value in vars(module).values() if _is_strategy(value) and value.__module__ == module.__name__]
    if not class_name and len(own) == 1:
        return own[0]  # type: ignore[no-any-return]
    found = getattr(module, class_name, None)
    if not _is_strategy(found):
        names = ", ".join(cls.__name__ for cls in own) or "none"
        raise StrategyError(f"{place} has no strategy {class_name or '(name one)'}; it has: {names}")
    return found  # type: ignore[return-value]


def built_in_names() -> list[str]:
    return [name for name in built_in.__all__ if _is_strategy(getattr(built_in, name))]


def _is_strategy(value: Any) -> bool:
    bases = (Strategy, PythonStrategy)
    return inspect.isclass(value) and issubclass(value, bases) and value not in bases


def _module_at(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        path = Path(place).resolve()
        if not path.is_file():
            raise StrategyError(f"there is no file {place}")
        name = f"streamtrader_user_{path.stem}"
        if name in sys.modules and Path(str(sys.modules[name].__file__)) == path:
            return sys.modules[name]
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise StrategyError(f"{place} cannot be loaded as a Python module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        sys.path.insert(0, str(path.parent))  # its neighbours are importable, as when it is run
        spec.loader.exec_module(module)
        return module
    except StrategyError:
        raise
    except Exception as error:
        raise StrategyError(f"{place} cannot be imported: {type(error).__name__}: {error}") from error


def _refuse_text_in_loop(cls: type[Any]) -> None:
    """`print` in a compiled handler would wait for ever for a lock that the loop holds."""
    if issubclass(cls, PythonStrategy):
        return
    for name, function in inspect.getmembers(cls, inspect.isfunction):
        used = {"print", "open", "input"} & set(function.__code__.co_names)
        if used and name != "__init__":
            raise StrategyError(
                f"{cls.__name__}.{name} calls {', '.join(sorted(used))}, which compiled code cannot do. While looking "
                "for a mistake use `replay --interpreted` with a breakpoint, or extend PythonStrategy."
            )


def new_strategy(wanted: StrategySettings) -> Strategy | PythonStrategy:
    """An instance with its parameters; wrong ones are told with what the class takes."""
    cls = strategy_class(wanted.name)
    _refuse_text_in_loop(cls)
    try:
        return cls(**wanted.parameters)  # type: ignore[no-any-return]
    except Exception as error:
        signature = str(inspect.signature(cls.__init__)).replace("self, ", "").replace("(self)", "()")
        takes = signature.partition(" -> ")[0].replace("'", "")
        raise ConfigError(f"strategy {wanted.name}: {error}. {cls.__name__} takes {takes}") from error


def label_of(wanted: StrategySettings) -> str:
    """What tables and lines call it: the class, wherever it comes from."""
    return strategy_class(wanted.name).__name__


def rules_of(settings: RiskSettings) -> list[risk.RiskRule]:
    """The rules of one seat; the rate comes last, so that only orders that all others let pass are counted."""
    wanted = (
        (settings.max_position, lambda s: risk.MaxPosition(s.limit)),
        (settings.max_notional, lambda s: risk.MaxNotional(s.limit_quote)),
        (settings.price_band, lambda s: risk.PriceBand(s.width_bps)),
        (settings.stale_book, lambda s: risk.StaleBook(round(s.max_age_s * NS_PER_S))),
        (settings.daily_loss, lambda s: risk.DailyLoss(s.limit_quote)),
        (settings.drawdown, lambda s: risk.Drawdown(s.limit_quote)),
        (settings.max_order_rate, lambda s: risk.MaxOrderRate(s.orders, round(s.per_s * NS_PER_S))),
    )
    return [make(section) for section, make in wanted if section.is_enabled]


def places_of(instruments: Sequence[Instrument]) -> dict[str, int]:
    """Where the instruments are by name; one without separators is good at every venue: `BTCUSDT` for `BTC/USDT`."""
    joined = {instrument.base + instrument.quote: at for at, instrument in enumerate(instruments)}
    return joined | {instrument.symbol: at for at, instrument in enumerate(instruments)}


def placements_of(settings: Settings, instruments: Sequence[Instrument]) -> list[Placement]:
    """Every strategy on every instrument it names; one that names none runs on all."""
    own, known = tuple(instrument.symbol for instrument in instruments), places_of(instruments)
    placements: list[Placement] = []
    for owner, wanted in enumerate(settings.strategies):
        symbols = wanted.instruments or own
        placements += [
            Placement(new_strategy(wanted), known[symbol], rules_of(settings.risk), label_of(wanted), owner)
            for symbol in symbols
            if symbol in known
        ]
    if not placements:
        wanted_symbols = sorted({symbol for wanted in settings.strategies for symbol in wanted.instruments})
        raise ConfigError(
            f"no strategy has an instrument of this market: wanted {', '.join(wanted_symbols) or 'none'}, "
            f"there are {', '.join(own) or 'none'}"
        )
    return placements


def terms_of(settings: Settings) -> Terms:
    simulator = settings.simulator
    return Terms(
        cash_quote=settings.engine.cash_quote,
        up_latency_ns=round(simulator.up_latency_ms * NS_PER_MS),
        down_latency_ns=round(simulator.down_latency_ms * NS_PER_MS),
        latency=latency_terms(simulator),
        queue=int(Queue[simulator.queue.upper()]),
        queue_power=simulator.queue_power,
        emulated=simulator.emulate,
        self_trade=int(SelfTrade[simulator.self_trade.upper()]),
        candle_ns=0 if "candle" in settings.venue.channels else settings.candles.interval_s * NS_PER_S,
        day_offset_ns=settings.risk.daily_loss.reset_hour_utc * 3_600 * NS_PER_S,
        maker_fee_bps=simulator.maker_fee_bps,
        taker_fee_bps=simulator.taker_fee_bps,
        account=account_terms(settings.account),
        fees=fee_terms(simulator),
        taking=taking_terms(simulator),
    )


def loop_sources() -> list[Path]:
    """Every file that the compiled loop is made from."""
    return [
        *sorted((PACKAGE / "kernel").glob("*.py")),
        *sorted((PACKAGE / "simulator").glob("*.py")),
        PACKAGE / "events.py",
        PACKAGE / "units.py",
        PACKAGE / "runtime" / "entry.py",
    ]


def scanner_for_frames() -> Scanner:
    """The compiled scanner of hot frames, kept under the name of its own sources."""
    venues = PACKAGE / "venues"
    sources = [venues / "tokens.py", venues / "binance" / "listed.py", venues / "binance" / "scan.py"]
    return compiled_scanner(cache=use_cache([*loop_sources(), *sources]) is not None)


def classes_of(placements: Iterable[Placement]) -> set[type[Any]]:
    """Those of the strategies and of their rules."""
    return {type(each) for placement in placements for each in (placement.strategy, *placement.rules)}


def class_sources(classes: Iterable[type[Any]]) -> list[Path]:
    """Every file that strategies and rules are made from: ours, and for a user's class all it imports of its own."""
    rooms = ("indicators", "risk", "schedules", "strategies")
    own = [path for room in rooms for path in sorted((PACKAGE / room).glob("*.py"))]
    seen: dict[str, Path] = {}
    waiting = [cls.__module__ for cls in classes]
    while waiting:
        name = waiting.pop()
        path = _own_file(name)
        if path is None or name in seen:
            continue
        seen[name] = path
        values = vars(sys.modules[name]).values()
        waiting += [
            value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "") or "" for value in values
        ]
    return [*loop_sources(), *own, *seen.values()]


def _own_file(module_name: str) -> Path | None:
    """The source of a module that is neither ours, nor the standard library's, nor installed."""
    module = sys.modules.get(module_name)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return None
    path = Path(file).resolve()
    is_foreign = "site-packages" in path.parts or path.is_relative_to(Path(sys.base_prefix).resolve())
    return None if is_foreign or path.is_relative_to(PACKAGE.resolve()) else path
