"""Rows a second from files of other programs to a finished tape, for each kind; and tape bytes for each event.

Files of a million rows are made here, as their vendors write them, zipped or packed as they pack them. One pass warms
up, the median of the others counts. Seconds are those of the processor, so that a busy machine does not blur them.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.results import emit
from streamtrader.runtime.datasets import export_dataset, import_dataset
from streamtrader.storage.tape import Tape

START_US = 1_740_787_200_000_000


def walk(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times in microseconds, prices in cents, sizes in thousandths, sides."""
    generator = np.random.default_rng(seed)
    times = START_US + np.cumsum(generator.integers(0, 80_000, count))
    prices = 6_000_000 + np.cumsum(generator.integers(-3, 4, count))
    return times, prices, generator.integers(1, 100_000, count), generator.integers(0, 2, count)


def zipped(path: Path, text: str) -> list[Path]:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.stem + ".csv", text)
    return [path]


def lean(folder: Path, count: int) -> list[Path]:
    times, prices, sizes, _ = walk(count)
    ms = (times - times[0]) * 80_000_000 // (times[-1] - times[0])
    rows = zip(ms.tolist(), (prices // 4).tolist(), sizes.tolist(), strict=True)
    return zipped(
        folder / "20250303_spy_Trade_Tick.zip",
        "".join(f"{at},{price},{size},P,20002020,0\n" for at, price, size in rows),
    )


def binance(folder: Path, count: int) -> list[Path]:
    rows = enumerate(zip(*(column.tolist() for column in walk(count)), strict=True), 4_000_000_000)
    return zipped(
        folder / "BTCUSDT-trades-2025-03-01.zip",
        "".join(
            f"{number},{price / 100:.8f},{size / 1000:.8f},{price * size / 1e5:.8f},{at},{bool(side)},True\n"
            for number, (at, price, size, side) in rows
        ),
    )


def tardis(folder: Path, count: int) -> list[Path]:
    rows = zip(*(column.tolist() for column in walk(count)), strict=True)
    text = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n" + "".join(
        f"binance-futures,BTCUSDT,{at},{at // 100_000 * 100_000 + 100_500},false,{'bid' if side else 'ask'},{price / 100},{size / 1000}\n"
        for at, price, size, side in rows
    )
    path = folder / "incremental_book_L2.csv.gz"
    path.write_bytes(gzip.compress(text.encode(), 6))
    return [path]


def plain(folder: Path, count: int) -> list[Path]:
    rows = zip(*(column.tolist() for column in walk(count)), strict=True)
    path = folder / "BTCUSDT.csv"
    path.write_text(
        "time,side,price,size\n"
        + "".join(f"{at},{'buy' if side else 'sell'},{price / 100},{size / 1000}\n" for at, price, size, side in rows)
    )
    return [path]


def npz(folder: Path, count: int) -> list[Path]:
    source = folder / "source.tape"
    import_dataset(plain(folder, count), source)
    export_dataset(source, folder / "BTCUSDT.npz", wanted_format="hftbacktest")
    return [folder / "BTCUSDT.npz"]


SOURCES: dict[str, Callable[[Path, int], list[Path]]] = {
    "lean ticks, zip": lean, "binance trades, zip": binance, "tardis L2, gzip": tardis, "csv trades": plain,
    "hftbacktest npz": npz,
}  # fmt: skip


def measured(make: Callable[[Path, int], list[Path]], count: int, repeats: int) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp())
    try:
        files = make(folder, count)
        seconds, out = [], folder / "out.tape"
        for _ in range(repeats + 1):
            out.unlink(missing_ok=True)
            started = time.process_time()
            result = import_dataset(files, out)
            seconds.append(time.process_time() - started)
        events = Tape.open(out).event_count
        size = out.stat().st_size
        return {
            "rows_per_s": round(result.rows / float(np.median(seconds[1:]))),
            "file_bytes_per_row": round(sum(file.stat().st_size for file in files) / result.rows, 1),
            "tape_bytes_per_event": round(size / events, 2),
            "tape_bytes_per_event_gzip": round(len(gzip.compress(out.read_bytes(), 1)) / events, 2),
        }
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    table = {}
    for name, make in SOURCES.items():
        table[name] = measured(make, options.rows, options.repeats)
        sys.stderr.write(f"{name:<20} {'  '.join(f'{what} {value:,}' for what, value in table[name].items())}\n")
    emit({"bench": "micro_imports", "imports": table})


if __name__ == "__main__":
    main()
