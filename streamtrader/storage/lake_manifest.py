"""What the lake knows of each tape in it: `_tapes/<tape>.json` names its instruments and every file of its rows.

A manifest is written last. A reader goes by manifests alone, so it never sees half of an export, and a file that is
gone or altered is told, not passed over. The identity of a tape is that of its markets and of its first event: a tape
that has grown since is the same tape, and its files take the place of the older ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import quote

import numpy as np

from streamtrader.errors import ConfigError, LayoutChanged, StorageError
from streamtrader.instruments import Instrument
from streamtrader.storage.lake_place import LakePlace
from streamtrader.storage.tape_reader import Tape
from streamtrader.units import NS_PER_DAY

SCHEMA = 1
TAPES = "_tapes"


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One file: the events `first_sequence` to `last_sequence` of one channel, instrument and day, not all."""

    name: str
    channel: str
    instrument: int  # index into the instruments of the manifest
    day: int  # since 1970-01-01, UTC
    rows: int
    first_sequence: int
    last_sequence: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A tape in the lake."""

    tape: str
    transform_id: str
    source_uri: str
    ingested_ns: int
    instruments: tuple[Instrument, ...]
    metadata: dict[str, Any]
    event_count: int
    events_sha256: str
    data_sha256: str  # of the tape's checksums: tells without reading that nothing is new
    first_received_ns: int
    files: tuple[LakeFile, ...]

    def packed(self) -> bytes:
        content = asdict(replace(self, instruments=(), files=())) | {
            "schema": SCHEMA,
            "instruments": [instrument.as_dict() for instrument in self.instruments],
            "files": [asdict(file) for file in self.files],
        }
        return json.dumps(content, indent=1, allow_nan=False).encode()

    @classmethod
    def unpacked(cls, data: bytes, name: str) -> Manifest:
        try:
            content = json.loads(data)
            schema = content.pop("schema")
            if schema > SCHEMA:
                raise LayoutChanged(
                    f"{name} was written by a newer streamtrader (lake schema {schema}); update to read it"
                )
            instruments = tuple(Instrument.from_dict(values) for values in content.pop("instruments"))
            files = tuple(LakeFile(**values) for values in content.pop("files"))
            return cls(instruments=instruments, files=files, **content)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, ConfigError) as error:
            raise StorageError(f"{name} is no manifest of a lake ({error}); export its tape again") from error


def manifests_of(place: LakePlace) -> list[Manifest]:
    """All tapes of a lake, in the order of their first events."""
    names = [name for name in place.names(TAPES) if name.endswith(".json")]
    found = [Manifest.unpacked(place.read(name), f"{place.url}/{name}") for name in names]
    return sorted(found, key=lambda each: (each.first_received_ns, each.tape))


def manifest_name(tape: str) -> str:
    return f"{TAPES}/{tape}.json"


def identity_of(tape: Tape) -> str:
    """16 hexadecimal digits that a tape has from its first event on, however it is cut into blocks."""
    markets = [[each.venue, each.symbol, each.kind] for each in tape.instruments]
    digest = hashlib.sha256(json.dumps(markets).encode())
    for events in tape.events(0, 1):
        digest.update(events[:1].tobytes())
    return digest.hexdigest()[:16]


def folder_of(instrument: Instrument, channel: str, day: int) -> str:
    """`venue=/channel=/symbol=/date=`; what a path cannot hold is percent-encoded, as Hive does it."""
    venue, symbol = quote(instrument.market, safe=""), quote(instrument.symbol, safe="")
    return f"venue={venue}/channel={channel}/symbol={symbol}/date={np.datetime64(day, 'D')}"


def day_of(at_ns: int) -> int:
    return at_ns // NS_PER_DAY


def folders_of(manifests: Iterable[Manifest]) -> set[str]:
    """The `venue=` folders in which the files of some tapes lie."""
    return {file.name.partition("/")[0] for manifest in manifests for file in manifest.files}
