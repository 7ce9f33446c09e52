"""The section [simulator]: what the venue of a paper or replayed session is like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from streamtrader.config_section import Section

LatencyMs = Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)]
FeeBps = Annotated[float, Field(ge=-100, le=1_000, allow_inf_nan=False)]


class SimulatorSettings(Section):
    up_latency_ms: LatencyMs = 10.0
    down_latency_ms: LatencyMs = 10.0
    maker_fee_bps: FeeBps | None = None
    taker_fee_bps: FeeBps | None = None
    queue: Literal["pessimistic", "power", "log", "trades", "optimistic"] = "pessimistic"
    queue_power: Annotated[float, Field(gt=0, le=20, allow_inf_nan=False)] = 2.0
