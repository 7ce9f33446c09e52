"""A folder of segments that are one recording: tapes, raw frames, and a manifest that vouches for them.

`manifest.json` is replaced whole and made durable whenever a segment begins or ends, so it never names what is not
there. A segment that has ended carries its SHA-256. After a crash the folder is continued: what the crash left open
is cut back to what is whole, summed up and kept, and a new segment begins.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from streamtrader.errors import LayoutChanged, StorageError
from streamtrader.instruments import Instrument
from streamtrader.storage.files import FULL, create_whole, open_locked, refused, replace_whole
from streamtrader.storage.raw_frames import SUFFIX, cut_torn_tail
from streamtrader.storage.tape import Tape, TapeWriter

SCHEMA = 1
MANIFEST, LOCK, RESERVE = "manifest.json", ".lock", ".reserve"
RESERVE_BYTES = 1 << 18  # given back when the disk is full, so that the last manifest can be written
TAPE, RAW = "tape", "raw"
SUFFIXES = {TAPE: ".tape", RAW: SUFFIX}


class Recording:
    """The folder, its manifest and its lock, for the one who writes."""

    def __init__(self, folder: Path, instruments: Sequence[Instrument], manifest: dict[str, Any], lock: int) -> None:
        self.folder = folder
        self.instruments = tuple(instruments)
        self.manifest = manifest
        self.recovered: list[str] = []  # segments that a crash had left open
        self._lock = lock

    @classmethod
    def open(cls, folder: Path | str, instruments: Sequence[Instrument], metadata: dict[str, Any]) -> Self:
        """Begin a recording, or go on with one of the same instruments."""
        folder = Path(folder)
        with contextlib.ExitStack() as undo:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock = _locked(folder)
                undo.callback(os.close, lock)
                if not (folder / MANIFEST).exists() and any(path.name[0] != "." for path in folder.iterdir()):
                    raise StorageError(f"{folder} has other files in it and is no recording. Choose another folder.")
                listed = [instrument.as_dict() for instrument in instruments]
                begun = {"schema": SCHEMA, "instruments": listed, "ended": None, "segments": []} | metadata
                manifest = read_manifest(folder) if (folder / MANIFEST).exists() else begun
                if manifest["instruments"] != listed:
                    raise StorageError(
                        f"{folder} holds a recording of other instruments or ticks. Choose another folder."
                    )
                recording = cls(folder, instruments, manifest, lock)
                recording._recover()
                manifest["ended"] = None
                (folder / RESERVE).write_bytes(os.urandom(RESERVE_BYTES))
                recording.write()
            except OSError as error:
                raise refused(f"{folder} cannot be used", error, folder) from error
            undo.pop_all()
        return recording

    @property
    def segments(self) -> list[dict[str, Any]]:
        return self.manifest["segments"]  # type: ignore[no-any-return]

    def begin(self, kind: str) -> tuple[Path, dict[str, Any]]:
        """A name for the next segment of a kind, listed as open once `write` is called."""
        number = sum(entry["kind"] == kind for entry in self.segments)
        entry: dict[str, Any] = {"file": f"{number:06d}{SUFFIXES[kind]}", "kind": kind, "ended": None}
        self.segments.append(entry)
        return self.folder / str(entry["file"]), entry

    def end(self, entry: dict[str, Any], ended: str, counted: dict[str, int]) -> None:
        """Sum up a segment whose file is closed. `counted` gives its events or lines and its clocks."""
        path = self.folder / entry["file"]
        entry |= {"ended": ended, "bytes": path.stat().st_size, "sha256": file_sha256(path)} | counted
        self.write()

    def drop(self, entry: dict[str, Any]) -> None:
        """A segment that never held anything."""
        self.segments.remove(entry)
        (self.folder / entry["file"]).unlink(missing_ok=True)
        self.write()

    def write(self) -> None:
        try:
            replace_whole(self.folder / MANIFEST, packed(self.manifest))
        except OSError as error:
            raise refused(str(self.folder / MANIFEST), error, self.folder / MANIFEST) from error

    def give_reserve(self) -> None:
        """Free the bytes that were put by for the end of a recording on a full disk."""
        with contextlib.suppress(OSError):
            (self.folder / RESERVE).unlink(missing_ok=True)

    def close(self, ended: str) -> None:
        """Say why the recording ended, and let go of the folder."""
        if self._lock < 0:
            return
        self.give_reserve()
        self.manifest["ended"] = ended
        try:
            self.write()
        finally:
            os.close(self._lock)
            self._lock = -1

    def _recover(self) -> None:
        """Sum up what a crash left open; a segment that was begun and not listed yet is listed now."""
        known = {entry["file"] for entry in self.segments}
        for kind, suffix in SUFFIXES.items():
            found = sorted(path.name for path in self.folder.glob(f"[0-9]*{suffix}") if path.name not in known)
            self.segments.extend({"file": name, "kind": kind, "ended": None} for name in found)
        for entry in [entry for entry in self.segments if entry["ended"] is None]:
            path = self.folder / entry["file"]
            if not path.exists():
                self.segments.remove(entry)
                continue
            counted = _recovered_tape(path) if entry["kind"] == TAPE else {"cut_bytes": cut_torn_tail(path)}
            if not path.stat().st_size or counted.get("events") == 0:
                self.drop(entry)
                continue
            self.recovered.append(entry["file"])
            self.end(entry, "recovered after a crash", counted)


def _recovered_tape(path: Path) -> dict[str, int]:
    with TapeWriter.reopen(path) as writer:
        cut = writer.cut_bytes
    return {"cut_bytes": cut} | counted_tape(Tape.open(path))


def counted_tape(tape: Tape) -> dict[str, int]:
    return {
        "events": tape.event_count,
        "first_received_ns": tape.first_received_ns,
        "last_received_ns": tape.last_received_ns,
    }


def packed(manifest: dict[str, Any]) -> bytes:
    return (json.dumps(manifest, indent=1, allow_nan=False) + "\n").encode()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a recording, checked for its form."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StorageError(f"{folder} is no recording: it has no {MANIFEST}. Name its tapes one by one.") from error
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {error}. Restore it, or name the tapes one by one.") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("segments"), list):
        raise StorageError(f"{path} is not the manifest of a recording. Name the tapes one by one.")
    if int(manifest.get("schema", SCHEMA)) > SCHEMA:
        raise LayoutChanged(f"{path} was written by a newer streamtrader; update streamtrader to read it.")
    return manifest


def recorded_files(place: Path | str, kind: str = TAPE) -> list[Path]:
    """The files of a recording in order, where `place` is its folder; a file stands for itself."""
    place = Path(place)
    if not place.is_dir():
        return [place]
    files = [place / entry["file"] for entry in read_manifest(place)["segments"] if entry["kind"] == kind]
    if not files:
        raise StorageError(f"{place}: the recording has no {kind} segment in it")
    return files


def recorded_until_ns(folder: Path | str) -> int | None:
    """The newest received clock on the tapes of a recording, or None where there is nothing to go on from."""
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        return None
    clocks = [0]
    for entry in read_manifest(folder)["segments"]:
        if entry["kind"] == TAPE and (folder / entry["file"]).is_file():
            is_counted = "last_received_ns" in entry
            clocks.append(
                entry["last_received_ns"] if is_counted else Tape.open(folder / entry["file"]).last_received_ns
            )
    return max(clocks) or None


def recording_faults(folder: Path | str) -> list[str]:
    """What is wrong with a recording's files, by their sums; segments that are being written are not looked at."""
    folder, faults = Path(folder), []
    for entry in read_manifest(folder)["segments"]:
        path = folder / entry["file"]
        if not path.is_file():
            faults.append(f"{path.name}: missing")
        elif entry["ended"] is not None and file_sha256(path) != entry.get("sha256"):
            faults.append(f"{path.name}: its bytes do not carry their SHA-256")
    return faults


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_full(error: BaseException | None) -> bool:
    """Whether a disk, a quota or a limit on the size of files is behind an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__
    return False


def _locked(folder: Path) -> int:
    with contextlib.suppress(FileExistsError):
        create_whole(folder / LOCK, b"")
    refusal = f"{folder} is being recorded to by another process. Choose another folder."
    return open_locked(folder / LOCK, os.O_RDWR, refusal)
