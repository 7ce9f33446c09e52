"""The section [simulator]: what the venue of a paper or replayed session is like."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from streamtrader.config_section import Section, Share, name_list

LatencyMs = Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)]
SlippageBps = Annotated[float, Field(ge=0, le=5_000, allow_inf_nan=False)]
Coefficient = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]
TIERS_MOST = 16
Feature = Literal["expiry", "amend", "iceberg", "stop", "trailing"]
FeeBps = Annotated[float, Field(ge=-100, le=1_000, allow_inf_nan=False)]


def _checked_tiers(given: Any) -> tuple[tuple[float, float, float], ...]:
    """Not a type of tuples: one mistake should be told once."""
    if not isinstance(given, list | tuple) or len(given) > TIERS_MOST:
        raise ValueError(f"must be a list of at most {TIERS_MOST} tiers [volume, maker_bps, taker_bps]")
    tiers = []
    for tier in given:
        is_triple = isinstance(tier, list | tuple) and len(tier) == 3
        if not is_triple or not all(_is_number(each) for each in tier):
            raise ValueError(f"must hold tiers of three numbers [volume, maker_bps, taker_bps], not {tier!r}")
        if not all(-100 <= bps <= 1_000 for bps in tier[1:]):
            raise ValueError(f"must hold rates from -100 to 1000 basis points, not {tier!r}")
        tiers.append((float(tier[0]), float(tier[1]), float(tier[2])))
    volumes = [tier[0] for tier in tiers]
    if tiers and (volumes[0] != 0.0 or any(one >= other for one, other in pairwise(volumes))):
        raise ValueError("must begin at a volume of 0, and each tier at a larger one than the tier before it")
    return tuple(tiers)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class FeeAssetSettings(Section):
    name: str = ""
    discount: Share = 0.25
    balance: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)] = 0.0
    price: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)] = 0.0
    max_age_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 60.0


class SimulatorSettings(Section):
    up_latency_ms: LatencyMs = 10.0
    down_latency_ms: LatencyMs = 10.0
    latency: Literal["constant", "log_normal", "recorded"] = "constant"
    latency_sigma: Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)] = 0.5
    latency_seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    latency_file: str = ""
    maker_fee_bps: FeeBps | None = None
    taker_fee_bps: FeeBps | None = None
    fee_tiers: Annotated[Any, AfterValidator(_checked_tiers)] = ()
    fee_volume: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)] = 0.0
    queue: Literal["pessimistic", "power", "log", "trades", "optimistic"] = "pessimistic"
    queue_power: Annotated[float, Field(gt=0, le=20, allow_inf_nan=False)] = 2.0
    impact: Literal["none", "square_root", "almgren_chriss"] = "none"
    impact_prefactor: Coefficient = 0.9
    impact_permanent_share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    impact_temporary: Coefficient = 0.142
    impact_permanent: Coefficient = 0.314
    impact_half_life_s: Annotated[float, Field(ge=0, le=86_400_000, allow_inf_nan=False)] = 300.0
    participation_cap: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    bare_floor_bps: SlippageBps = 1.0
    bare_range_share: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.1
    bare_volatility_share: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.0
    bare_spread_bps: SlippageBps = 0.0
    bare_random_bps: SlippageBps = 0.0
    bare_volume_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.1
    self_trade: Literal["none", "cancel_taker", "cancel_maker", "cancel_both"] = "cancel_maker"
    fee_asset: FeeAssetSettings = FeeAssetSettings()
    emulate: Annotated[tuple[Feature, ...], BeforeValidator(name_list)] | None = None
