"""From typed code to intermediate code, in as few instructions as it takes.

Numba writes almost twice as many for the next pass to remove, and each costs its time to make, to print, to parse and
to remove. Here a variable that is assigned once is a value wherever its assignment comes first, arrays of records
and ranges are read without a structure in memory for each step, and a call passes the caller's place for an error on,
so that one comparison tells whether to go on.

What is not known here Numba writes as ever: functions that catch exceptions, other types.
"""

from __future__ import annotations

import types as python_types
from typing import Any

from llvmlite import ir as llvm
from numba.core import cgutils, errors, imputils, ir, types
from numba.core.callconv import RETCODE_USEREXC
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering
from numba.np import arrayobj

DATA, SHAPE = 4, 5  # where Numba's structure of an array holds them
RANGES = {types.range_state64_type: types.range_iter64_type}
ZERO = llvm.Constant(llvm.IntType(64), 0)
ONE = llvm.Constant(llvm.IntType(64), 1)


class KernelLower(Lower):
    """Writes one function."""

    def init(self) -> None:
        code = self.func_ir.func_id.func.__code__
        self._catches = self.func_ir.is_generator or _may_catch(code) or self._disable_sroa_like_opt
        self._ranges: dict[int, tuple[Any, Any]] = {}  # of steps of one: their beginning and end
        self._out_of_bounds: Any = None  # where a wrong index leads, once there is one
        super().init()

    def setup_function(self, description: Any) -> None:
        super().setup_function(description)
        self.builder.catches = self._catches

    def _find_singly_assigned_variable(self) -> None:
        """Those whose one assignment comes before every use, on every way and in the order of writing."""
        if self._catches:
            super()._find_singly_assigned_variable()
            return
        blocks, lifetime = self.func_ir.blocks, self.func_ir.variable_lifetime
        seen: set[str] = set()
        again: set[str] = set()
        home: dict[str, int] = {}
        for label, block in blocks.items():
            for statement in block.body:
                if isinstance(statement, ir.Assign):
                    name = statement.target.name
                    (again if name in seen else seen).add(name)
                    home[name] = label
        dominators = lifetime.cfg.dominators()
        for label, names in lifetime.usedefs.usemap.items():
            before = dominators.get(label, ())
            again.update(name for name in names if name in home and not (home[name] < label and home[name] in before))
        self._singly_assigned_vars = seen - again
        self._blk_local_varmap: dict[str, Any] = {}

    def pre_block(self, block: Any) -> None:
        if self._catches:
            super().pre_block(block)
        else:
            self._cur_ir_block = block

    def lower_block(self, block: Any) -> None:
        self.pre_block(block)
        for statement in block.body:
            self.loc = statement.loc
            try:
                self.lower_inst(statement)
            except errors.NumbaError as error:
                error.add_context(f'lowering "{statement}" at {self.loc}')
                raise
        self.post_block(block)

    def lower_inst(self, statement: Any) -> None:
        if self._catches or not isinstance(statement, ir.Assign | ir.SetItem | ir.StaticSetItem):
            super().lower_inst(statement)
        elif isinstance(statement, ir.Assign):
            name = statement.target.name
            value = self.lower_assign(self.typeof(name), statement)
            if name in self._singly_assigned_vars:
                self._blk_local_varmap[name] = value
            else:
                self.builder.store(value, self.getvar(name))
        elif not self._set_item(statement):
            super().lower_inst(statement)

    def lower_expr(self, kind: Any, expression: Any) -> Any:
        write = _WRITERS.get(expression.op)
        value = None if write is None or self._catches else write(self, kind, expression)
        return super().lower_expr(kind, expression) if value is None else value

    # --- records and arrays ---

    def _attribute(self, kind: Any, expression: Any) -> Any:
        """A field of a record; one that is an array is a structure of constants but for its place."""
        record = self.typeof(expression.value.name)
        if not isinstance(record, types.Record) or expression.attr not in record.fields:
            return None
        context, builder = self.context, self.builder
        element = record.typeof(expression.attr)
        is_array = isinstance(element, types.NestedArray)
        data_type = context.get_data_type(element.dtype if is_array else element)
        place = cgutils.get_record_member(
            builder, self.loadvar(expression.value.name), record.offset(expression.attr), data_type
        )
        if not is_array:
            value = context.unpack_value(builder, element, place, None if record.aligned else 1)
        else:
            structure = context.get_value_type(element)
            sizes = zip(structure.elements[SHAPE:], (element.shape, element.strides), strict=True)
            shape = [llvm.Constant(each, list(values)) for each, values in sizes]
            owner, parent, count, size, data = structure.elements[:SHAPE]
            parts = [owner(None), parent(None), count(element.nitems), size(element.size), data(llvm.Undefined)]
            value = builder.insert_value(llvm.Constant(structure, [*parts, *shape]), place, DATA)
        return context.cast(builder, value, element, kind)

    def _item(self, kind: Any, expression: Any) -> Any:
        index = expression.index_var if expression.op == "static_getitem" else expression.index
        array = self.typeof(expression.value.name)
        if index is None or not self._is_plain(array, self.typeof(index.name)):
            return None
        place = self._place_of_item(expression.value, index)
        value = arrayobj.load_item(self.context, self.builder, array, place)
        return self.context.cast(self.builder, value, array.dtype, kind)

    def _set_item(self, statement: Any) -> bool:
        index = statement.index_var if isinstance(statement, ir.StaticSetItem) else statement.index
        array = self.typeof(statement.target.name)
        if index is None or not self._is_plain(array, self.typeof(index.name)):
            return False
        builder, context = self.builder, self.context
        place = self._place_of_item(statement.target, index)
        kind = self.typeof(statement.value.name)
        value = context.cast(builder, self.loadvar(statement.value.name), kind, array.dtype)
        if isinstance(array.dtype, types.Record):
            cgutils.raw_memmove(builder, place, value, llvm.IntType(64)(1), array.dtype.size)
        else:
            arrayobj.store_item(context, builder, array, value, place)
        return True

    def _is_plain(self, array: Any, index: Any) -> bool:
        return (
            isinstance(array, types.Buffer) and array.ndim == 1 and array.layout == "C"
            and isinstance(index, types.Integer)
        )  # fmt: skip

    def _place_of_item(self, array: Any, index: Any) -> Any:
        """A negative index counts from the end."""
        builder, kind = self.builder, self.typeof(index.name)
        structure = self.loadvar(array.name)
        at = self.context.cast(builder, self.loadvar(index.name), kind, types.intp)
        if kind.signed and not (isinstance(at, llvm.Constant) and at.constant >= 0):
            from_end = builder.add(at, builder.extract_value(structure, [SHAPE, 0]))
            at = builder.select(builder.icmp_signed("<", at, ZERO), from_end, at)
        if self.context.enable_boundscheck:
            self._check_bounds(at, builder.extract_value(structure, [SHAPE, 0]))
        return builder.gep(builder.extract_value(structure, DATA), [at])

    def _check_bounds(self, at: Any, count: Any) -> None:
        builder, convention = self.builder, self.context.call_conv
        if self._out_of_bounds is None:
            self._out_of_bounds = builder.append_basic_block()
            with builder.goto_block(self._out_of_bounds):
                convention.set_static_user_exc(builder, IndexError, ("index is out of bounds",))
                builder.ret(RETCODE_USEREXC)
        _go_on_if(builder, builder.icmp_unsigned("<", at, count), self._out_of_bounds)

    # --- ranges ---

    def _lower_call_normal(self, function: Any, expression: Any, signature: Any) -> Any:
        is_plain = len(expression.args) == len(signature.args)  # each said by itself and in its place
        if is_plain and not self._catches and isinstance(function, types.Function):
            if function.typing_key is range and signature.return_type in RANGES and len(signature.args) < 3:
                return self._range(expression, signature)
            if function.typing_key is len and isinstance(signature.args[0], types.Buffer):
                return self.builder.extract_value(self._cast_var(expression.args[0], signature.args[0]), [SHAPE, 0])
        return super()._lower_call_normal(function, expression, signature)

    def _range(self, expression: Any, signature: Any) -> Any:
        bounds = [self._cast_var(each, types.int64) for each in expression.args]
        first, stop = bounds if len(bounds) == 2 else (ZERO, *bounds)
        structure = self.context.get_value_type(signature.return_type)
        state = llvm.Constant(structure, [ZERO, ZERO, ONE])
        for at, value in enumerate((first, stop)):
            state = self.builder.insert_value(state, value, at)
        self._ranges[id(state)] = first, stop
        return state

    def _iterator(self, kind: Any, expression: Any) -> Any:
        """Counts down what is left in memory, as Numba's does."""
        known = self._ranges.get(id(self.loadvar(expression.value.name)))
        if known is None or kind not in RANGES.values():
            return None
        builder, (first, stop) = self.builder, known
        left = builder.sub(stop, first)
        left = builder.select(builder.icmp_signed(">", left, ZERO), left, ZERO)
        structure = self.context.get_value_type(kind)
        value = llvm.Constant(structure, [llvm.Constant(each, llvm.Undefined) for each in structure.elements])
        for at, part in enumerate((self._slot_with(first), stop, ONE, self._slot_with(left))):
            value = builder.insert_value(value, part, at)
        return value

    def _slot_with(self, value: Any) -> Any:
        with self.builder.goto_entry_block():
            slot = self.builder.alloca(value.type)
        self.builder.store(value, slot)
        return slot

    def _next(self, kind: Any, expression: Any) -> Any:
        if self.typeof(expression.value.name) not in RANGES.values():
            return None
        builder, iterator = self.builder, self.loadvar(expression.value.name)
        value_at, step, left_at = (builder.extract_value(iterator, at) for at in (0, 2, 3))
        value, left = builder.load(value_at), builder.load(left_at)
        is_valid = builder.icmp_signed(">", left, ZERO)
        builder.store(builder.add(value, step), value_at)
        builder.store(builder.sub(left, ONE), left_at)
        structure = self.context.get_value_type(kind)
        pair = builder.insert_value(llvm.Constant(structure, llvm.Undefined), value, 0)
        return builder.insert_value(pair, is_valid, 1)

    def _half(self, kind: Any, expression: Any) -> Any:
        pair = self.typeof(expression.value.name)
        if not isinstance(pair, types.Pair):
            return None
        return self.builder.extract_value(self.loadvar(expression.value.name), int(expression.op == "pair_second"))


_WRITERS = {
    "getattr": KernelLower._attribute,
    "getitem": KernelLower._item,
    "static_getitem": KernelLower._item,
    "getiter": KernelLower._iterator,
    "iternext": KernelLower._next,
    "pair_first": KernelLower._half,
    "pair_second": KernelLower._half,
}


def _may_catch(code: python_types.CodeType) -> bool:
    """Also of the functions within, which may be written into this one."""
    within = [each for each in code.co_consts if isinstance(each, python_types.CodeType)]
    return bool(code.co_exceptiontable) or any(map(_may_catch, within))


@register_pass(mutates_CFG=True, analysis_only=False)
class KernelLowering(NativeLowering):
    """The pass that does it."""

    _name = "kernel_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return KernelLower


def _go_on_if(builder: Any, condition: Any, otherwise: Any) -> None:
    good = builder.append_basic_block()
    builder.cbranch(condition, good, otherwise).set_weights([99, 1])
    builder.position_at_end(good)


def call_of(description: Any, libraries: Any) -> Any:
    """How others call a function that was compiled: an error goes on to their caller as it came."""
    as_ever = imputils.user_function(description, libraries)
    is_plain = not isinstance(description.restype, types.Optional | types.Generator)

    def call(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not is_plain or getattr(builder, "catches", True):
            return as_ever(context, builder, signature, args)
        convention, caller = context.call_conv, builder.function
        function = builder.module.globals.get(description.mangled_name) or context.declare_function(
            builder.module, description
        )
        result_type = function.type.pointee.args[0].pointee
        with builder.goto_entry_block():
            slot = builder.alloca(result_type)
        packed = convention._get_arg_packer(description.argtypes).as_arguments(builder, args)
        code = builder.call(function, [slot, convention._get_excinfo_argument(caller), *packed])
        failed = builder.append_basic_block()
        with builder.goto_block(failed):
            builder.ret(code)
        _go_on_if(builder, builder.icmp_unsigned("==", code, code.type(0)), failed)
        return context.get_returned_value(builder, description.restype, builder.load(slot))

    call.signature, call.libs = as_ever.signature, as_ever.libs  # type: ignore[attr-defined]
    return call
