"""What is traded: the venue's own rules for one market, in exact decimals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, NamedTuple

from streamtrader.errors import ConfigError
from streamtrader.units import ABSURD_PRICE, ABSURD_SIZE, STEPS_MOST, decimal_text, per_unit

KINDS = ("spot", "perpetual", "future")


class Most(NamedTuple):
    """The largest price and the largest size that are believed; both belong to what is believed."""

    price: float
    size: float


BELIEVED = Most(ABSURD_PRICE, ABSURD_SIZE)


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value))


_FILTER_KINDS: dict[str, Callable[[Any], Any]] = {"Decimal": _decimal, "int": int, "bool": bool}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a venue demands of an order beside its steps and its smallest value; 0 is no demand.

    Sizes are in base currency, prices and values in quote currency. `bid_up` to `ask_down` are multiples of the average
    price of so many minutes (0: of the last price; `is_by_mark`: of the mark) between which the limits of buyers and
    sellers must lie. `maximum_notional` binds orders with a limit; `maximum_orders` is how many may be open at once,
    `maximum_waiting_orders` how many of them may wait for a price. `maximum_position` is that of what is held and all
    open buys; `maximum_parts` is how many parts an iceberg may have. Those of prices bind the prices of triggers too.
    """

    minimum_size: Decimal = Decimal(0)
    maximum_size: Decimal = Decimal(0)
    maximum_market_size: Decimal = Decimal(0)
    minimum_price: Decimal = Decimal(0)
    maximum_price: Decimal = Decimal(0)
    bid_up: Decimal = Decimal(0)
    bid_down: Decimal = Decimal(0)
    ask_up: Decimal = Decimal(0)
    ask_down: Decimal = Decimal(0)
    average_minutes: int = 0
    maximum_notional: Decimal = Decimal(0)
    maximum_orders: int = 0
    minimum_market_size: Decimal = Decimal(0)
    maximum_position: Decimal = Decimal(0)
    maximum_waiting_orders: int = 0
    maximum_parts: int = 0
    is_by_mark: bool = False

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not Decimal(value).is_finite() or value < 0:
                raise ConfigError(f"filters: {name} must not be negative, and not {value}")
        for least, most in (("minimum_size", "maximum_size"), ("minimum_price", "maximum_price"),
                            ("minimum_market_size", "maximum_market_size"), ("minimum_size", "maximum_position"),
                            ("bid_down", "bid_up"), ("ask_down", "ask_up")):  # fmt: skip
            low, high = getattr(self, least), getattr(self, most)
            if 0 < high < low:
                raise ConfigError(f"filters: {least} of {low} is above {most} of {high}: no order could pass")

    @property
    def has_any(self) -> bool:
        return self != NO_FILTERS

    def as_dict(self) -> dict[str, Any]:
        """For JSON: only what is demanded."""
        return {
            name: decimal_text(value) if isinstance(value, Decimal) else value
            for name, value in asdict(self).items()
            if value
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Filters:
        kinds = {each.name: _FILTER_KINDS[str(each.type)] for each in fields(cls)}
        known: dict[str, Any] = {}
        for name, value in values.items():
            if name not in kinds:
                raise ConfigError(f"filters: {name} is unknown; known are {', '.join(kinds)}")
            try:
                known[name] = kinds[name](value)
            except (TypeError, ValueError, ArithmeticError) as error:
                raise ConfigError(f"filters: {name} is a number, not {value!r}") from error
        return cls(**known)


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Instrument:
    """One market of one venue. `price_tick` and `size_lot` are the venue's steps, fees are in basis points.

    Sizes, `size_lot` too, are in units of `base`. Where the venue counts contracts instead, `contract_size` is what
    one of them is worth in `base`: its adapter multiplies what it reads, and divides what it sends.
    """

    venue: str
    symbol: str
    base: str
    quote: str
    price_tick: Decimal
    size_lot: Decimal
    minimum_notional: Decimal = Decimal(0)
    maker_fee_bps: float = 10.0
    taker_fee_bps: float = 10.0
    kind: str = "spot"
    contract_size: Decimal = Decimal(1)
    filters: Filters = NO_FILTERS

    def __post_init__(self) -> None:
        for name in ("price_tick", "size_lot", "contract_size"):
            step = getattr(self, name)
            if not step.is_finite() or step <= 0:
                raise ConfigError(f"{self.symbol}: {name} must be above zero, not {step}")
        if not self.minimum_notional.is_finite() or self.minimum_notional < 0:
            raise ConfigError(f"{self.symbol}: minimum_notional must not be negative")
        if 0 < self.filters.maximum_notional < self.minimum_notional:
            raise ConfigError(f"{self.symbol}: minimum_notional is above maximum_notional: no order could pass")
        if self.kind not in KINDS:
            raise ConfigError(f"{self.symbol}: kind must be one of {', '.join(KINDS)}, not {self.kind}")

    @property
    def market(self) -> str:
        """The venue, and the kind behind it where that is not spot: a venue may use one symbol in several of its markets."""
        return self.venue if self.kind == "spot" else f"{self.venue}-{self.kind}"

    @property
    def ticks_per_unit(self) -> float:
        return per_unit(self.price_tick)

    @property
    def lots_per_unit(self) -> float:
        return per_unit(self.size_lot)

    @property
    def most(self) -> Most:
        """What is believed of this market, and can be counted in its own ticks and lots."""
        price = min(ABSURD_PRICE, STEPS_MOST / self.ticks_per_unit)
        return Most(price, min(ABSURD_SIZE, STEPS_MOST / self.lots_per_unit))

    def as_dict(self) -> dict[str, Any]:
        """For JSON: decimals as text; filters only where there are any."""
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "filters"}
        values = {name: decimal_text(value) if isinstance(value, Decimal) else value for name, value in own.items()}
        return values | {"filters": self.filters.as_dict()} if self.filters.has_any else values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Instrument:
        decimals = ("price_tick", "size_lot", "minimum_notional", "contract_size")
        known: dict[str, Any] = {
            name: Decimal(str(value)) if name in decimals else value for name, value in values.items()
        }
        if "filters" in known:
            known["filters"] = Filters.from_dict(known["filters"])
        return cls(**known)


def names_of(instruments: Sequence[Instrument]) -> list[str]:
    """What tells each of some instruments apart: its symbol, or `market:symbol` where several bear that symbol.

    BTCUSDT of two markets of Bybit are `bybit:BTCUSDT` and `bybit-perpetual:BTCUSDT`.
    """
    bearers = Counter(each.symbol for each in instruments)
    return [each.symbol if bearers[each.symbol] == 1 else f"{each.market}:{each.symbol}" for each in instruments]
