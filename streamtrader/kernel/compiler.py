"""Behaviour is ordinary classes: lets Numba resolve `record.method(...)`, constants, properties and views.

The house options, in one place and with their reasons:

* `error_model="numpy"`: the same division in every mode (0.0 / 0.0 is nan, no exception).
* no `fastmath`: it may reorder sums, and a replay must end in the same bytes on every machine.
* methods have no wrappers (they compile a third faster) and no reference counts (`_nrt=False`: 1.4 times faster,
  and an allocation in the loop becomes a compile error, which is what we want).
* `forceinline` on the spine only: inlining all gives a fifth more speed for twice the compile time.
"""

from __future__ import annotations

import functools
import inspect
import types as python_types
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numba.core import types
from numba.core.imputils import lower_builtin, lower_getattr
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr
from numba.extending import overload, typeof_impl

from streamtrader.kernel import record as records
from streamtrader.kernel.lean import KERNEL_PIPELINE, METHOD_PIPELINE
from streamtrader.kernel.shortcuts import layout_type, take_shortcuts

OPTIONS = {"error_model": "numpy", "nogil": True}
METHOD_OPTIONS = OPTIONS | METHOD_PIPELINE | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
take_shortcuts()
# Our own loop runs without bounds checks; whatever a user may write or extend has them.
UNCHECKED = ("streamtrader.kernel.", "streamtrader.simulator.", "streamtrader.events")

_class_of_type: dict[types.Record, type] = {}
_attributes: dict[tuple[types.Record, str], types.Type] = {}
_properties: dict[tuple[types.Record, str], types.Dispatcher] = {}
_overloaded: set[Callable[..., Any]] = set()


def inlined(method: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a method of the spine: it is compiled into its caller."""
    method.__dict__["is_inlined"] = True
    return method


def register(cls: type, layout: np.dtype[Any]) -> None:
    """Make a layout known: its methods, constants, properties and views."""
    record = layout_type(layout)
    if record in _class_of_type:
        return
    _class_of_type[record] = cls
    for name, value in records.members_of(cls).items():
        if name in (layout.fields or ()):
            continue
        if isinstance(value, bool | int | float):
            _register_constant(record, name, value)
        elif isinstance(value, property) and value.fget is not None:
            _register_property(record, name, value.fget)
        elif isinstance(value, staticmethod):
            _attributes[record, name] = types.Dispatcher(_compiled_function(value.__func__))
            lower_getattr(record, name)(lambda context, builder, typ, pointer: context.get_dummy_value())
        elif isinstance(value, records.View):
            _attributes[record, name] = layout_type(value.layout)
            lower_getattr(record, name)(lambda context, builder, typ, pointer: pointer)


def _register_constant(record: types.Record, name: str, value: float) -> None:
    number = types.boolean if isinstance(value, bool) else types.int64 if isinstance(value, int) else types.float64
    _attributes[record, name] = number
    constant = value if isinstance(value, bool) else int(value) if isinstance(value, int) else float(value)
    lower_getattr(record, name)(
        lambda context, builder, typ, pointer: context.get_constant(number, constant)
    )


def _register_property(record: types.Record, name: str, getter: Callable[..., Any]) -> None:
    dispatcher = types.Dispatcher(_compiled_function(getter))  # it holds a weak reference only
    _properties[record, name] = dispatcher

    @lower_getattr(record, name)
    def lower(context: Any, builder: Any, typ: Any, pointer: Any) -> Any:
        signature = dispatcher.get_call_type(context.typing_context, (record,), {})
        return _call(context, builder, dispatcher, signature, (pointer,))


def _call(context: Any, builder: Any, dispatcher: Any, signature: Any, args: Any) -> Any:
    dispatcher.get_call_type(context.typing_context, signature.args, {})
    return context.get_function(dispatcher, signature)(builder, args)


def _method_of(value: types.Type, cls: type, name: str) -> types.BoundFunction | None:
    if inspect.isfunction(inspect.getattr_static(cls, name, None)):
        return types.BoundFunction(_method_template(cls, name), value)
    return None


@infer_getattr
class _RecordMethods(AttributeTemplate):
    key = types.Record

    def generic_resolve(self, record: types.Record, name: str) -> Any:
        if getter := _properties.get((record, name)):
            return getter.get_call_type(self.context, (record,), {}).return_type
        if known := _attributes.get((record, name)):
            return known
        cls = _class_of_type.get(record)
        return cls and _method_of(record, cls, name)


@infer_getattr
class _TupleMethods(AttributeTemplate):
    """The same for a NamedTuple of records and arrays: a bundle that costs nothing once inlined."""

    key = types.BaseNamedTuple if hasattr(types, "BaseNamedTuple") else types.NamedTuple

    def generic_resolve(self, bundle: Any, name: str) -> Any:
        cls = bundle.instance_class
        return None if name in cls._fields else _method_of(bundle, cls, name)


@functools.cache
def compiled_method(cls: type, name: str) -> Any:
    method = getattr(cls, name)
    return _inner(method)


def _inner(function: Callable[..., Any]) -> Any:
    """What only compiled code calls. Numba hands no bounds check down from the caller, so each says its own."""
    is_checked = not function.__module__.startswith(UNCHECKED)
    options = METHOD_OPTIONS | {"boundscheck": is_checked}
    dispatcher = njit(**options, forceinline=hasattr(function, "is_inlined"))(function)
    dispatcher.is_ours = True
    return dispatcher


@functools.cache
def _method_template(cls: type, name: str) -> Any:
    dispatcher = types.Dispatcher(compiled_method(cls, name))

    class Method(AbstractTemplate):
        key = f"{cls.__module__}.{cls.__qualname__}.{name}"

        def generic(self, args: Any, kwargs: Any) -> Any:
            return dispatcher.get_call_type(self.context, (self.this, *args), kwargs).as_method()

    @lower_builtin(Method.key, types.VarArg(types.Any))
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(context, builder, dispatcher, signature, args)

    return Method


@functools.cache
def _compiled_function(function: Callable[..., Any]) -> Any:
    return _inner(function)


@typeof_impl.register(python_types.FunctionType)
def _typeof_helper(function: Any, context: Any) -> Any:
    """A plain module-level function that a method calls is compiled too.

    Numba's own plain functions have their overloads: taking them too breaks `.sum()`, dictionaries, f-strings.
    """
    is_ours = function.__module__.partition(".")[0] not in ("numba", "numpy") and function not in _overloaded
    return types.Dispatcher(_compiled_function(function)) if is_ours else None


def compiled_as(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a plain function another body for the compiled loop; the plain one serves the uncompiled loop."""
    _overloaded.add(function)

    def decorator(typing_function: Callable[..., Any]) -> Callable[..., Any]:
        typing_function.__annotations__.clear()  # Numba compares them with those of the body
        return overload(function, jit_options=METHOD_OPTIONS)(typing_function)

    return decorator


@functools.cache
def compiled(function: Callable[..., Any], *, cache: bool = False) -> Any:
    """A function that Python calls, compiled with the house options."""
    return njit(**OPTIONS, **KERNEL_PIPELINE, no_cfunc_wrapper=True, cache=cache, _nrt=False)(function)


def entry_point(function: Callable[..., Any], *sample: Any, cache: bool = False) -> Callable[..., Any]:
    """The machine code's own entry for arguments like `sample`: 0.4 us a call instead of 1.8 us.

    The dispatcher reads the record types again on every call; this does not, so whoever calls it must pass
    arguments of exactly these layouts. Where a Numba version has no such entry the dispatcher serves.
    """
    dispatcher = compiled(function, cache=cache)
    dispatcher(*sample)
    overloads = list(dispatcher.overloads.values())
    entry = getattr(overloads[0], "entry_point", None) if len(overloads) == 1 else None
    return entry if callable(entry) else dispatcher


class Compiled:
    """A record whose methods run compiled when called from Python."""

    def __init__(self, record: Any) -> None:
        self._record = record
        self._class: Any = type(record)

    def __getattr__(self, name: str) -> Any:
        if name in self._record.dtype.fields:
            return np.void.__getitem__(self._record, name)
        return functools.partial(callable_method(self._class, name), self._record)


@functools.cache
def callable_method(cls: type, name: str) -> Any:
    """A method as a function that Python may call with the record first."""
    return njit(**OPTIONS, **KERNEL_PIPELINE, no_cfunc_wrapper=True)(getattr(cls, name))


for _layout, _cls in list(records.layouts.items()):
    register(_cls, _layout)
records.listeners.append(register)
