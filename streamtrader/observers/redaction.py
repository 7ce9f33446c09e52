"""What may not leave in a log line: values under telling names, and secrets that are known by their text.

Cleaning also copies: what comes out is plain JSON data of bounded size without control characters, so that a line
can be written later, on another thread, and cannot be made to look like two.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

HIDDEN = "[redacted]"
TEXT_MAX = 8_192
ITEMS_MAX = 100
DEPTH_MAX = 6
NAMES_MAX = 1_024
TELLING = "key|secret|signature|token|password|passphrase|credential|authorization|cookie"
TELLING_NAME = re.compile(rf"(?i){TELLING}")
# In running text: `signature=ab12`, `"apiKey": "ab12"`, `X-MBX-APIKEY: ab12`, `Authorization: Bearer ab12`. Each part
# is bounded or can match in one way only: what a venue sends must not make this slow.
ASSIGNED = re.compile(
    rf"(?i)((?:{TELLING})s?['\"]?\s{{0,3}}[=:]\s{{0,3}})"
    r"(?:b?'[^']*'?|b?\"[^\"]*\"?|(?:(?:bearer|basic)\s{1,3})?[^\s&'\",;)}\]]+)"
)
USER_IN_URL = re.compile(r"(://)[^/\s@]{1,256}@")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Redactor:
    """Cleans values. Register a secret when it is read; from then on its text is found wherever it turns up."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()
        self._reach = 0
        self._names: dict[str, tuple[str, bool]] = {}

    def register(self, secret: str) -> None:
        """Longest first, so that a secret that holds another goes whole; also as a URL would carry it."""
        if secret:
            known = {*self._secrets, secret, quote(secret, safe=""), quote(secret)}
            self._secrets = tuple(sorted(known, key=len, reverse=True))
            self._reach = len(self._secrets[0])
            self._names.clear()

    def text(self, text: str, *, is_multiline: bool = False) -> str:
        """One string without secrets and without control characters; a traceback keeps its line ends."""
        length = len(text)
        text = text[: TEXT_MAX + self._reach]  # a secret that lies across the cut is found before it is cut
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        if length > TEXT_MAX:
            text = f"{text[:TEXT_MAX]}... ({length} characters)"
        if "=" in text or ":" in text:  # most text has neither, and a search costs more than all the rest
            text = USER_IN_URL.sub(rf"\1{HIDDEN}@", ASSIGNED.sub(rf"\1{HIDDEN}", text))
        if text.isprintable():
            return text
        return (CONTROL_BUT_NEWLINE if is_multiline else CONTROL).sub(_escaped, text)

    def value(self, value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one line for each kind of value
        """Anything as JSON data."""
        match value:
            case bool() | None:
                return value
            case int():
                return int(value) if -(2**63) <= value < 2**63 else str(value)
            case float():
                return float(value) if math.isfinite(value) else str(value)
            case str():
                return self.text(value)
            case bytes() | bytearray():
                return self.text(bytes(value[:TEXT_MAX]).decode("utf-8", "backslashreplace"))
            case Mapping() if depth < DEPTH_MAX:
                return self.mapping(value, depth + 1)
            case list() | tuple() | set() | frozenset() if depth < DEPTH_MAX:
                return self._items(value, depth)
            case _:
                return self._other(value, depth)

    def mapping(self, values: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
        """A dictionary whose telling names have lost their values."""
        cleaned: dict[str, Any] = {}
        for key, value in list(values.items())[:ITEMS_MAX]:
            name, is_telling = self._names.get(key) or self._name(key)
            cleaned[name] = HIDDEN if is_telling and value is not None else self.value(value, depth)
        if len(values) > ITEMS_MAX:
            cleaned["..."] = f"{len(values)} entries"
        return cleaned

    def _name(self, key: Any) -> tuple[str, bool]:
        """A key, cleaned, and whether it tells of a secret; the few names that a program logs are remembered."""
        name = self.text(str(key))
        found = name, TELLING_NAME.search(name) is not None
        if type(key) is str and len(self._names) < NAMES_MAX:
            self._names[key] = found
        return found

    def _items(self, values: Any, depth: int) -> list[Any]:
        items = [self.value(item, depth + 1) for item in list(values)[:ITEMS_MAX]]
        return items if len(values) <= ITEMS_MAX else [*items, f"... ({len(values)} items)"]

    def _other(self, value: Any, depth: int) -> Any:
        item = getattr(value, "item", None)  # a NumPy scalar; anything else is told by its own text
        if callable(item) and getattr(value, "shape", None) == () and depth < DEPTH_MAX:
            return self.value(item(), depth + 1)
        try:
            return self.text(str(value) if isinstance(value, BaseException) else repr(value))
        except Exception as error:  # noqa: BLE001 - a log line may not fail because a repr does
            return f"<{type(value).__name__}: its text cannot be made: {type(error).__name__}>"


def _escaped(found: re.Match[str]) -> str:
    r"""A line end as the two characters \n: what an attacker sends stays on its line."""
    return found.group().encode("unicode_escape").decode()
