"""Checksums for the blocks of the tape: gigabytes a second by block size, and what that is a 64-byte event.

CRC-32 is what the tape uses: it has to find torn and rotten blocks, not forgers. The others show what more would cost.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import zlib
from collections.abc import Callable

from benchmarks.results import emit, median_seconds

EVENT_BYTES = 64
BLOCK_BYTES = (4_096, 65_536, 1_048_576)
TOTAL_BYTES = 64 << 20
CHECKS: dict[str, Callable[[bytes], object]] = {
    "crc32": zlib.crc32,
    "adler32": zlib.adler32,
    "blake2b": lambda block: hashlib.blake2b(block).digest(),
    "sha256": lambda block: hashlib.sha256(block).digest(),
}


def bytes_per_s(check: Callable[[bytes], object], block: bytes, repeats: int) -> float:
    count = TOTAL_BYTES // len(block)

    def play() -> None:
        for _ in range(count):
            check(block)

    return count * len(block) / median_seconds(play, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    source = random.Random(1)
    table: dict[str, dict[str, float]] = {}
    for size in BLOCK_BYTES:
        block = source.randbytes(size)
        for name, check in CHECKS.items():
            rate = bytes_per_s(check, block, options.repeats)
            table.setdefault(name, {})[str(size)] = round(rate / 1e9, 2)
    for name, row in table.items():
        words = "  ".join(f"{size} B {rate:g} GB/s ({EVENT_BYTES / rate:.0f} ns an event)" for size, rate in row.items())
        sys.stderr.write(f"{name:<8} {words}\n")
    emit({"bench": "micro_crc32", "gb_per_s": table})


if __name__ == "__main__":
    main()
