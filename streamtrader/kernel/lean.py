"""Compiling only as far as needed, and without needless work: what takes the place of Numba's pipeline and libraries.

Numba optimises every function with everything it calls, turns it into machine code, and does all of that again in
each of its callers. Our methods are called from compiled code only, so their own machine code is never run: here
they stay intermediate code until a function that Python or the loop's table calls takes them in, each once. That
function is a kernel: it is optimised as a whole, once, for no reference counts are here that would want a round of
their own.

The passes are Numba's, less those that rewrite array expressions, count references and annotate for readers.
"""

from __future__ import annotations

import itertools
from types import CodeType
from typing import Any

from llvmlite.binding import Linkage, newpassmanagers, parse_assembly
from numba.core import cgutils
from numba.core.codegen import CodeLibrary, JITCodeLibrary
from numba.core.compiler import Compiler, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, PassManager, register_pass
from numba.core.postproc import PostProcessor, VariableLifetime
from numba.core.typed_passes import (
    AnnotateTypes,
    DumpParforDiagnostics,
    IRLegalization,
    NativeLowering,
    NopythonRewrites,
)
from numba.core.untyped_passes import InlineClosureLikes

from streamtrader.kernel.lowering import KernelLowering, call_of

_numbers = itertools.count()


class KernelLibrary(JITCodeLibrary):
    """Links in every part once, and optimises the whole once."""

    def add_ir_module(self, ir_module: Any) -> None:
        """Verified when it is whole."""
        module = parse_assembly(cgutils.normalize_ir_text(str(ir_module)))
        module.name = ir_module.name
        self.add_llvm_module(module)

    def _optimize_functions(self, ll_module: Any) -> None:
        """Only as far as it makes them smaller: callers optimise what they take in."""
        ll_module.data_layout = self._codegen._data_layout
        builder = self._codegen._pass_builder(opt=1, loop_vectorize=False, slp_vectorize=False)
        for function in ll_module.functions:
            if not function.is_declaration:
                passes = newpassmanagers.create_new_function_pass_manager()
                passes.add_sroa_pass()
                passes.add_simplify_cfg_pass()
                passes.add_instruction_combine_pass()
                passes.run(function, builder)

    def finalize(self) -> None:
        self._raise_if_finalized()
        _link_parts(self._final_module, self)
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)
        self._final_module.verify()
        self._finalize_final_module()


class MethodLibrary(KernelLibrary):
    """Linked into others, never run by itself."""

    def __init__(self, codegen: Any, name: str) -> None:
        CodeLibrary.__init__(self, codegen, name)
        self._linking_libraries: list[Any] = []
        self._final_module: Any = None
        self._whole: Any = None

    def add_llvm_module(self, ll_module: Any) -> None:
        self._optimize_functions(ll_module)
        for function in ll_module.functions:
            if not function.is_declaration and function.linkage == Linkage.external:
                function.linkage = "linkonce_odr"  # the linker drops what nobody calls
        if self._final_module is None:
            self._final_module = ll_module
        else:
            self._final_module.link_in(ll_module)

    def finalize(self) -> None:
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        """For libraries that are not ours: with all that it needs."""
        if self._whole is None:
            self._whole = self._final_module.clone()
            _link_parts(self._whole, self)
        return self._whole


def _link_parts(module: Any, library: Any) -> None:
    """All that a library calls: its own parts, and what the methods among them need."""
    seen, waiting = set(), list(library._linking_libraries)
    while waiting:
        part = waiting.pop()
        if part in seen:
            continue
        seen.add(part)
        part._ensure_finalized()
        library._reload_init.update(part._reload_init)
        if isinstance(part, MethodLibrary):
            waiting += part._linking_libraries
            module.link_in(part._final_module, preserve=True)
        else:
            module.link_in(part._get_module_for_linking(), preserve=True)


class Passes(PassManager):
    """Runs passes untimed, and looks at the blocks again only where their ends have changed."""

    def _runPass(self, index: int, each: Any, state: Any) -> None:  # noqa: N802
        before = _ends(state.func_ir)
        each.analysis = self._analysis
        each.run_initialization(state)
        each.run_pass(state)
        each.run_finalizer(state)
        after = _ends(state.func_ir)
        if after != before:
            PostProcessor(state.func_ir).run()
        elif after:
            state.func_ir.variable_lifetime = VariableLifetime(state.func_ir.blocks)


def _ends(func_ir: Any) -> list[tuple[int, int]]:
    """Where every block goes; nothing before there are blocks."""
    return [] if func_ir is None else [(label, id(block.body[-1])) for label, block in func_ir.blocks.items()]


@register_pass(mutates_CFG=False, analysis_only=True)
class NoDeletions(AnalysisPass):
    """In place of the pass that marks where variables die: nothing here is counted."""

    _name = "no_deletions"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        return False


LEFT_OUT = {NopythonRewrites, AnnotateTypes, DumpParforDiagnostics}
IN_PLACE = {IRLegalization: NoDeletions, NativeLowering: KernelLowering}
_passes: dict[tuple[bool, ...], Passes] = {}


class KernelCompiler(Compiler):
    """Compiles what Python, or the loop's table, calls."""

    def define_pipelines(self) -> list[Passes]:
        state = self.state
        key = _may_hold_closures(state.func_id.func.__code__), state.flags.no_rewrites, state.flags.enable_ssa
        if key not in _passes:
            left_out = LEFT_OUT if key[0] else LEFT_OUT | {InlineClosureLikes}
            _passes[key] = passes = Passes("nopython")
            for each, told in DefaultPassBuilder.define_nopython_pipeline(state).passes:
                if each not in left_out:
                    passes.add_pass(IN_PLACE.get(each, each), told)
            passes.finalize()
        return [_passes[key]]

    def compile_extra(self, function: Any) -> Any:
        if self.state.library is None:
            self.state.library = KernelLibrary(self.state.targetctx.codegen(), function.__qualname__)
            self.state.library.enable_object_caching()
        return super().compile_extra(function)


def _may_hold_closures(code: CodeType) -> bool:
    """Only closures, comprehensions and `reduce` have to be written into the function that holds them."""
    return "reduce" in code.co_names or any(isinstance(each, CodeType) for each in code.co_consts)


class MethodCompiler(KernelCompiler):
    """Compiles what only compiled code calls, as far as intermediate code."""

    def __init__(
        self, typing_context: Any, target_context: Any, library: Any, args: Any, return_type: Any, flags: Any,
        local_types: Any,
    ) -> None:  # fmt: skip
        if library is None:
            library = MethodLibrary(target_context.codegen(), f"method{next(_numbers)}")
            flags.no_compile = True
        super().__init__(typing_context, target_context, library, args, return_type, flags, local_types)

    def compile_extra(self, function: Any) -> Any:
        """A dispatcher wants a built-in of its own as entry point; this one refuses whatever it is called with."""
        result = super().compile_extra(function)
        entry: Any = {}.__getitem__
        call = call_of(result.fndesc, [result.library])
        self.state.targetctx._defns[entry].append(call, call.signature)
        return result._replace(entry_point=entry)


KERNEL_PIPELINE = {"pipeline_class": KernelCompiler}
METHOD_PIPELINE = {"pipeline_class": MethodCompiler}
