"""Where settings come from: TOML files, environment, `--set`. Each value keeps its origin, with the line in its file.

Nothing here knows what a setting means, beyond which values are text: `--set run.root=2024` is a folder, not a
number. What looks like a secret is taken out here, before anything could print it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from streamtrader.config_lines import key_lines
from streamtrader.config_report import KeyPath, Mistake, Origin, annotation_at, dotted

ENVIRONMENT_PREFIX = "STREAMTRADER__"
FILE_BYTES_MAX = 1 << 20
SECRET_NAME = re.compile(
    r"(?i)(api_?key|secret|token|passw|passphrase|private_?key|credential|signature|listen_?key)"
)
SECRET_LOOKS = (
    re.compile(r"^(0x)?[0-9a-fA-F]{32,}$"),
    re.compile(r"^(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/_=-]{40,}$"),
    re.compile(r"-----BEGIN"),
)
PATH_KEYS = ("root", "market", "file", "latency_file")  # a long path may look like base64
HIDDEN = "looks like a secret, and none is read from settings: take it out, and renew it if it was real"


@dataclass(slots=True)
class Sources:
    """Everything that was said, later sources over earlier ones; who said it; and what could not be read."""

    model: type[BaseModel]
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def read(self, file: Path) -> None:
        """One TOML file; what is wrong with it does not keep the other sources from being read."""
        try:
            if file.stat().st_size > FILE_BYTES_MAX:
                self._refuse(Origin(str(file)), "is larger than 1 MiB: this is no file of settings")
                return
            text = file.read_bytes().decode()
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"\(at line (\d+)", str(error))
            self._refuse(Origin(str(file), int(found.group(1)) if found else 0), f"is not TOML: {error}")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            self._refuse(Origin(str(file), line), "is not UTF-8 text")
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets without end
            self._refuse(Origin(str(file)), f"is not TOML that can be read: {error}")
        except OSError as error:
            self._refuse(Origin(str(file)), f"cannot be read: {error.strerror or error}")
        else:
            self._take_file(str(file), table, key_lines(text))

    def take_environment(self, environ: Mapping[str, str]) -> None:
        """The variables `STREAMTRADER__SECTION__KEY`."""
        for name in sorted(environ):
            if name.startswith(ENVIRONMENT_PREFIX):
                parts = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
                self._take_text(parts, environ[name], Origin(name))

    def take_override(self, override: str) -> None:
        """One `--set section.key=value`."""
        key, equals, value = override.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if equals and all(parts):
            self._take_text(parts, value.strip(), Origin(f"--set {key.strip()}"))
        else:
            self._refuse(Origin(f"--set {key}"), "must have the form section.key=value")

    def _refuse(self, origin: Origin, problem: str, path: str = "") -> None:
        self.mistakes.append(Mistake(origin, path, problem))

    def _take_file(self, file: str, table: dict[str, Any], lines: Mapping[KeyPath, int]) -> None:
        origins = {path: _at(file, lines, path) for path, _ in _walk(table)}
        for path in [path for path, value in _walk(table) if is_secret(path, value)]:
            self._refuse(origins[path], HIDDEN, dotted(path))
            owner = _place(table, path[:-1])
            owner[path[-1]] = ""
        self._merge(self.values, table, (), origins)

    def _merge(
        self, into: dict[str, Any], table: Mapping[str, Any], path: KeyPath, origins: Mapping[KeyPath, Origin]
    ) -> None:
        """Tables join, everything else replaces: a list of strategies is said whole."""
        for key, value in table.items():
            here = (*path, key)
            if isinstance(value, dict) and isinstance(into.setdefault(key, {}), dict):
                self.origins.setdefault(dotted(here), origins[here])
                self._merge(into[key], value, here, origins)
            else:
                into[key] = value
                self._set_origin(here, origins[here])
                for inner, _ in _walk(value):
                    self.origins[dotted((*here, *inner))] = origins[(*here, *inner)]

    def _set_origin(self, path: KeyPath, origin: Origin) -> None:
        """What was said before about a value and everything inside it no longer counts."""
        text = dotted(path)
        for known in [known for known in self.origins if known.startswith(text + ".")]:
            del self.origins[known]
        self.origins[text] = origin

    def _take_text(self, parts: Sequence[str], text: str, origin: Origin) -> None:
        path: KeyPath = tuple(int(part) if part.isdecimal() and len(part) <= 6 else part for part in parts)
        value = self._parsed(path, text)
        if is_secret(path, text):
            self._refuse(origin, HIDDEN, dotted(path))
            return
        self._seed_list(path)
        place: Any = _place(self.values, path[:-1])
        last = path[-1]
        is_key = isinstance(place, dict) and isinstance(last, str)
        is_index = isinstance(place, list) and isinstance(last, int) and last < len(place)
        if not (is_key or is_index):
            self._refuse(origin, "has no such place: a list is given whole, in a file", dotted(path))
            return
        place[last] = value
        self._set_origin(path, origin)

    def _parsed(self, path: KeyPath, text: str) -> Any:
        """A value as TOML would read it, and text where the setting is text or the value is nothing else."""
        if _is_text(annotation_at(self.model, path)):
            return text
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except (ValueError, KeyError, RecursionError):
            return text

    def _seed_list(self, path: KeyPath) -> None:
        """`strategies.0.parameters.size` may also change a strategy that is there by default."""
        field_ = self.model.model_fields.get(str(path[0]))
        if field_ is None or path[0] in self.values or len(path) < 2 or not isinstance(path[1], int):
            return
        if isinstance(field_.default, tuple):
            self.values[str(path[0])] = [section.model_dump(mode="json") for section in field_.default]


def _place(values: Any, path: KeyPath) -> Any:
    """What holds the last part of a path, made if it is a section that nobody has mentioned; None if it cannot be."""
    place = values
    for part in path:
        if isinstance(place, list) and isinstance(part, int) and part < len(place):
            place = place[part]
        elif isinstance(place, dict) and isinstance(part, str):
            place = place.setdefault(part, {})
        else:
            return None
    return place


def _at(file: str, lines: Mapping[KeyPath, int], path: KeyPath) -> Origin:
    """The line of a key, or of the nearest thing around it that has a line of its own."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return Origin(file, lines[path[:length]], is_file=True)
    return Origin(file, 0, is_file=True)


def _walk(value: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Every value inside a table or array, with its path from there."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (key,), inner
        for path, leaf in _walk(inner):
            yield (key, *path), leaf


def _is_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return all(isinstance(value, str) for value in get_args(annotation))
    return annotation is str


def is_secret(path: KeyPath, value: Any) -> bool:
    """Whether text has the name or the looks of a key."""
    if not isinstance(value, str) or not value:
        return False
    names = [part for part in path if isinstance(part, str)]
    if names and SECRET_NAME.search(names[-1]):
        return True
    return bool(names) and names[-1] not in PATH_KEYS and any(looks.search(value) for looks in SECRET_LOOKS)
