"""Tapes into a lake of Parquet files and back: `data export --format lake`, `data import --format lake`."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from streamtrader.errors import MarketFileError, StorageError
from streamtrader.events import Kind
from streamtrader.instruments import Instrument
from streamtrader.storage.extras import arrow
from streamtrader.storage.files import begin_aside, place_whole, refused
from streamtrader.storage.lake import write_tape
from streamtrader.storage.lake_manifest import Manifest, manifests_of
from streamtrader.storage.lake_place import open_place
from streamtrader.storage.lake_reader import Wanted, events_in, instruments_of
from streamtrader.storage.lake_schema import Lineage
from streamtrader.storage.lake_writer import LakeExport
from streamtrader.storage.tape import Tape, TapeWriter

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class LakeImport:
    """What came out of a lake; `tapes` are those that went into it."""

    instruments: tuple[Instrument, ...] = ()
    tapes: list[str] = field(default_factory=list)
    events: dict[str, int] = field(default_factory=dict)
    first_ns: int = 0
    last_ns: int = 0


def export_to_lake(
    tape_path: Path | str,
    lake: Path | str,
    *,
    ingested_ns: int,
    source_uri: str = "",
    on_progress: Progress | None = None,
) -> LakeExport:
    """Add a tape to a lake, a folder or a URL such as `s3://bucket/lake`. The same tape again changes nothing.

    `source_uri` is kept with every row; left out it is that of the tape. `on_progress` gets (done, all) in events.
    """
    path = Path(tape_path)
    tape = Tape.open(path)
    lineage = Lineage(ingested_ns, source_uri or path.resolve().as_uri())
    return write_tape(open_place(lake), tape, lineage, on_progress=on_progress)


def import_from_lake(
    lake: Path | str, tape_path: Path | str, wanted: Wanted, *, on_progress: Progress | None = None
) -> LakeImport:
    """Write one tape of what a lake holds of some venues and symbols in some time; it appears whole or not at all.

    All of one tape comes back with the same events, and that is checked by their SHA-256. A time that begins in the
    middle begins without the books of then: they are not LIVE before their next snapshot.
    """
    arrow()
    path, place = Path(tape_path), open_place(lake)
    (partial,) = begin_aside(path, "partial")
    manifests = [each for each in manifests_of(place) if any(map(wanted.takes, each.instruments))]
    if not manifests:
        raise MarketFileError(f"{place.url}: {_nothing_found(manifests_of(place), wanted)}")
    result = LakeImport(instruments_of(manifests, wanted), [each.source_uri for each in manifests])
    metadata = {"source": "lake", "lake": place.url, "tapes": [_origin(each) for each in manifests]}
    counts, digest, total = np.zeros(256, np.int64), hashlib.sha256(), sum(each.event_count for each in manifests)
    try:
        with TapeWriter.create(partial, result.instruments, metadata) as writer:
            for events in events_in(place, manifests, wanted, result.instruments):
                writer.append(events)
                digest.update(np.ascontiguousarray(events).view(np.uint8).data)
                counts += np.bincount(events["kind"], minlength=256)
                result.first_ns = result.first_ns or int(events["received_ns"][0])
                result.last_ns = int(events["received_ns"][-1])
                if on_progress is not None:
                    on_progress(writer.event_count, total)
        if not counts.any():
            raise MarketFileError(f"{place.url}: not one event of what was asked for is in it")
        if len(manifests) == 1 and wanted.is_everything and digest.hexdigest() != manifests[0].events_sha256:
            raise StorageError(f"{place.url}: other events came out than went in from {manifests[0].source_uri}")
        place_whole(partial, path)
    except OSError as error:
        raise refused(f"{path} cannot be written", error, path) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    result.events = {kind.name.lower(): int(counts[kind]) for kind in Kind if counts[kind]}
    return result


def _origin(manifest: Manifest) -> dict[str, str]:
    return {"tape": manifest.tape, "source_uri": manifest.source_uri, "transform_id": manifest.transform_id}


def _nothing_found(manifests: Collection[Manifest], wanted: Wanted) -> str:
    if not manifests:
        return "there is no lake; `data export TAPE --format lake` makes one"
    markets = sorted({f"{each.market} {each.symbol}" for manifest in manifests for each in manifest.instruments})
    return f"holds nothing of {', '.join([*wanted.venues, *wanted.symbols])}; there is: {', '.join(markets)}"
