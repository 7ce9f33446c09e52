"""Starting is recovering: opens a run directory, new or not, and brings engine, tape and database to one point.

What survives a crash is the tape up to its last whole block, the database up to its last commit (never ahead of the
tape), and a checkpoint that is older than both. The state is the checkpoint plus the tail of the tape played again;
what the engine says again on the way is in the database already or is written now.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

import streamtrader
from streamtrader.config import DEFAULTS, Settings
from streamtrader.errors import ConfigError, LayoutChanged
from streamtrader.kernel.orders import Refusal
from streamtrader.runtime.latencies import keep_pairs, latency_terms, with_kept_pairs
from streamtrader.runtime.loading import class_sources
from streamtrader.runtime.recorder import feed_rows
from streamtrader.runtime.replay import engine_for, play_tape
from streamtrader.storage import checkpoint
from streamtrader.storage.database import Database
from streamtrader.storage.rows import Journal, Row, SeatTerms, static_rows
from streamtrader.storage.run_directory import LATEST, RunDirectory, code_sha256, json_sha256
from streamtrader.storage.tape import Tape, TapeWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack

    import numpy as np

    from streamtrader.runtime.engine import Engine
    from streamtrader.runtime.live import Session
    from streamtrader.runtime.recorder import Recorder
    from streamtrader.runtime.setup import Feed

log = structlog.get_logger()
# What a run may be continued with; everything else decides and stays what it was.
CHANGEABLE = ("run", "metrics", "log")


@dataclass(slots=True)
class Opened:
    """A run directory that is ours, and what it is continued from."""

    directory: RunDirectory
    settings: Settings
    resume_after_ns: int | None
    clock_ns: Callable[[], int]
    database: Database | None = None
    session_number: int = 0
    said: list[np.ndarray[Any, Any]] | None = None
    played_from: int = 0
    torn_bytes: int = 0
    is_new: bool = False
    is_closed: bool = False

    def discard(self) -> None:
        """A run that never had an event leaves nothing behind."""
        shutil.rmtree(self.directory.path, ignore_errors=True)
        latest = self.directory.path.parent / LATEST
        with contextlib.suppress(OSError):
            if latest.read_text(encoding="utf-8").strip() == self.directory.path.name:
                latest.unlink()
            self.directory.path.parent.rmdir()  # only a root that is empty now

    async def engine_for(
        self, stack: AsyncExitStack, feed: Feed
    ) -> tuple[Engine, TapeWriter, Database, Journal, str]:
        """The engine at the end of the tape, and where it goes on writing."""
        engine = engine_for(self.settings, feed.instruments)
        key = checkpoint.layout_key(engine.arrays(), code_sha256(), json_sha256(deciding(self.settings)))
        writer = self._tape(feed)
        stack.callback(writer.close)
        self.database = await stack.enter_async_context(Database.open(self.directory.database))
        journal = await self._journal(engine, feed)
        self.said = self._play_again(engine, key, journal.last_sequence)
        self.session_number = await self.database.begin_session(
            run=self.directory.path.name,
            mode=self.settings.engine.mode,
            started_ns=self.clock_ns(),
            config_sha256=json_sha256(self.settings.as_json()),
            code_sha256=code_sha256(),
            first_event=writer.event_count,
        )
        self.directory.update_manifest(ended=None)  # what it said of an earlier end holds no longer
        return engine, writer, self.database, journal, key

    def _tape(self, feed: Feed) -> TapeWriter:
        path = self.directory.tape
        if not path.exists():
            metadata = {"run": self.directory.path.name, "venue": feed.label, "market": feed.market}
            return TapeWriter.create(path, feed.instruments, metadata)
        writer = TapeWriter.reopen(path)
        self.torn_bytes = writer.cut_bytes
        if writer.cut_bytes:
            log.warning("the tape was cut back to its last whole block", torn_bytes=writer.cut_bytes)
        tape = Tape.open(path)
        if tape.instruments != feed.instruments:
            writer.close()
            raise ConfigError(f"{path}: the venue's instruments are not those of this run; start a new run")
        return writer

    async def _journal(self, engine: Engine, feed: Feed) -> Journal:
        assert self.database is not None
        seats = seat_terms(engine, self.settings)
        await self.database.write(static_rows(feed.instruments, seats))
        return Journal(
            feed.instruments,
            seats,
            last_sequence=await self.database.last_sequence(),
            open_orders=await self.database.open_orders(),
        )

    def _play_again(self, engine: Engine, key: str, last_sequence: int) -> list[np.ndarray[Any, Any]]:
        """From the newest usable checkpoint to the end of the tape; from the start where there is none."""
        tape = Tape.open(self.directory.tape)
        found = None
        if not engine.python_seats:  # their state is in no checkpoint
            try:
                found = checkpoint.load(self.directory.checkpoint, engine.arrays(), key)
            except LayoutChanged as error:
                log.warning("the checkpoint is of another layout; the whole tape is played again", why=str(error))
        if found is not None and found.event_count <= tape.event_count:
            written = int(found.notes["outbox_written"])
            if written <= last_sequence + 1:  # else the database is older than the checkpoint: say all again
                engine.restore(found.arrays)
                engine.outbox[0].written = engine.outbox[0].drained = written
                self.played_from = found.event_count
        return [rows for rows, _ in play_tape(engine, tape, self.played_from)]

    async def catch_up(self, recorder: Recorder) -> None:
        """The database learns what the tape knows and it does not; the ledgers are rebuilt from fills and charges."""
        assert self.database is not None
        recorder.book_stored(
            await self.database.select("SELECT * FROM fills"), await self.database.select("SELECT * FROM charges")
        )
        for rows in self.said or ():
            recorder.hear(rows)
        self.said = None
        tape, at = Tape.open(self.directory.tape), 0
        found: list[Row] = []
        for part in tape.events():
            if at + len(part) > self.played_from:
                found += feed_rows(part, at)
            at += len(part)
        await self.database.write(found)
        recorder.notify()

    async def close(self, session: Session) -> None:
        """Say how it ended, in the database and in the manifest; once."""
        if self.is_closed:
            return
        assert self.database is not None
        self.is_closed = True
        reason = session.reason or "failed"
        await self.database.end_session(self.session_number, ended_ns=self.clock_ns(), reason=reason)
        engine, tape = session.engine, Tape.open(self.directory.tape)
        if tape.event_count != int(engine.state.clock[0].event_count):
            return  # it failed with events in hand: like one that was killed, it has no end yet
        self.directory.update_manifest(
            ended={
                "reason": reason,
                "events": tape.event_count,
                "outbox_rows": int(engine.outbox[0].written),
                "state_sha256": engine.state_sha256(),
                "data_sha256": tape.data_sha256,
                "ledger": session.recorder.books.as_json(),
            }
        )


async def open_run(
    stack: AsyncExitStack, settings: Settings, path: Path | None, clock_ns: Callable[[], int]
) -> Opened:
    """Create a run directory, or take an existing one over; it is locked until the stack is closed."""
    if path is None:
        measured = latency_terms(settings.simulator).samples
        directory = RunDirectory.create(Path(settings.run.root), now_ns=clock_ns(), manifest=new_manifest(settings))
        stack.enter_context(directory.lock())
        if measured is not None:
            keep_pairs(directory, measured)
        return Opened(directory, with_kept_pairs(settings, directory), None, clock_ns, is_new=True)
    directory = RunDirectory.open(path)
    stack.enter_context(directory.lock())
    kept = settings_of(directory, changed=settings)
    if not directory.tape.exists():
        return Opened(directory, kept, None, clock_ns)
    tape = Tape.open(directory.tape)
    return Opened(directory, kept, tape.last_received_ns or None, clock_ns)


def new_manifest(settings: Settings) -> dict[str, Any]:
    """What produced a run, well enough to produce it again."""
    classes = {_class_of(strategy.name) for strategy in settings.strategies}
    return {
        "streamtrader": streamtrader.__version__,
        "python": platform.python_version(),
        "platform": sys.platform,
        "code_sha256": code_sha256(),
        "strategy_sources": sorted({path.name for path in class_sources(classes)}),
        "settings_sha256": json_sha256(settings.as_json()),
        "settings": settings.as_json(),
    }


def _class_of(name: str) -> type[Any]:
    from streamtrader.runtime.loading import strategy_class

    return strategy_class(name)


def deciding(settings: Settings) -> dict[str, Any]:
    """The settings without those that a run may be gone on with otherwise."""
    values = {section: dict(keys) if isinstance(keys, dict) else keys for section, keys in settings.as_json().items()}
    for section in CHANGEABLE:
        del values[section]
    del values["exchange"]["speed"]
    values["simulator"]["latency_file"] = Path(settings.simulator.latency_file).name  # wherever the run lies now
    return values


def settings_of(directory: RunDirectory, changed: Settings | None = None) -> Settings:
    """The settings that a run was started with; what does not decide may be changed by whoever asks for it."""
    kept = directory.read_manifest()["settings"]
    if changed is None:
        return with_kept_pairs(Settings.model_validate_json(json.dumps(kept)), directory)
    given, passed_over = changed.as_json(), []
    for section, keys in kept.items():
        if not isinstance(keys, dict):
            if given[section] not in (keys, DEFAULTS.as_json()[section]):
                passed_over.append(section)
            continue
        for key in [key for key in keys if changed.is_chosen(f"{section}.{key}") and keys[key] != given[section][key]]:
            if section in CHANGEABLE or (section, key) == ("exchange", "speed"):
                keys[key] = given[section][key]
            else:
                passed_over.append(f"{section}.{key}")
    if "engine.is_dry" in passed_over:
        raise ConfigError(f"{directory.path}: a run stays dry or not to its end; start a new run")
    if passed_over:
        log.warning("a run goes on with the settings that it began with", passed_over=passed_over)
    settings = Settings.model_validate_json(json.dumps(kept))
    settings._origins.update(changed._origins)
    return with_kept_pairs(settings, directory)


def seat_terms(engine: Engine, settings: Settings) -> list[SeatTerms]:
    """What the rows of each seat need to become exact money."""
    terms = []
    for at, placement in enumerate(engine.placements):
        seat = engine.state.seats[at]
        codes = {int(rule.code): type(rule).__name__ for rule in placement.rules}
        terms.append(
            SeatTerms(
                strategy=placement.name or type(placement.strategy).__name__,
                instrument=int(seat.instrument),
                maker_fee_bps=float(seat.maker_fee_bps),
                taker_fee_bps=float(seat.taker_fee_bps),
                cash=Decimal(repr(float(seat.initial_cash))),
                rule_names={code: name for code, name in codes.items() if code != Refusal.NONE},
                fee_asset=settings.simulator.fee_asset.name,
            )
        )
    return terms


