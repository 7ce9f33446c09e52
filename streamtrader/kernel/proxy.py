"""Records for plain Python: the same bytes behind ordinary attributes, twenty times quicker than NumPy's scalars.

A proxy has the fields of a record as properties over memory views, nested records and arrays of records as proxies,
and the record's own methods, constants and properties. It is what plain Python strategies see; writing to a field
writes the engine's memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from streamtrader.kernel.record import View, members_of

Letter = Literal["q", "d", "?", "B", "H", "I"]  # of `memoryview.cast`
_FORMATS: dict[str, Letter] = {"<i8": "q", "<f8": "d", "|b1": "?", "|u1": "B", "<u2": "H", "<u4": "I"}


def proxy_of(array: np.ndarray[Any, Any], index: int) -> Any:
    """The record at `index` of an array; the array must outlive the proxy."""
    size = array.dtype.itemsize
    memory = array.view(np.uint8).reshape(-1).data.cast("B")[index * size : (index + 1) * size]
    return _proxy_class(array.dtype)(memory)


@functools.cache
def _proxy_class(layout: np.dtype[Any]) -> type:
    """The class of proxies of one layout."""
    cls = layout.type
    names: dict[str, Any] = {"__slots__": ("_memory", "_parts", "_words")}
    for name, value in members_of(cls).items():
        if isinstance(value, View):
            names[name] = _part(name, _proxy_class(value.layout))
        else:
            names[name] = value
    formats: set[Letter] = set()
    for name in layout.names or ():
        field, offset = layout.fields[name][:2]  # type: ignore[index]
        if field.subdtype is None and field.fields is None:
            letter = _FORMATS[field.str]
            formats.add(letter)
            names[name] = _scalar(letter, offset // field.itemsize)
        else:
            names[name] = _part(name, functools.partial(_nested, field, offset))

    def start(self: Any, memory: memoryview) -> None:
        self._memory = memory
        self._words = {letter: _cast(memory, letter) for letter in formats}
        self._parts = {}

    names["__init__"] = start
    return type(f"{cls.__name__}Proxy", (), names)


def _cast(memory: memoryview, letter: Letter) -> Any:
    """As many whole numbers as there are."""
    width = _width(letter)
    return memory[: len(memory) // width * width].cast(letter)


def _width(letter: Letter) -> int:
    return {"q": 8, "d": 8, "?": 1, "B": 1, "H": 2, "I": 4}[letter]


def _scalar(letter: Letter, place: int) -> property:
    def read(self: Any) -> Any:
        return self._words[letter][place]

    def write(self: Any, value: Any) -> None:
        self._words[letter][place] = value

    return property(read, write)


def _part(name: str, make: Callable[[memoryview], Any]) -> property:
    """Made when it is first asked for: a book has thousands of slots that nobody looks at."""

    def read(self: Any) -> Any:
        parts = self._parts
        if name not in parts:
            parts[name] = make(self._memory)
        return parts[name]

    return property(read)


def _nested(field: np.dtype[Any], offset: int, memory: memoryview) -> Any:
    """A nested record, an array of records, or an array of numbers, at its place."""
    part = memory[offset : offset + field.itemsize]
    if field.subdtype is None:
        return _proxy_class(field)(part)
    element, shape = field.subdtype
    if element.fields is not None:
        size = element.itemsize
        return [_proxy_class(element)(part[at : at + size]) for at in range(0, len(part), size)]
    letter = _FORMATS[element.str]
    return part.cast(letter) if len(shape) == 1 else part.cast(letter, shape=list(shape))
