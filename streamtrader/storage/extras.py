"""Libraries that not everybody installs: imported when first needed, missed in words that name the command."""

from __future__ import annotations

import importlib
from typing import Any

from streamtrader.errors import ConfigError


def library(name: str, *, extra: str, what: str) -> Any:
    """Import a library that belongs to an extra; without it a `ConfigError` says what to install and for what."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"{what} needs {name.partition('.')[0]}, which is not installed ({error}). "
            f"Install it with: pip install 'streamtrader[{extra}]'"
        ) from None


def arrow() -> Any:
    """`pyarrow`, and `pyarrow.parquet` with it."""
    library("pyarrow.parquet", extra="lake", what="the Parquet lake")
    return library("pyarrow", extra="lake", what="the Parquet lake")
