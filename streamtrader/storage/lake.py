"""Writing a tape into a lake of Parquet files: `venue=/channel=/symbol=/date=`, read by DuckDB, Polars and Arrow.

The same tape again changes nothing: what is there is left as it is. A tape that has grown adds its new rows, and the
files that held only a part of what their successors hold are removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np

from streamtrader.errors import StorageError
from streamtrader.storage import lake_manifest as manifests
from streamtrader.storage.extras import arrow
from streamtrader.storage.files import refused
from streamtrader.storage.lake_manifest import Manifest
from streamtrader.storage.lake_place import LakePlace
from streamtrader.storage.lake_schema import Events, Lineage
from streamtrader.storage.lake_writer import ROWS_OF_GROUP, LakeExport, LakeWriter
from streamtrader.storage.tape_reader import Tape

Progress = Callable[[int, int], None]


def write_tape(place: LakePlace, tape: Tape, lineage: Lineage, *, on_progress: Progress | None = None) -> LakeExport:
    """Put a tape into a lake, all of it or, as far as a reader by manifests can tell, nothing.

    `on_progress` gets (events done, all events) now and then.
    """
    arrow()
    identity = manifests.identity_of(tape)
    name = manifests.manifest_name(identity)
    before = Manifest.unpacked(place.read(name), name) if name in place.names(manifests.TAPES) else None
    if before is not None and _is_there(place, before, tape, lineage):
        return LakeExport(identity, place.url, events=before.event_count, files_kept=len(before.files))
    with ExitStack() as stack:
        spool = stack.enter_context(place.spool(identity))
        writer = LakeWriter(place, tape, lineage, spool)
        stack.callback(writer.abandon)
        try:
            digest = _write_events(writer, tape, before, on_progress)
            writer.close()
            manifest = Manifest(
                identity, lineage.transform_id, lineage.source_uri, lineage.ingested_ns, tape.instruments,
                tape.metadata, tape.event_count, digest, tape.data_sha256, tape.first_received_ns,
                tuple(writer.files),
            )  # fmt: skip
            aside = spool / "manifest.part"
            aside.write_bytes(manifest.packed())
        except OSError as error:
            raise refused(str(spool), error, spool) from error
        place.publish(aside, name)
        for stale in writer.stale():
            place.remove(stale)
            writer.report.files_removed += 1
    return writer.report


def _is_there(place: LakePlace, before: Manifest, tape: Tape, lineage: Lineage) -> bool:
    """Whether the lake holds all of this tape already."""
    if before.event_count > tape.event_count:
        raise StorageError(
            f"{place.url} holds {before.event_count:,} events of this tape, "
            f"{tape.path} only {tape.event_count:,}: it is an older copy. To go back to it, remove the files "
            f"{before.tape}-*.parquet and {manifests.manifest_name(before.tape)} from the lake first."
        )
    if (before.data_sha256, before.transform_id) != (tape.data_sha256, lineage.transform_id):
        return False
    there = {name for venue in manifests.folders_of([before]) for name in place.names(venue)}
    return {file.name for file in before.files} <= there


def _write_events(writer: LakeWriter, tape: Tape, before: Manifest | None, on_progress: Progress | None) -> str:
    """All events into the writer; their SHA-256."""
    digest, done = hashlib.sha256(), 0
    for block, events in enumerate(_in_batches(tape)):
        data = np.ascontiguousarray(events).view(np.uint8).data
        if before is not None and done < before.event_count <= done + len(events):
            head = digest.copy()
            head.update(data[: (before.event_count - done) * events.itemsize])
            if head.hexdigest() != before.events_sha256:
                raise StorageError(
                    f"{tape.path} begins like a tape that {writer.report.lake} holds, but goes on otherwise. "
                    f"Remove {manifests.manifest_name(before.tape)} and its files, or export to another lake."
                )
        digest.update(data)
        writer.append(events, done)
        done += len(events)
        if on_progress is not None and block % 8 == 0:
            on_progress(done, tape.event_count)
    return digest.hexdigest()


def _in_batches(tape: Tape) -> Iterator[Events]:
    """The blocks of a tape, verified, small ones joined: a live session's have a few events each."""
    held: list[Events] = []
    count = 0
    for block, events in enumerate(tape.events()):
        tape.verify(block, block + 1)
        held.append(events)
        count += len(events)
        if count >= ROWS_OF_GROUP:
            yield np.concatenate(held)
            held, count = [], 0
    if held:
        yield np.concatenate(held)
