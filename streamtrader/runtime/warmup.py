"""Compiling before anybody waits for it, on several cores.

Layouts are all that the compiler needs, so stand-ins will do for instruments. On a cold start processes compile a share
each, and then everything is found on disk; what a helper did not manage is compiled by whoever needs it.
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
from streamtrader.kernel.calls import is_kept, keep, use_cache
from streamtrader.processes import command_of, environment
from streamtrader.runtime.assembly import compile_classes
from streamtrader.runtime.entry import PARTS, loop_entries, part_code
from streamtrader.runtime.loading import class_sources, classes_of, loop_sources, placements_of, scanner_for_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamtrader.venues.binance.scan import Scanner

LOOP, SCANNER, CLASSES = "loop", "scanner", "classes"
EVERYTHING = (*PARTS, LOOP, SCANNER, CLASSES)  # the last two are kept in folders of their own
# What the processes of a first start compile, by their number: parts of one share have the most in common, and all shares
# take about as long. Compiled alone, the parts take 0.3 to 4 s.
SHARES: dict[int, tuple[tuple[str, ...], ...]] = {
    1: (EVERYTHING,),
    2: (("deliver_code", "settle_code", "liquidate_code", LOOP, CLASSES), ("match_code", SCANNER)),
    3: (("deliver_code", "liquidate_code", LOOP), ("match_code", CLASSES), ("settle_code", SCANNER)),
    4: (("deliver_code", "liquidate_code"), ("settle_code", CLASSES), ("match_code",), (LOOP, SCANNER)),
}
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
    with _uncollected():
        prepare(settings)
        _compile(settings, EVERYTHING)
    return scanner_for_frames(), time.perf_counter() - started_s


def prepare(settings: Settings) -> None:
    """On a first start compile on all cores and leave everything on disk, where whoever needs it will find it."""
    if is_kept(loop_sources()) or use_cache(loop_sources()) is None:
        return
    own, *others = SHARES[min(os.cpu_count() or 1, max(SHARES))]
    helpers: list[subprocess.Popen[bytes]] = []
    with _uncollected():
        try:
            with contextlib.suppress(OSError):
                helpers.extend(_start_helper(settings, share) for share in others)
            _compile(settings, own)
            with contextlib.suppress(subprocess.TimeoutExpired):
                for helper in helpers:
                    helper.wait(HELPER_S_MOST)
        finally:
            for helper in helpers:
                helper.kill()
                helper.wait()
        _compile(settings, EVERYTHING)
    keep(loop_sources())


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """The compiler makes millions of objects and hardly a cycle: collecting takes a sixth of its time."""
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()


def _start_helper(settings: Settings, share: Sequence[str]) -> subprocess.Popen[bytes]:
    helper = subprocess.Popen(
        command_of("streamtrader.runtime.warmup", *share), env=environment(),
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert helper.stdin is not None
    helper.stdin.write(json.dumps(settings.as_json()).encode())
    helper.stdin.close()
    return helper


def _compile(settings: Settings, share: Sequence[str]) -> None:
    """What was compiled before comes from disk, or from memory. The parts of the loop come first, into its own folder."""
    use_cache(loop_sources())
    for name in sorted(share, key=EVERYTHING.index):
        if name == LOOP:
            loop_entries(cache=True)
        elif name == SCANNER:
            scanner_for_frames()
        elif name == CLASSES:
            placements = placements_of(settings, place_holders(settings))
            compile_classes(placements, class_sources(classes_of(placements)))
        else:
            part_code(name, cache=True)


def main() -> None:
    """A helper: its share, in the order given."""
    settings = Settings.model_validate_json(sys.stdin.read())
    with _uncollected():
        _compile(settings, sys.argv[1:])


if __name__ == "__main__":
    main()
