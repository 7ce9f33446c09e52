"""Compiling before anybody waits for it, on both cores.

Layouts are all that the compiler needs, so stand-ins will do for instruments. On a cold start a second process
compiles from the other end: the scanner of frames and the classes of strategies and rules, while this one compiles the
loop. Whoever comes second to a kernel finds it on disk; should the helper fail, everything is compiled here.
"""

from __future__ import annotations

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
from streamtrader.kernel.calls import is_kept
from streamtrader.runtime.loading import loop_sources, scanner_for_frames
from streamtrader.runtime.replay import engine_for

if TYPE_CHECKING:
    from streamtrader.venues.binance.scan import Scanner


def place_holders(settings: Settings) -> tuple[Instrument, ...]:
    """An instrument for every symbol that a strategy names; their rules do not enter the machine code."""
    named = [symbol for strategy in settings.strategies for symbol in strategy.instruments]
    symbols = dict.fromkeys(named or settings.exchange.symbols)
    quote = settings.account.currency  # none of them needs to be converted
    return tuple(Instrument("none", symbol, "", quote, Decimal("0.01"), Decimal("0.01")) for symbol in symbols)


def warm(settings: Settings) -> tuple[Scanner, float]:
    """Compile, or take from disk, all that the first event will need; also says how long that took."""
    started_s = time.perf_counter()
    helper = None
    if not is_kept(loop_sources()) and (os.cpu_count() or 1) > 1:
        helper = _start_helper(settings)
    was_collecting = gc.isenabled()
    gc.disable()  # the compiler makes millions of objects and hardly a cycle: collecting takes a sixth of its time
    try:
        engine_for(settings, place_holders(settings))
        scanner = scanner_for_frames()
    finally:
        if was_collecting:
            gc.enable()
        if helper is not None:
            helper.kill()
            helper.wait()
    return scanner, time.perf_counter() - started_s


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
    """The helper: the same work, begun at the other end."""
    settings = Settings.model_validate_json(sys.stdin.read())
    gc.disable()
    scanner_for_frames()
    engine_for(settings, place_holders(settings), classes_first=True)


if __name__ == "__main__":
    main()
