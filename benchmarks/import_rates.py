"""How fast recordings and data sets become tapes, and how many bytes an event takes: on tape, compressed, in a lake.

    python -m benchmarks.import_rates [--name binance-raw]

The recordings are those of the tests, `STREAMTRADER_SHARED_DATA`, read in place; tapes go to a temporary folder.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import zstandard

from benchmarks.results import busy_share, emit
from benchmarks.venue_frames import DATA
from streamtrader.runtime.datasets import import_dataset
from streamtrader.runtime.importing import import_captures
from streamtrader.runtime.lake import export_to_lake
from streamtrader.runtime.loading import scanner_for_frames
from streamtrader.storage.tape import Tape

CSV_ROWS = 200_000
ZSTD_LEVELS = (3, 10)


def captures(*names: str, is_scanned: bool = False) -> Callable[[Path, Path], int]:
    def work(_folder: Path, out: Path) -> int:
        scanner = scanner_for_frames() if is_scanned else None
        return import_captures([DATA / name for name in names], out, scanner=scanner).frames

    return work


def lean(_folder: Path, out: Path) -> int:
    name = "ticks/us_equity/tick/spy_20131008_trade.zip"
    return import_dataset([DATA.parent / name], out, wanted_format="lean", symbols=["SPY"]).rows


def plain_csv(folder: Path, out: Path) -> int:
    path = folder / "trades.csv"
    if not path.exists():
        source = random.Random(7)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["timestamp", "symbol", "price", "size", "side"])
            for row in range(CSV_ROWS):
                side = source.choice(("buy", "sell"))
                price, size = 50_000 + source.randint(-5000, 5000) / 100, source.randint(1, 2000) / 1000
                writer.writerow([1_700_000_000_000 + row, "BTCUSDT", f"{price:.2f}", f"{size:.3f}", side])
    return import_dataset([path], out, wanted_format="csv").rows


WORK = {
    "binance-raw": captures("binance/spot_btcusdt_20240808.gz", "binance/spot_btcusdt_20240809.gz", is_scanned=True),
    "binance-usdm-raw": captures("binance/usdm_btcusdt_20240808.gz", is_scanned=True),
    "kraken-cbcap": captures("kraken/crossbook_kraken_btcusd_sample.cbcap"),
    "bybit-cryptofeed": captures("bybit/cryptofeed_BYBIT.jsonl.zst"),
    "coinbase-cryptofeed": captures("coinbase/cryptofeed_COINBASE_EXCHANGE_2021.ws.txt.gz"),
    "lean-ticks": lean,
    "csv-trades": plain_csv,
}


def sizes(tape: Path, folder: Path) -> dict[str, float]:
    """Bytes an event: of the tape as it is, of the same bytes compressed, of the lake's Parquet files."""
    content, count = tape.read_bytes(), Tape.open(tape).event_count
    found = {"tape_bytes": round(len(content) / count, 2)}
    for level in ZSTD_LEVELS:
        packed = zstandard.ZstdCompressor(level=level).compress(content)
        found[f"tape_zstd_{level}_bytes"] = round(len(packed) / count, 2)
    lake = export_to_lake(tape, folder / "lake", ingested_ns=1)
    return found | {"lake_bytes": round(lake.bytes_written / count, 2)}


def measure(name: str, repeats: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place:
        folder, taken = Path(place), []
        rows, out = 0, folder / "0.tape"
        for number in range(repeats + 1):  # the first one compiles
            out = folder / f"{number}.tape"
            started = time.perf_counter()
            rows = WORK[name](folder, out)
            taken.append(time.perf_counter() - started)
        events = Tape.open(out).event_count
        seconds = statistics.median(taken[1:])
        rates = {"rows": rows, "events": events, "rows_per_s": round(rows / seconds)}
        return rates | {"events_per_s": round(events / seconds)} | sizes(out, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", choices=list(WORK), action="append")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    results = {name: measure(name, options.repeats) for name in options.name or list(WORK)}
    emit({"bench": "import_rates", "busy": busy_share(), "imports": results})


if __name__ == "__main__":
    main()
