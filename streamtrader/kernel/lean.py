"""Compiling methods only as far as they are needed, and without needless work: private wrappers around Numba.

Numba optimises every function with everything it calls, turns it into machine code, and does all of that again in
each of its callers. Our methods are called from compiled code only, so their own machine code is never run: here
they stay intermediate code until a function that Python or the loop's table calls takes them in. That halves the
time that the compiler's back-end needs. Where a Numba version has other insides, `method_pipeline` gives nothing,
and methods are compiled the long way.

A fifth of what remained went into names: the type of a record spells out all its fields, those of nested records too,
and Numba escapes these kilobytes into every symbol and compares its options one by one at every lookup. `lighten`
shortens the names to hashes and compares whole; what is compiled stays the same, byte for byte but for its symbols.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from typing import Any

try:
    from numba.core import types
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import Compiler, DefaultPassBuilder
    from numba.core.targetconfig import TargetConfig
    from numba.core.typed_passes import NopythonRewrites
except ImportError:  # other insides: the long way
    JITCodeLibrary = Compiler = TargetConfig = types = None

NAME_BYTES_MOST = 48
_numbers = itertools.count()


def lighten() -> None:
    """Teach Numba shorter symbols and quicker comparisons; does nothing where its insides are others."""
    if types is None or not isinstance(getattr(types.Type, "mangling_args", None), property):
        return
    types.Type.mangling_args = property(_short_name)
    types.Record.__repr__ = types.Type.__repr__
    if hasattr(TargetConfig, "_values") and hasattr(TargetConfig, "options"):
        TargetConfig.__eq__ = _equal_options
        TargetConfig.__hash__ = _hash_of_options


def _short_name(kind: Any) -> tuple[str, tuple[()]]:
    name = kind.name
    return (name if len(name) <= NAME_BYTES_MOST else f"{type(kind).__name__}_{_hash_of(name)}"), ()


@functools.cache
def _hash_of(name: str) -> str:
    return hashlib.blake2s(name.encode(), digest_size=10).hexdigest()


def _equal_options(ours: Any, other: Any) -> bool:
    """An option that is not set has its default value."""
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


def _inner_library() -> Any:
    class InnerLibrary(JITCodeLibrary):
        """Linked into others, never run by itself."""

        def _optimize_final_module(self) -> None:
            """Whoever links it in optimises the whole."""

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._finalized = True

    return InnerLibrary


def method_pipeline() -> dict[str, Any]:
    """Options for `njit` of functions that only compiled code calls."""
    if Compiler is None or not hasattr(JITCodeLibrary, "_finalize_final_module"):
        return {}
    library_class = _inner_library()

    class MethodCompiler(Compiler):
        """The ordinary pipeline, ending in intermediate code."""

        def __init__(
            self, typing_context: Any, target_context: Any, library: Any, args: Any, return_type: Any, flags: Any,
            local_types: Any,
        ) -> None:  # fmt: skip
            if library is None:
                library = library_class(target_context.codegen(), f"method{next(_numbers)}")
                flags.no_compile = True
            super().__init__(typing_context, target_context, library, args, return_type, flags, local_types)

        def define_pipelines(self) -> Any:
            """Without the rewriting of array expressions: they allocate, and a method must not."""
            passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
            kept = [each for each in passes.passes if each[0] is not NopythonRewrites]
            if len(kept) < len(passes.passes):
                passes.passes, passes._finalized = kept, False
                passes.finalize()
            return [passes]

        def compile_extra(self, function: Any) -> Any:
            """A dispatcher wants a built-in of its own as entry point; this one refuses whatever it is called with."""
            result = super().compile_extra(function)
            entry: Any = {}.__getitem__
            self.state.targetctx.insert_user_function(entry, result.fndesc, [result.library])
            return result._replace(entry_point=entry)

    return {"pipeline_class": MethodCompiler}
