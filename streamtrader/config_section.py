"""What the sections of settings have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class Section(BaseModel):
    """No unknown key, no conversion between types, no change afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def name_list(given: Any) -> Any:
    """`--set venue.fallback=kraken,okx` is a list, and so is an array of TOML; no text is an empty one."""
    return (
        tuple(name.strip() for name in given.split(",") if name.strip()) if isinstance(given, str) else listed(given)
    )


def listed(values: Any) -> Any:
    """TOML's arrays are lists; settings are frozen."""
    return tuple(values) if isinstance(values, list) else values
