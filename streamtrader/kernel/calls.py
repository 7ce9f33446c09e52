"""Calling machine code by its address, and where that code is kept between processes.

The loop is compiled once for everybody. What it calls (strategies, rules) is compiled alone, a class at a time,
and called through a table of addresses that is not part of the state: unrolled by type, 20 classes took 37 s to
compile, by address they take 0.3 s each and 1 to 3 ns a call.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc
from numba.core import config, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from streamtrader.kernel.lean import KERNEL_PIPELINE
from streamtrader.kernel.shortcuts import layout_type

_kept: list[Any] = []  # compiled functions live as long as the process: their addresses are handed out
WHOLE = "whole"  # the mark of a folder that nothing is missing from
KEPT_FOLDERS = 8  # caches of the newest so many source states stay on disk


@intrinsic
def call_at(typing_context: Any, address: Any, records: Any) -> Any:
    """Call machine code by its address, with records (as pointers) and numbers; it answers an int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = [builder.extract_value(args[1], index) for index in range(len(records))]
        kind = ir.FunctionType(ir.IntType(64), [value.type for value in values])
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)

    return types.int64(address, records), codegen


@intrinsic
def record_at(typing_context: Any, address: Any, like: Any) -> Any:
    """The record at an address. Its type here is that of `like`: only the callee knows the true one."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(like))

    return like(address, like), codegen


@intrinsic
def array_from(typing_context: Any, first: Any, count: Any) -> Any:
    """The array of `count` records that begins with `first`."""
    array_type = types.Array(first, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = make_array(array_type)(context, builder)
        item_bytes = context.get_constant(types.intp, first.size)
        data = builder.bitcast(args[0], array.data.type)
        populate_array(array, data, [args[1]], [item_bytes], item_bytes, None, None)
        return array._getvalue()

    return array_type(first, types.intp), codegen


@intrinsic
def array_at(typing_context: Any, address: Any, count: Any, layout: Any) -> Any:
    """The array of `count` records of a layout that lies at an address."""
    array_type = types.Array(layout.dtype, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = make_array(array_type)(context, builder)
        item_bytes = context.get_constant(types.intp, layout.dtype.size)
        data = builder.inttoptr(args[0], array.data.type)
        populate_array(array, data, [args[1]], [item_bytes], item_bytes, None, None)
        return array._getvalue()

    return array_type(types.int64, types.intp, layout), codegen


def address_of(function: Callable[..., Any], layouts: Iterable[np.dtype[Any]], *, cache: bool) -> int:
    """Compile `function` alone, for records of these layouts, and tell where it is.

    Bounds are checked: a wrong index in user code would otherwise write over other memory, silently.
    """
    signature = types.int64(*map(layout_type, layouts))
    options = KERNEL_PIPELINE | {"error_model": "numpy", "_nrt": False, "boundscheck": True}
    _kept.append(cfunc(signature, cache=cache, **options)(function))
    return int(_kept[-1].address)


def source_key(sources: Iterable[pathlib.Path]) -> str:
    """Name of the cache folder: everything that can change the machine code.

    Numba's own cache does not see a change in another file and would run stale machine code.
    """
    import llvmlite
    import numba

    digest = hashlib.sha256(f"{sys.version} {numba.__version__} {llvmlite.__version__} {np.__version__}".encode())
    for path in sorted(set(sources)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_root() -> pathlib.Path:
    """Where compiled kernels are kept: `STREAMTRADER_CACHE`, else the user's cache folder."""
    given = os.environ.get("STREAMTRADER_CACHE")
    if given:
        return pathlib.Path(given)
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "streamtrader" / "kernels"


def is_kept(sources: Iterable[pathlib.Path]) -> bool:
    """Whether all that a start needs was compiled from these sources before."""
    return (cache_root() / source_key(sources) / WHOLE).exists()


def keep(sources: Iterable[pathlib.Path]) -> None:
    """All that a start needs lies on disk now; where nothing can be written, it does not."""
    with contextlib.suppress(OSError):
        (cache_root() / source_key(sources) / WHOLE).touch()


def use_cache(sources: Iterable[pathlib.Path]) -> pathlib.Path | None:
    """Send Numba's cache to the folder of these sources; None where nothing can be written there.

    Call it before the first compilation. A cache that cannot be written costs seconds, never a start.
    """
    folder = cache_root() / source_key(sources)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "used").touch()
    except OSError:
        return None
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    config.reload_config()
    _forget_old_folders(folder.parent)
    return folder


def _forget_old_folders(root: pathlib.Path) -> None:
    """Every edit of a source starts a new folder: keep the newest few."""
    aged = []
    for mark in root.glob("*/used"):
        with contextlib.suppress(OSError):  # another process forgets old folders too
            aged.append((mark.stat().st_mtime, mark))
    for _, mark in sorted(aged, reverse=True)[KEPT_FOLDERS:]:
        shutil.rmtree(mark.parent, ignore_errors=True)
