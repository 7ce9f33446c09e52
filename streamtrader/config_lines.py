"""On which line of a TOML text each key stands: what Python's own reader does not tell.

The text is known to be valid. Where a key has no line of its own (inside an inline table), its owner's line serves.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

HEADER = re.compile(r"^(\[\[?)(.*?)\]\]?\s*(#.*)?$")


def key_lines(text: str) -> dict[tuple[str | int, ...], int]:
    r"""The line of every table, and of every key that stands at the start of a line.

    >>> key_lines('[metrics]\nport = 1\n[[strategies]]\nname = "A"')
    {('metrics',): 1, ('metrics', 'port'): 2, ('strategies', 0): 3, ('strategies', 0, 'name'): 4}
    """
    lines: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    pending = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if pending:
            pending += "\n" + raw
        elif not line or line.startswith("#"):
            continue
        elif header := HEADER.match(line):
            table = _table(_keys(header.group(2)), header.group(1) == "[[", counts)
            lines.setdefault(table, number)
        else:
            pending = raw
            keys = _keys(raw.partition("=")[0])
            for length in range(1, len(keys) + 1):
                lines.setdefault((*table, *keys[:length]), number)
        if _is_whole(pending):
            pending = ""
    return lines


def _table(keys: tuple[str, ...], is_array: bool, counts: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    """The full path of a header: inside an array of tables, its newest one is meant."""
    path: tuple[str | int, ...] = ()
    for key in keys[:-1]:
        path = (*path, key)
        path = (*path, counts[path]) if path in counts else path
    path = (*path, keys[-1])
    if is_array:
        counts[path] = counts.get(path, -1) + 1
    return (*path, counts[path]) if path in counts else path


def _keys(text: str) -> tuple[str, ...]:
    """A dotted key, quoted or not, as TOML itself reads it; one odd key where our cut went through a quoted one."""
    try:
        table: Any = tomllib.loads(f"{text} = 0")
    except ValueError:
        return (text.strip(),)
    keys: list[str] = []
    while isinstance(table, dict):
        [(key, table)] = table.items()
        keys.append(key)
    return tuple(keys)


def _is_whole(assignment: str) -> bool:
    try:
        tomllib.loads(assignment)
    except ValueError:
        return False
    return True
