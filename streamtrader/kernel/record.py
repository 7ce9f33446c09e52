"""State is bytes: a plain class whose `__init__` assigns numbers, arrays and other records becomes a fixed layout.

To its author a record is an ordinary object. To NumPy it is an aligned structured scalar whose type is the class.
`compiler.py` makes Numba see a struct with methods. This module knows no Numba and never must: tapes are read by
programs that compile nothing.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import inspect
import math
from collections.abc import Callable, Iterable
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.kernel import memory

# Every layout that was ever made, and who wants to hear of new ones (the compiler, once it is imported).
layouts: dict[np.dtype[Any], type[Record]] = {}
listeners: list[Any] = []
_first_source: dict[str, str] = {}  # of each class name: what its methods were when it first made a record


def _identity(cls: type) -> str:
    """The name that tells the layouts of two classes apart, and with it their compiled methods.

    A notebook defines the same class again and again: once its code differs, it is another class.
    """
    name, source = f"{cls.__module__}.{cls.__qualname__}", _source_of(cls)
    return name if _first_source.setdefault(name, source) == source else f"{name}~{source[:12]}"


def _bases(cls: type) -> tuple[type, ...]:
    """The classes that a record is made of; NumPy's has a hundred names, and no method of ours."""
    return cls.__mro__[: cls.__mro__.index(np.void)]


def members_of(cls: type) -> dict[str, Any]:
    """What a class of records and those before it define for everybody, as it stands there."""
    defined = {name: value for base in reversed(_bases(cls)) for name, value in vars(base).items()}
    return {name: value for name, value in defined.items() if not name.startswith("_")}


def _source_of(cls: type) -> str:
    """A hash over the code of the methods, wherever they are inherited from."""
    digest = hashlib.sha256()
    for base in _bases(cls):
        for name, value in sorted(vars(base).items()):
            if inspect.isfunction(value):
                digest.update(name.encode() + _words_of(value.__code__) + repr(value.__defaults__).encode())
            elif isinstance(value, bool | int | float):
                digest.update(f"{name}={value!r}".encode())
    return digest.hexdigest()


@functools.cache  # a code object never changes
def _words_of(code: CodeType) -> bytes:
    constants = [_words_of(each) if isinstance(each, CodeType) else each for each in code.co_consts]
    return code.co_code + repr((constants, code.co_names)).encode()


def _layout(cls: type, values: dict[str, Any]) -> np.dtype[Any]:
    """Scalars on their natural alignment, arrays and records on 8 bytes, the whole a multiple of 8.

    By hand, because `align=True` refuses nested records after a bool.
    """
    names, formats, offsets, titles, at, identity = [], [], [], [], 0, _identity(cls)
    for name, given in (values or {"unused": 0}).items():
        if not isinstance(given, bool | int | float | np.generic | np.ndarray):
            raise TypeError(
                f"{cls.__name__}.{name} is a {type(given).__name__}; "
                "a record holds numbers, NumPy arrays and other records"
            )
        value = given if isinstance(given, np.void) else np.asarray(given)
        is_scalar = value.dtype.fields is None and value.shape == ()
        alignment = value.dtype.alignment if is_scalar else 8
        at = -(-at // alignment) * alignment
        names.append(name)
        formats.append((value.dtype, value.shape))
        offsets.append(at)
        titles.append(f"{identity}.{name}")  # equal fields, still two Numba types
        at += value.dtype.itemsize * math.prod(value.shape)
    size = max(8, -(-at // 8) * 8)
    fields = {"names": names, "formats": formats, "offsets": offsets, "titles": titles, "itemsize": size}
    return np.dtype((cls, np.dtype(fields)))  # type: ignore[call-overload]


if TYPE_CHECKING:

    int64 = int

    class _Void:
        """What mypy sees: an ordinary class, so that the fields of `__init__` have their own types."""

        dtype: np.dtype[Any]

        def __getitem__(self, name: str) -> Any: ...
        def __setitem__(self, name: str, value: Any) -> None: ...
        def tobytes(self) -> bytes: ...

else:
    _Void = np.void
    int64 = np.int64  # compiled and uncompiled, methods cut floats to the same 64 bits; to mypy that is an int


class Record(_Void):
    """Ordinary class to its author, fixed bytes to NumPy, struct with methods to Numba."""

    if not TYPE_CHECKING:

        def __new__(cls, *args: Any, **kwargs: Any) -> Record:
            draft = np.zeros(1, np.dtype((cls, np.dtype([]))))[0]  # no fields yet: assignments land in its dict
            cls.__init__(draft, *args, **kwargs)
            layout = _layout(cls, vars(draft))
            if layout not in layouts or layouts[layout] is not cls:
                layouts[layout] = cls
                for listener in listeners:
                    listener(cls, layout)
            return np.zeros(1, layout)[0]  # Python now calls __init__ again, filling the bytes.

        def __getattribute__(self, name: str) -> Any:
            fields = np.void.__getattribute__(self, "dtype").fields
            if fields and name in fields:
                return np.void.__getitem__(self, name)
            if fields is None and name in (draft := object.__getattribute__(self, "__dict__")):
                return draft[name]
            return object.__getattribute__(self, name)

        def __setattr__(self, name: str, value: Any) -> None:
            if self.dtype.names:
                self[name] = value
            else:
                vars(self)[name] = value  # NumPy has its own `size`, `data`, `flags`...


class View:
    """An attribute that reads the same bytes as another record of equal size."""

    def __init__(self, cls: type[Record]) -> None:
        self.cls = cls
        self.layout = cls().dtype

    def __get__(self, record: Any, owner: type | None = None) -> Any:
        if record is None:
            return self
        # Only the uncompiled loop comes here: the same memory, not a copy, while the record's array lives.
        raw = (ctypes.c_char * self.layout.itemsize).from_address(record.__array_interface__["data"][0])
        return np.frombuffer(memoryview(raw), self.layout)[0]


def boxed(*records: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """Records of one layout in an array: what a compiled loop can be handed. Padding is zero."""
    return boxed_each(len(records), records.__getitem__)


def boxed_each(count: int, make: Callable[[int], Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """`boxed`, for records that are made one after the other: all of them at once would fill the memory."""
    record = make(0)
    box, one = memory.zeros(count, record.dtype), np.zeros(1, record.dtype)
    for index in range(count):
        record = make(index) if index else record
        if record.dtype != box.dtype:
            raise TypeError(f"{type(record).__name__}: records of one array need one layout")
        one[0] = record
        memory.put(box[index : index + 1], one)
    return box


def bytes_of(arrays: Iterable[np.ndarray[Any, Any]]) -> bytes:
    """The state as bytes, in the order given."""
    return b"".join(array.tobytes() for array in arrays)
