"""Run directories as a session leaves them, made from events and settings without a session."""

from __future__ import annotations

import asyncio
from pathlib import Path

from streamtrader.config import load_settings
from streamtrader.runtime.recovery import new_manifest, seat_terms
from streamtrader.runtime.replay import engine_for, play_tape
from streamtrader.storage.database import Database
from streamtrader.storage.rows import Journal, static_rows
from streamtrader.storage.run_directory import RunDirectory
from streamtrader.storage.tape import Tape, TapeWriter
from tests.kernel.play import BTC, ETH, START_NS, Script


def write_tape(path, events, instruments=(BTC, ETH)):
    with TapeWriter.create(path, instruments, {}) as writer:
        writer.append(events)
    return path


def settings_with(strategy, *overrides, instruments="BTCUSDT", parameters="{}"):
    named = f'[{{name="{strategy}", instruments=["{instruments}"], parameters={parameters}}}]'
    wide = ("risk.max_position.limit=1000", "risk.max_notional.limit_quote=1000000", "engine.cash_quote=1000000")
    return load_settings(overrides=[f"strategies={named}", *wide, *overrides], directory=Path("/"))


def ended_run(root, events, settings, *, instruments=(BTC, ETH)):
    """A run whose session heard `events`."""
    directory = RunDirectory.create(root, "ended", now_ns=START_NS, manifest=new_manifest(settings))
    tape = Tape.open(write_tape(directory.tape, events, instruments))
    engine = engine_for(settings, instruments)
    terms = seat_terms(engine, settings)
    journal = Journal(instruments, terms)
    rows = static_rows(instruments, terms)
    for said, _ in play_tape(engine, tape):
        rows += journal.rows(said)

    async def store():
        async with Database.open(directory.database) as database:
            await database.write(rows)

    asyncio.run(store())
    return directory.path


def small_market():
    """Two levels a side; what happens between 105 and 350 ms is in the words of the tests."""
    script = Script().at(0).book([(100.00, 1), (99.99, 5)], [(100.02, 1), (100.05, 5)])
    script.at(100).level(0, 99.98, 1)
    script.at(105).message([(1, 100.02, 0), (0, 100.01, 1), (1, 100.03, 1)])
    script.at(200).level(0, 99.97, 1)
    script.at(250).level(0, 100.02, 1)
    script.at(300).trade(100.04, 0.4, 0)
    script.at(350).message([(0, 100.02, 0), (0, 100.01, 0)])
    script.at(400).level(0, 99.96, 1)
    return script.at(500).level(0, 99.95, 1).at(600).timer().events()
