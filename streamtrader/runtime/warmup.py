"""Compiling before anybody waits for it, on both cores.

Layouts are all that the compiler needs, so stand-ins will do for instruments. On a cold start a second process
compiles its share (the scanner of frames, the classes of strategies and rules, and some parts of the loop), while this
one compiles the rest of the loop; then everything is found on disk. Should the helper fail, all is compiled here.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING

from streamtrader.config import Settings
from streamtrader.instruments import Instrument
from streamtrader.kernel.calls import is_kept, use_cache
from streamtrader.runtime.assembly import compile_classes
from streamtrader.runtime.entry import PARTS, loop_entries, part_code
from streamtrader.runtime.loading import class_sources, classes_of, loop_sources, placements_of, scanner_for_frames
from streamtrader.runtime.replay import engine_for

if TYPE_CHECKING:
    from streamtrader.venues.binance.scan import Scanner

HELPERS_PARTS = ("match_code", "settle_code")  # little of what these need is needed by the others
HELPER_S_MOST = 120.0  # a helper that hangs is given up


def place_holders(settings: Settings) -> tuple[Instrument, ...]:
    """An instrument for every symbol that a strategy names; their rules do not enter the machine code."""
    named = [symbol for strategy in settings.strategies for symbol in strategy.instruments]
    symbols = dict.fromkeys(named or settings.exchange.symbols)
    quote = settings.account.currency  # none of them needs to be converted
    return tuple(Instrument("none", symbol, "", quote, Decimal("0.01"), Decimal("0.01")) for symbol in symbols)


def warm(settings: Settings) -> tuple[Scanner, float]:
    """Compile, or take from disk, all that the first event will need; also says how long that took."""
    started_s = time.perf_counter()
    was_collecting = gc.isenabled()
    gc.disable()  # the compiler makes millions of objects and hardly a cycle: collecting takes a sixth of its time
    try:
        if not is_kept(loop_sources()) and (os.cpu_count() or 1) > 1:
            _compile_together(settings)
        engine_for(settings, place_holders(settings))
        scanner = scanner_for_frames()
    finally:
        if was_collecting:
            gc.enable()
    return scanner, time.perf_counter() - started_s


def _compile_together(settings: Settings) -> None:
    """Leave everything on disk. What the helper did not manage is compiled by whoever needs it."""
    if use_cache(loop_sources()) is None or (helper := _start_helper(settings)) is None:
        return
    try:
        for name in sorted(PARTS.keys() - set(HELPERS_PARTS)):
            part_code(name, cache=True)
        loop_entries(cache=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            helper.wait(HELPER_S_MOST)
    finally:
        helper.kill()
        helper.wait()


def _start_helper(settings: Settings) -> subprocess.Popen[bytes] | None:
    try:
        helper = subprocess.Popen(
            [sys.executable, "-m", "streamtrader.runtime.warmup"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return None
    assert helper.stdin is not None
    helper.stdin.write(json.dumps(settings.as_json()).encode())
    helper.stdin.close()
    return helper


def main() -> None:
    """The helper: its share, largest first."""
    settings = Settings.model_validate_json(sys.stdin.read())
    gc.disable()
    use_cache(loop_sources())
    for name in HELPERS_PARTS:
        part_code(name, cache=True)
    scanner_for_frames()
    placements = placements_of(settings, place_holders(settings))
    compile_classes(placements, class_sources(classes_of(placements)))


if __name__ == "__main__":
    main()
