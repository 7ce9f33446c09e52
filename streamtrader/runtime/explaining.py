"""Why a class did not compile, in one line: the compiler's own words are pages long and begin with what matters least."""

from __future__ import annotations

import inspect
import linecache
import re
from pathlib import Path

SHOWN_LENGTH = 160
_PLACE = re.compile(r"at (\S+\.py) \((\d+)\)|File \"([^\"]+\.py)\", line (\d+)")
_NOISE = ("Failed in", "- Resolution failure", "During", "raised from", "None")


def why_not_compiled(cls: type, error: Exception) -> str:
    """What the compiler said first, and the line of the class's own file that it said it of."""
    lines = [line.strip() for line in str(error).splitlines()]
    if isinstance(error, KeyError):
        reason = f"it uses self.{error.args[0]}, which __init__ does not assign"
    else:
        told = (line for line in lines if line and not line.startswith(_NOISE))
        reason = next(told, type(error).__name__).partition("(Record(")[0]
    place = _place(cls, "\n".join(lines))
    return f"{reason[:SHOWN_LENGTH].rstrip(' .:')}{place}"


def _place(cls: type, text: str) -> str:
    """` (file:line: source)`, or nothing where the compiler names no line of that file."""
    try:
        own = inspect.getsourcefile(cls)
    except TypeError:
        own = None
    for found in _PLACE.finditer(text):
        path, line = found[1] or found[3], found[2] or found[4]
        if own is not None and Path(path).name == Path(own).name:
            source = linecache.getline(own, int(line)).strip()
            return f" ({Path(own).name}:{line}: {source})"
    return ""
