"""Settings: defaults, then config.toml, then further files, then the environment, then `--set`; frozen once read.

The models below are the only list of what can be set. `config.toml` in the repository repeats their defaults with
comments, and a test holds the two together. How a value is found is in `config_sources`, how a mistake is told in
`config_report`: all mistakes at once, with file and line. No secret is ever read from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, ValidationError

from streamtrader.config_account import AccountSettings
from streamtrader.config_report import DEFAULT, Mistake, Origin, complain, mistakes_of, origin_of
from streamtrader.config_section import Positive, Section, listed, name_list
from streamtrader.config_simulator import SimulatorSettings
from streamtrader.config_sources import Sources
from streamtrader.venues.registry import VENUES, choices, is_choice

CONFIG_FILE = "config.toml"
EMBEDDED = "embedded"
ChannelName = Literal["trade", "quote", "book", "candle", "mark", "liquidation"]
Port = Annotated[int, Field(ge=0, le=65_535)]

SYMBOL = re.compile(r"[A-Z0-9]+|[A-Z0-9][A-Za-z0-9]*([/_.:-][A-Za-z0-9]+)+")  # capitals, or of several parts


def _checked_venue(name: str) -> str:
    if name != EMBEDDED and not is_choice(name):
        raise ValueError(f"must be one of {', '.join((EMBEDDED, *choices()))}, not {name!r}")
    return name


def _checked_fallback(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in VENUES or name == "ccxt":
            raise ValueError(f"must be venues such as {', '.join(VENUES[:3])}, not {name!r}")
    return names


def _checked_speed(speed: Any) -> float | str:
    """Not a union of types: one mistake should be told once."""
    if speed == "max":
        return "max"
    if isinstance(speed, int | float) and not isinstance(speed, bool) and 0 < speed <= 1e9:
        return float(speed)
    raise ValueError('must be a number above 0, or "max"')


def _checked_symbols(symbols: tuple[str, ...]) -> tuple[str, ...]:
    for symbol in symbols:
        if not SYMBOL.fullmatch(symbol):
            raise ValueError(
                f'must be symbols as the venue writes them, such as "BTCUSDT" or "BTC/USD", not {symbol!r}'
            )
    if len(set(symbols)) < len(symbols):
        raise ValueError("must not name a symbol twice")
    return symbols


def _split(symbols: Any) -> Any:
    """`--set exchange.symbols=BTCUSDT,ETHUSDT` is a list, and so is an array of TOML."""
    return tuple(symbol.strip() for symbol in symbols.split(",")) if isinstance(symbols, str) else listed(symbols)


def _checked_url(url: str, schemes: tuple[str, ...]) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in schemes or not parts.hostname):
        raise ValueError(f"must be empty or start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if parts.username or parts.password:
        raise ValueError("must not carry a user name or password")
    return url


def _checked_parameter(value: Any) -> bool | int | float:
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return value
    raise ValueError("must be a finite number, or true or false")


def _different(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("must not name a channel twice")
    return names


Symbols = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_checked_symbols)]
Speed = Annotated[Any, AfterValidator(_checked_speed)]
WebsocketUrl = Annotated[str, AfterValidator(lambda url: _checked_url(url, ("ws", "wss")))]
RestUrl = Annotated[str, AfterValidator(lambda url: _checked_url(url, ("http", "https")))]
Parameter = Annotated[Any, AfterValidator(_checked_parameter)]


class EngineSettings(Section):
    mode: Literal["paper"] = "paper"
    cash_quote: Positive = 10_000.0
    is_spinning: bool = False
    is_dry: bool = False


class VenueSettings(Section):
    name: Annotated[str, AfterValidator(_checked_venue)] = EMBEDDED
    kind: Literal["spot", "perpetual"] = "spot"
    client: Literal["picows", "websockets"] = "picows"
    channels: Annotated[tuple[ChannelName, ...], BeforeValidator(name_list), AfterValidator(_different)] = ()
    feed: str = ""
    encoding: Literal["", "json", "msgpack"] = ""
    websocket_url: WebsocketUrl = ""
    rest_url: RestUrl = ""
    connections: Annotated[int, Field(ge=1, le=2)] = 1
    fallback: Annotated[tuple[str, ...], BeforeValidator(name_list), AfterValidator(_checked_fallback)] = ()
    fallback_after_s: Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)] = 30.0


class ExchangeSettings(Section):
    market: Annotated[str, Field(min_length=1)] = "synthetic"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 7
    speed: Speed = 1.0
    symbols: Annotated[Symbols, Field(min_length=1)] = ("BTCUSDT", "ETHUSDT")
    port: Port = 0
    dialect: Literal["binance", "kraken", "coinbase", "coinbase-exchange", "okx", "bybit", "alpaca"] = "binance"
    faults: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()


class StrategySettings(Section):
    name: Annotated[str, Field(pattern=r"^([A-Za-z_][\w.]*:)?[A-Za-z_]\w*$|^.+\.py(:[A-Za-z_]\w*)?$")]
    instruments: Symbols = ()
    parameters: dict[str, Parameter] = {}


class MaxPositionSettings(Section):
    is_enabled: bool = True
    limit: Positive = 1.0


class MaxNotionalSettings(Section):
    is_enabled: bool = True
    limit_quote: Positive = 5_000.0


class MaxOrderRateSettings(Section):
    is_enabled: bool = True
    orders: Annotated[int, Field(ge=1, le=4_096)] = 50
    per_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 1.0


class PriceBandSettings(Section):
    is_enabled: bool = True
    width_bps: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = 50.0


class StaleBookSettings(Section):
    is_enabled: bool = True
    max_age_s: Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)] = 5.0


class DailyLossSettings(Section):
    is_enabled: bool = True
    limit_quote: Positive = 200.0
    reset_hour_utc: Annotated[int, Field(ge=0, le=23)] = 0


class DrawdownSettings(Section):
    is_enabled: bool = True
    limit_quote: Positive = 500.0


class RiskSettings(Section):
    max_position: MaxPositionSettings = MaxPositionSettings()
    max_notional: MaxNotionalSettings = MaxNotionalSettings()
    max_order_rate: MaxOrderRateSettings = MaxOrderRateSettings()
    price_band: PriceBandSettings = PriceBandSettings()
    stale_book: StaleBookSettings = StaleBookSettings()
    daily_loss: DailyLossSettings = DailyLossSettings()
    drawdown: DrawdownSettings = DrawdownSettings()




class CandleSettings(Section):
    interval_s: Annotated[int, Field(ge=1, le=86_400)] = 60
    warmup: Annotated[int, Field(ge=0, le=10_000)] = 0


class RunSettings(Section):
    root: Annotated[str, Field(min_length=1)] = "runs"
    checkpoint_every_s: Annotated[float, Field(ge=0.1, le=86_400, allow_inf_nan=False)] = 30.0
    flush_every_ms: Annotated[float, Field(ge=1, le=10_000, allow_inf_nan=False)] = 100.0


class MetricsSettings(Section):
    is_enabled: bool = True
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Port = 9464
    linger_s: Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)] = 0.0


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    file: str = "log.jsonl"


DEMO = (
    StrategySettings(name="ImbalanceMaker", instruments=("BTCUSDT", "ETHUSDT")),
    StrategySettings(name="EmaCross", instruments=("BTCUSDT",)),
)


class Settings(Section):
    """Every setting of a run. `origin("metrics.port")` tells where a value came from."""

    engine: EngineSettings = EngineSettings()
    venue: VenueSettings = VenueSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    strategies: Annotated[tuple[StrategySettings, ...], BeforeValidator(listed)] = DEMO
    risk: RiskSettings = RiskSettings()
    account: AccountSettings = AccountSettings()
    simulator: SimulatorSettings = SimulatorSettings()
    candles: CandleSettings = CandleSettings()
    run: RunSettings = RunSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Everything, resolved, in values that JSON has: for the manifest of a run and `config show`."""
        return self.model_dump(mode="json")

    def origin(self, path: str) -> Origin:
        """Where the value of `section.key` came from: of itself, or of the section or list that holds it."""
        return origin_of(tuple(path.split(".")), self._origins)

    def is_chosen(self, path: str) -> bool:
        """Whether somebody asked for just this value; a file that repeats the default asks for nothing."""
        origin = self.origin(path)
        if origin.is_file:
            return bool(self._value(path) != DEFAULTS._value(path))
        return origin is not DEFAULT

    def _value(self, path: str) -> Any:
        value: Any = self
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, tuple) else getattr(value, part)
        return value


DEFAULTS = Settings()


def load_settings(
    files: Sequence[Path] = (),
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    *,
    directory: Path | None = None,
) -> Settings:
    """Settle every source into one frozen `Settings`, or raise one ConfigError that tells every mistake.

    `config.toml` is read when `directory` (the working directory) has one; `files` come after it, then the
    variables `STREAMTRADER__SECTION__KEY` of `environ` (a command passes `os.environ`), then `overrides` of the
    form `section.key=value`.
    """
    ordinary = (directory or Path()) / CONFIG_FILE
    layers = list(files)
    if ordinary.is_file() and not any(file.exists() and file.samefile(ordinary) for file in files):
        layers.insert(0, ordinary)
    sources = Sources(Settings)
    for file in layers:
        sources.read(file)
    sources.take_environment(environ or {})
    for override in overrides:
        sources.take_override(override)
    settings, mistakes = DEFAULTS, sources.mistakes
    try:
        settings = Settings.model_validate(sources.values)
    except ValidationError as error:
        refused = {mistake.path for mistake in mistakes}
        mistakes += [found for found in mistakes_of(error, Settings, sources.origins) if found.path not in refused]
    if mistakes:
        raise complain(mistakes)
    settings._origins.update(sources.origins)
    return settings


__all__ = ["DEFAULTS", "Mistake", "Origin", "Settings", "StrategySettings", "load_settings"]
