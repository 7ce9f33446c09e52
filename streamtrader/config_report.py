"""How mistakes in settings are told: each with its place, its value, what is allowed, the nearest key."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from streamtrader.errors import ConfigError

SHOWN_LENGTH = 60
KeyPath = tuple[str | int, ...]
# Where pydantic's own words would say less, by its name of the error.
RULES = {
    "model_type": "must be a section: keys and values",
    "dict_type": "must be a section: keys and values",
    "string_pattern_mismatch": 'must name a strategy such as "EmaCross", or "package.module:Class" or "path/to/file.py:Class" for your own',
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who said a value: `config.toml:12`, `--set metrics.port`, `STREAMTRADER__METRICS__PORT`, `default`."""

    source: str
    line: int = 0
    is_file: bool = False

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong; `path` is the setting, if one is meant, and `nearest` the one that probably was."""

    origin: Origin
    path: str
    problem: str
    nearest: str = ""

    def __str__(self) -> str:
        setting = f"{self.path} " if self.path else ""
        return f"{self.origin}: {setting}{self.problem}"


DEFAULT = Origin("default")


def complain(mistakes: Iterable[Mistake]) -> ConfigError:
    """One error for all of them: source by source, in the order of their lines."""
    told = list(dict.fromkeys(mistakes))
    sources = {origin: rank for rank, origin in enumerate(dict.fromkeys(mistake.origin.source for mistake in told))}
    told.sort(key=lambda mistake: (sources[mistake.origin.source], mistake.origin.line))
    head = "1 mistake in the settings" if len(told) == 1 else f"{len(told)} mistakes in the settings"
    lines = "".join(f"\n  {mistake}" for mistake in told)
    return ConfigError(f"{head}:{lines}", mistakes=told)


def mistakes_of(error: ValidationError, model: type[BaseModel], origins: Mapping[str, Origin]) -> list[Mistake]:
    """What pydantic found, in our words."""
    return [
        _mistake(detail, model, detail["loc"], origin_of(detail["loc"], origins))
        for detail in error.errors(include_url=False)
    ]


def _mistake(detail: Any, model: type[BaseModel], path: KeyPath, origin: Origin) -> Mistake:
    match detail["type"]:
        case "extra_forbidden":
            nearest = nearest_key(model, path)
            hint = f"; did you mean {nearest}?" if nearest else ""
            return Mistake(origin, dotted(path), f"is unknown{hint}", nearest)
        case "missing":
            return Mistake(origin, dotted(path), "must be given")
        case _:
            return Mistake(origin, dotted(path), f"= {shown(detail['input'])} {_rule(detail)}")


def _rule(detail: Any) -> str:
    """`must be greater than 0`, from pydantic's `Input should be greater than 0`."""
    message = str(detail["msg"]).removeprefix("Value error, ")
    return RULES.get(detail["type"], message.replace("Input should be", "must be").replace("Input should", "must"))


def shown(value: Any) -> str:
    """A value much as it was written, cut when it is long."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."


def dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def origin_of(path: KeyPath, origins: Mapping[str, Origin]) -> Origin:
    """Where a value came from: of itself, of the nearest section or list around it, or of the first one in it."""
    for length in range(len(path), 0, -1):
        found = origins.get(dotted(path[:length]))
        if found is not None:
            return found
    inside = dotted(path) + "."
    return next((origin for known, origin in origins.items() if known.startswith(inside)), DEFAULT)


def nearest_key(model: type[BaseModel], path: KeyPath) -> str:
    """The key that was probably meant: in the same section, else the same key in another section."""
    wrong = str(path[-1])
    section = annotation_at(model, path[:-1])
    siblings = list(section.model_fields) if _is_model(section) else []
    close = difflib.get_close_matches(wrong, siblings, n=1, cutoff=0.6)
    if close:
        return dotted((*path[:-1], close[0]))
    everywhere = {key.rpartition(".")[2]: key for key in reversed(list(all_keys(model)))}
    close = difflib.get_close_matches(wrong, everywhere, n=1, cutoff=0.8)
    return everywhere[close[0]] if close else ""


def annotation_at(model: Any, path: KeyPath) -> Any:
    """What a setting is declared as, or None where there is none of that name."""
    for part in path:
        if _is_model(model):
            field = model.model_fields.get(str(part))
            model = field.annotation if field else None
        elif isinstance(part, int):
            model = next(iter(get_args(model)), None)
        else:
            return None
    return model


def all_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every section and setting, dotted."""
    for name, field in model.model_fields.items():
        yield prefix + name
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from all_keys(annotation, f"{prefix}{name}.")


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
