"""The section [simulator]: what the venue of a paper or replayed session is like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from streamtrader.config_section import Section, name_list

LatencyMs = Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)]
Feature = Literal["expiry", "amend", "iceberg", "stop", "trailing"]
FeeBps = Annotated[float, Field(ge=-100, le=1_000, allow_inf_nan=False)]


class SimulatorSettings(Section):
    up_latency_ms: LatencyMs = 10.0
    down_latency_ms: LatencyMs = 10.0
    latency: Literal["constant", "log_normal", "recorded"] = "constant"
    latency_sigma: Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)] = 0.5
    latency_seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    latency_file: str = ""
    maker_fee_bps: FeeBps | None = None
    taker_fee_bps: FeeBps | None = None
    queue: Literal["pessimistic", "power", "log", "trades", "optimistic"] = "pessimistic"
    queue_power: Annotated[float, Field(gt=0, le=20, allow_inf_nan=False)] = 2.0
    self_trade: Literal["none", "cancel_taker", "cancel_maker", "cancel_both"] = "cancel_maker"
    emulate: Annotated[tuple[Feature, ...], BeforeValidator(name_list)] | None = None
