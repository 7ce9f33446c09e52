"""What taking does to the price and how much may be taken, from settings to the record of a venue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtrader.simulator.impact import (
    PERMANENT_GAMMA,
    SQUARE_ROOT_PREFACTOR,
    TEMPORARY_ETA,
    Impact,
    linear,
    square_root,
)
from streamtrader.simulator.latency import Generator
from streamtrader.units import NS_PER_S

if TYPE_CHECKING:
    from streamtrader.config_simulator import SimulatorSettings
    from streamtrader.simulator.venue import SimulatedVenue

OWN_STREAM = 1 << 62  # latencies of the same seat draw from the stream of the bare seed


@dataclass(frozen=True, slots=True)
class TakingTerms:
    """`impact` is "none", "square_root" or "almgren_chriss"; what each number means is said in `SimulatorSettings`."""

    impact: str = "none"
    impact_prefactor: float = SQUARE_ROOT_PREFACTOR
    impact_permanent_share: float = 0.0
    impact_temporary: float = TEMPORARY_ETA
    impact_permanent: float = PERMANENT_GAMMA
    impact_half_life_ns: int = 300 * NS_PER_S
    participation: float = 0.0
    bare_floor_bps: float = 1.0
    bare_range_share: float = 0.1
    bare_volatility_share: float = 0.0
    bare_spread_bps: float = 0.0
    bare_random_bps: float = 0.0
    bare_volume_share: float = 0.1
    seed: int = 1

    @property
    def needs_minutes(self) -> bool:
        """Whether somebody asks what was traded minute by minute."""
        return self.impact != "none" or self.participation > 0.0 or self.bare_volatility_share > 0.0

    def law(self) -> Impact:
        if self.impact == "square_root":
            return square_root(
                self.impact_prefactor,
                half_life_ns=self.impact_half_life_ns,
                permanent_share=self.impact_permanent_share,
            )
        if self.impact == "almgren_chriss":
            half_life_ns = self.impact_half_life_ns
            return linear(self.impact_temporary, self.impact_permanent, half_life_ns=half_life_ns)
        return Impact()

    def write(self, venue: SimulatedVenue, seat: int) -> None:
        """Each seat has a price of its own that remembers, and draws numbers of its own."""
        venue["impact"] = self.law()
        venue.has_impact = self.impact != "none"
        venue.participation = self.participation
        venue["generator"] = Generator(OWN_STREAM + self.seed + (seat << 31))
        for name in ("floor_bps", "range_share", "volatility_share", "spread_bps", "random_bps", "volume_share"):
            setattr(venue, f"bare_{name}", getattr(self, f"bare_{name}"))


def taking_terms(settings: SimulatorSettings) -> TakingTerms:
    return TakingTerms(
        impact=settings.impact,
        impact_prefactor=settings.impact_prefactor,
        impact_permanent_share=settings.impact_permanent_share,
        impact_temporary=settings.impact_temporary,
        impact_permanent=settings.impact_permanent,
        impact_half_life_ns=round(settings.impact_half_life_s * NS_PER_S),
        participation=settings.participation_cap,
        bare_floor_bps=settings.bare_floor_bps,
        bare_range_share=settings.bare_range_share,
        bare_volatility_share=settings.bare_volatility_share,
        bare_spread_bps=settings.bare_spread_bps,
        bare_random_bps=settings.bare_random_bps,
        bare_volume_share=settings.bare_volume_share,
        seed=settings.latency_seed,
    )
