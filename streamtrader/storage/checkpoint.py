"""Checkpoints: the engine's arrays as they were after so many events of the tape, whole or not at all.

Recovery is the newest checkpoint and the tape's tail. Two generations are kept: should the newest be damaged, the one
before it only makes the tail longer. Nothing is unpickled; the bytes are given back exactly as they were. Pages of
nothing but zeros are not written: of each array there is a bit for every whole page, the pages that hold something, and
the bytes behind the last whole page.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import LayoutChanged, StorageError
from streamtrader.kernel import memory
from streamtrader.storage.files import explained, refused, replace_whole

MAGIC = b"\x89STCKPT\n"
SCHEMA = 2
_START = struct.Struct("<8sII")  # magic, schema, JSON bytes
_HEAD = struct.Struct("<16s32s")  # the start, SHA-256 of that and of all that follows
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`event_count` events were played; `notes` is what the runtime keeps beside the arrays (JSON values)."""

    arrays: Arrays
    event_count: int
    layout_key: str
    notes: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()  # why a newer generation was passed over


def layout_key(arrays: Arrays, *sources: str) -> str:
    """Identity of what the bytes mean: names, types and lengths of the arrays, and the hashes of code given."""
    shapes = [[name, _description(array.dtype), list(array.shape)] for name, array in arrays.items()]
    text = json.dumps([SCHEMA, shapes, sources], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _description(dtype: np.dtype[Any]) -> Any:
    """A type as nested lists; `dtype.descr` refuses records with padding of their own."""
    if dtype.subdtype is not None:
        return [_description(dtype.subdtype[0]), list(dtype.subdtype[1])]
    if dtype.fields is None:
        return dtype.str
    fields = [[name, _description(dtype.fields[name][0]), int(dtype.fields[name][1])] for name in dtype.names or ()]
    return [fields, dtype.itemsize]


def save(
    path: Path | str, arrays: Arrays, event_count: int, key: str, *, notes: dict[str, Any] | None = None
) -> None:
    """Write a checkpoint beside the last one, which becomes `<name>.previous`, and make it durable."""
    path = Path(path)
    shapes = [{"name": name, "shape": list(array.shape)} for name, array in arrays.items()]
    content = {"event_count": event_count, "layout_key": key, "arrays": shapes, "notes": notes or {}}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    parts = [np.frombuffer(text, np.uint8)]
    for array in arrays.values():
        pages, rest = memory.pages_of(memory.raw(np.ascontiguousarray(array)))
        is_used = memory.in_use(pages)
        parts += [np.packbits(is_used), pages[is_used].reshape(-1), rest]
    start = _START.pack(MAGIC, SCHEMA, len(text))
    digest = hashlib.sha256(start)
    for part in parts:
        digest.update(part.data)
    try:
        if path.exists():
            path.replace(previous(path))  # a crash just here leaves the previous one, which `load` then takes
        replace_whole(path, _HEAD.pack(start, digest.digest()), *[part.data for part in parts])
    except OSError as error:
        raise refused(f"{path} cannot be written", error, path) from error


def previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def load(path: Path | str, like: Arrays, key: str) -> Checkpoint | None:
    """The newest whole checkpoint, its arrays of the types of `like`; None when none was ever written.

    A checkpoint of another layout is `LayoutChanged`: the tape has to be replayed from its start. When every
    generation is damaged it is a `StorageError`.
    """
    path = Path(path)
    refusals: list[str] = []
    for candidate in (path, previous(path)):
        if not candidate.exists():
            continue
        try:
            found = _loaded(candidate, like, key)
        except LayoutChanged:
            raise
        except StorageError as error:
            refusals.append(str(error))
            continue
        return Checkpoint(found.arrays, found.event_count, found.layout_key, found.notes, tuple(refusals))
    if refusals:
        raise StorageError(
            f"no checkpoint is whole ({'; '.join(refusals)}). Delete them: the tape is then replayed from its start."
        )
    return None


def _loaded(path: Path, like: Arrays, key: str) -> Checkpoint:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {explained(error)}") from error
    if len(data) < _HEAD.size or data[: len(MAGIC)] != MAGIC:
        raise StorageError(f"{path} is not a checkpoint, or is cut off")
    start, digest = _HEAD.unpack_from(data)
    _, schema, text_size = _START.unpack(start)
    if schema > SCHEMA:
        raise LayoutChanged(f"{path} was written by a newer streamtrader; update streamtrader to use it.")
    if schema < SCHEMA:
        raise LayoutChanged(f"{path} was written by an older streamtrader. Delete it to replay the tape from its start.")
    found = hashlib.sha256(start)
    found.update(memoryview(data)[_HEAD.size :])
    if found.digest() != digest:
        raise StorageError(f"{path} is damaged: its bytes do not carry their checksum")
    content = json.loads(data[_HEAD.size : _HEAD.size + text_size])
    if content["layout_key"] != key:
        raise LayoutChanged(
            f"{path} belongs to another layout of the state (strategies, parameters or code have changed). "
            "Delete it to replay the tape from its start."
        )
    at, arrays, stored = _HEAD.size + text_size, {}, np.frombuffer(data, np.uint8)
    for shape in content["arrays"]:
        array = memory.zeros(math.prod(shape["shape"]), like[shape["name"]].dtype)
        pages, rest = memory.pages_of(memory.raw(array))
        bits = stored[at : at + -(-len(pages) // 8)]
        used = np.flatnonzero(np.unpackbits(bits, count=len(pages)))
        at += len(bits)
        pages[used] = stored[at : at + len(used) * memory.PAGE_BYTES].reshape(-1, memory.PAGE_BYTES)
        at += len(used) * memory.PAGE_BYTES
        rest[:] = stored[at : at + len(rest)]
        at += len(rest)
        arrays[shape["name"]] = array.reshape(shape["shape"])
    return Checkpoint(arrays, int(content["event_count"]), key, content["notes"])
