"""Numba's own steps, done quicker: each replacement answers what the original would, from far fewer Python calls.

Four fifths of a cold compile were Python, and most of that was work done again: the type of `a + b` was looked for among
dozens of candidates at every plus, all registries were read again for every function, the lifetimes of variables were
worked out after every pass, and the type of a record, which spells out all its fields, was escaped into every symbol.
What is compiled stays the same but for its symbols, and for functions of ours that Numba would compile again for each
constant.

Numba is private inside, so the package wants one minor series of it, and tests compare compiled with uncompiled runs.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import warnings
from typing import Any

from llvmlite.binding import ffi
from numba.core import base, errors, ir, lowering, postproc, typeinfer, types, utils
from numba.core.targetconfig import TargetConfig
from numba.core.typing import context as typing
from numba.np import linalg, numpy_support

NAME_BYTES_MOST = 48
# What an operator gives for these follows from them alone.
PLAIN = (types.Number, types.Boolean, types.Literal, types.Array, types.Record, types.BaseTuple, types.Omitted)

_type_of_call = types.Function.get_call_type
_type_of_own_call = types.Dispatcher.get_call_type
_find_attribute = typing.BaseContext.find_matching_getattr_template
_refresh_target = base.BaseContext.refresh
_refresh_typing = typing.BaseContext.refresh
_size_of = base.BaseContext.get_abi_sizeof
_type_of_layout = numpy_support.from_dtype
_process = postproc.PostProcessor.run


def take_shortcuts() -> None:
    """Once, before anything is compiled."""
    types.Type.mangling_args = property(_short_name)
    types.Record.__repr__ = types.Type.__repr__
    TargetConfig.__eq__, TargetConfig.__hash__ = _equal_options, _hash_of_options
    types.Function.get_call_type = _remembered_type_of_call
    types.Dispatcher.get_call_type = _remembered_type_of_own_call
    typing.BaseContext.find_matching_getattr_template = _remembered_attribute
    base.BaseContext.refresh = _refresh_target_if_needed
    typing.BaseContext.refresh = _refresh_typing_if_needed
    base.BaseContext.get_abi_sizeof = _remembered_size
    numpy_support.from_dtype = layout_type
    _import_array_functions()
    base._has_loc = functools.cache(base._has_loc)
    postproc.PostProcessor.run = _process_when_asked
    ir.Stmt.list_vars, ir.Expr.list_vars = _variables_of_statement, _variables_of_expression
    typeinfer.ConstraintNetwork.propagate = _propagate
    lowering.new_error_context = typeinfer.new_error_context = _ErrorContext
    for callbacks in list(ffi.lib._lock._cblist):  # they time the back-end's lock: two events a call, for nobody
        ffi.unregister_lock_callback(*callbacks)


# --- names and options ---


def _short_name(kind: Any) -> tuple[str, tuple[()]]:
    name = kind.name
    return (name if len(name) <= NAME_BYTES_MOST else f"{type(kind).__name__}_{_hash_of(name)}"), ()


@functools.cache
def _hash_of(name: str) -> str:
    return hashlib.blake2s(name.encode(), digest_size=10).hexdigest()


def _equal_options(ours: Any, other: Any) -> bool:
    """Whole, not one by one; an option that is not set has its default value."""
    if ours is other:
        return True
    if not isinstance(other, TargetConfig):
        return NotImplemented
    mine, theirs, options = ours._values, other._values, ours.options
    return mine == theirs or (
        type(ours) is type(other)
        and all(
            mine.get(name, options[name].default) == theirs.get(name, options[name].default)
            for name in mine.keys() | theirs.keys()
        )
    )


def _hash_of_options(ours: Any) -> int:
    """Numba's own hash is that of the options' names too."""
    return hash(type(ours))


# --- what was found out before ---


def _remembered_type_of_call(self: Any, context: Any, args: Any, kws: Any) -> Any:
    """Of an operator or built-in that Numba implements itself; what it would compile depends on the caller's flags.

    A new candidate makes a new function type, which remembers nothing yet.
    """
    args = tuple(args)
    known = self.__dict__.setdefault("_known", {})
    found = None if kws else known.get(args)
    if found is not None:
        return found
    signature = _type_of_call(self, context, args, kws)
    is_built_in = signature is not None and self._impl_keys.get(signature.args) is self.typing_key
    if is_built_in and not kws and all(isinstance(each, PLAIN) for each in args):
        known[args] = signature
    return signature


def _remembered_type_of_own_call(self: Any, context: Any, args: Any, kws: Any) -> Any:
    """Of a function that is compiled for exactly these types; ours once for all numbers of a type."""
    dispatcher = self.dispatcher
    args = tuple(map(types.unliteral, args)) if hasattr(dispatcher, "is_ours") else tuple(args)
    known = dispatcher.__dict__.setdefault("_known", {})
    if not kws and args in known:
        return known[args]
    signature = _type_of_own_call(self, context, args, kws)
    if not kws and signature is not None and args in dispatcher.overloads:
        known[args] = signature
    return signature


def _remembered_attribute(self: Any, kind: Any, name: str) -> Any:
    if not isinstance(kind, types.Record | types.BaseNamedTuple):
        return _find_attribute(self, kind, name)
    known = self.__dict__.setdefault("_known_attributes", {})
    found = known.get((kind, name))
    if found is None:
        found = _find_attribute(self, kind, name)
        if found is not None:
            known[kind, name] = found
    return found


def _refresh_target_if_needed(self: Any) -> None:
    if self.__dict__.get("_refreshed") != (_registered(self), _registered(self.typing_context)):
        _refresh_target(self)
        self._refreshed = _registered(self), _registered(self.typing_context)


def _refresh_typing_if_needed(self: Any) -> None:
    if self.__dict__.get("_refreshed") != _registered(self):
        _refresh_typing(self)
        self._refreshed = _registered(self)


def _registered(context: Any) -> int:
    """How many declarations its registries hold; they only ever grow."""
    registries = context._registries
    held = context.__dict__.get("_held")
    if held is None or held[0] != len(registries):
        lists = [getattr(each, name) for each, loader in registries.items() for name in loader.registry_items]
        context._held = held = len(registries), lists
    return sum(map(len, held[1]))


_sizes: dict[str, int] = {}


@functools.cache
def layout_type(layout: Any) -> Any:
    """Numba's type of a layout; it makes the types of all records within anew for every question."""
    return _type_of_layout(layout)


def _import_array_functions() -> None:
    """Numba imports half of SciPy to see that it is there, at every start; now whoever calls BLAS imports it."""
    ensure_blas = linalg.ensure_blas
    linalg.ensure_blas = _look_for_blas
    try:
        from numba.np import arraymath
    finally:
        linalg.ensure_blas = ensure_blas
    arraymath.ensure_blas = ensure_blas


def _look_for_blas() -> None:
    if importlib.util.find_spec("scipy") is None:
        raise ImportError("SciPy is not installed")


def _remembered_size(self: Any, kind: Any) -> int:
    """Numba has the back-end parse a module for every question."""
    text = str(kind)
    if text not in _sizes:
        _sizes[text] = _size_of(self, kind)
    return _sizes[text]


# --- variables ---


def _process_when_asked(self: Any, emit_dels: bool = False, extend_lifetimes: bool = False) -> None:
    """Lifetimes are worked out when somebody asks for them, as Numba's own object for them does."""
    func_ir = self.func_ir
    if emit_dels or func_ir.is_generator:
        _process(self, emit_dels, extend_lifetimes)
        return
    func_ir.blocks = postproc.transforms.canonicalize_cfg(func_ir.blocks)
    func_ir.variable_lifetime = postproc.VariableLifetime(func_ir.blocks)
    func_ir.generator_info = None


_leaves: set[type] = set()  # types whose values hold no variables


def _variables_of_statement(self: Any) -> list[Any]:
    found: list[Any] = []
    for value in self.__dict__.values():
        _gather(value, found)
    return found


def _variables_of_expression(self: Any) -> list[Any]:
    found: list[Any] = []
    for value in self._kws.values():
        _gather(value, found)
    return found


def _gather(value: Any, found: list[Any]) -> None:
    kind = type(value)
    if kind in _leaves:
        return
    if kind is ir.Var or isinstance(value, ir.Var):
        found.append(value)
    elif isinstance(value, ir.Inst):
        found += value.list_vars()
    elif isinstance(value, list | tuple):
        for each in value:
            _gather(each, found)
    elif isinstance(value, dict):
        for each in value.values():
            _gather(each, found)
    else:
        _leaves.add(kind)


# --- errors and warnings ---


class _ErrorContext:
    """Adds to an error where it came from."""

    __slots__ = ("args", "kwargs", "text")

    def __init__(self, text: str, *args: Any, **kwargs: Any) -> None:
        self.text, self.args, self.kwargs = text, args, kwargs
        place = kwargs.get("loc")
        if place is not None and not place.filename.startswith(errors._numba_path):
            errors.loc_info.update(kwargs)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, errors.NumbaError):
            error.add_context(errors._format_msg(self.text, self.args, self.kwargs))


def _propagate(self: Any, inference: Any) -> list[Any]:
    """Try every constraint; what failed is returned. Warnings are caught once for all of them."""
    failures: list[Any] = []
    foreign: list[Any] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", inference.warnings._category)
        for constraint in self.constraints:
            try:
                constraint(inference)
            except errors.ForceLiteralArg as error:
                failures.append(error)
            except errors.TypingError as error:
                failure = errors.TypingError(str(error), loc=constraint.loc, highlighting=False)
                failures.append(utils.chain_exception(failure, error))
            while told:
                _keep_warning(inference.warnings, told.pop(0), constraint.loc, foreign)
    for each in foreign:
        warnings.warn_explicit(str(each.message), each.category, each.filename, each.lineno)
    return failures


def _keep_warning(fixer: Any, warning: Any, place: Any, foreign: list[Any]) -> None:
    if issubclass(warning.category, fixer._category):
        where = place.filename or warning.filename, place.line or warning.lineno
        fixer._warnings[*where, warning.category].add(str(warning.message))
    else:
        foreign.append(warning)
