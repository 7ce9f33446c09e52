"""What is traded: the venue's own rules for one market, in exact decimals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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

    def __post_init__(self) -> None:
        for name in ("price_tick", "size_lot", "contract_size"):
            step = getattr(self, name)
            if not step.is_finite() or step <= 0:
                raise ConfigError(f"{self.symbol}: {name} must be above zero, not {step}")
        if not self.minimum_notional.is_finite() or self.minimum_notional < 0:
            raise ConfigError(f"{self.symbol}: minimum_notional must not be negative")
        if self.kind not in KINDS:
            raise ConfigError(f"{self.symbol}: kind must be one of {', '.join(KINDS)}, not {self.kind}")

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
        """For JSON: decimals as text."""
        return {
            name: decimal_text(value) if isinstance(value, Decimal) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Instrument:
        decimals = ("price_tick", "size_lot", "minimum_notional", "contract_size")
        known: dict[str, Any] = {
            name: Decimal(str(value)) if name in decimals else value for name, value in values.items()
        }
        return cls(**known)
