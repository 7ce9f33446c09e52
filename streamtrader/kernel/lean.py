"""Compiling methods only as far as they are needed, and without needless work: private wrappers around Numba.

Numba optimises every function with everything it calls, turns it into machine code, and does all of that again in
each of its callers. Our methods are called from compiled code only, so their own machine code is never run: here
they stay intermediate code until a function that Python or the loop's table calls takes them in. That halves the
time that the compiler's back-end needs. Where a Numba version has other insides, `method_pipeline` gives nothing,
and methods are compiled the long way.
"""

from __future__ import annotations

import itertools
from typing import Any

try:
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import Compiler, DefaultPassBuilder
    from numba.core.typed_passes import NopythonRewrites
except ImportError:  # other insides: the long way
    JITCodeLibrary = Compiler = None

_numbers = itertools.count()


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
