"""Small files of foreign formats, and what became of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import zstandard

from streamtrader.runtime.datasets import import_dataset
from streamtrader.storage.importers.hftbacktest import ROW, SEEN_BY_EXCHANGE, SEEN_LOCALLY
from streamtrader.storage.tape import Tape
from tests.kernel.play import MS, START_NS

BOTH = SEEN_BY_EXCHANGE | SEEN_LOCALLY


def written(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_text("".join(line + end for line in lines))
    return path


def zipped(path: Path, member: str, *lines: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, "".join(f"{line}\n" for line in lines))
    return path


def imported(folder: Path, *files: Path, **wishes):
    """Result and events of an import."""
    out = folder / f"{len(list(folder.iterdir()))}.tape"
    result = import_dataset(files, out, **wishes)
    return result, events_of(out)


def events_of(path: Path) -> np.ndarray:
    return np.concatenate([np.asarray(events) for events in Tape.open(path).events()])


def book_of(events: np.ndarray) -> tuple[dict[float, float], dict[float, float]]:
    """Bids and asks at the end: the obvious way."""
    sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
    for kind, side, price, size in zip(*(events[name].tolist() for name in ("kind", "side", "a", "b")), strict=True):
        if kind == 4:
            sides[0].clear()
            sides[1].clear()
        elif kind == 3 and size:
            sides[side][price] = size
        elif kind == 3:
            sides[side].pop(price, None)
    return sides


def best_of(sides):
    bid, ask = max(sides[0]), min(sides[1])
    return bid, sides[0][bid], ask, sides[1][ask]


def unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def npz(path: Path, *rows: tuple[int, float, float, float, float]) -> Path:
    """Rows of (kind and side, milliseconds at the venue and here, price, size)."""
    data = np.zeros(len(rows), ROW)
    for at, (kind, venue_ms, local_ms, price, size) in enumerate(rows):
        data[at]["ev"] = kind | (0 if kind & BOTH else BOTH)
        data[at]["exch_ts"], data[at]["local_ts"] = START_NS + venue_ms * MS, START_NS + local_ms * MS
        data[at]["px"], data[at]["qty"] = price, size
    np.savez_compressed(path, data=data)
    return path
