"""`data import` and `data export` for data sets of other programs: what the commands take, passed on."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from streamtrader.cli.common import Common, tell

# Named here too, so that `--help` need not load the importers; a test holds both lists together.
DATASETS = ("lean", "binance-dump", "tardis", "dbn", "hftbacktest", "csv")
FILE_EXPORTS = ("hftbacktest", "csv")


def is_dataset(files: Sequence[Path], wanted_format: str) -> bool:
    """Whether these files are for `import_dataset`, rather than captures of a venue."""
    if wanted_format in DATASETS:
        return True
    from streamtrader.runtime.datasets import AUTO, dataset_format

    return wanted_format == AUTO and dataset_format(files) is not None


def import_dataset(
    files: Sequence[Path], out: Path, options: Common, *, wanted_format: str, symbols: Collection[str], adjust: str
) -> None:
    """Make one tape of files of one data set."""
    from streamtrader.observers.screen import console_for, progress
    from streamtrader.runtime import datasets

    is_shown = not (options.is_json or options.is_plain)
    with progress(console_for(sys.stderr, os.environ), "import, per cent", 100, is_shown=is_shown) as move:
        result = datasets.import_dataset(
            files,
            out,
            wanted_format=wanted_format,
            symbols=symbols,
            adjust=adjust,
            on_progress=lambda done, all_: move(100 * done // max(all_, 1)),
        )
    tell(asdict(result) | {"instruments": [each.as_dict() for each in result.instruments]}, is_json=options.is_json)


def export_dataset(tape: Path, out: Path, options: Common, *, wanted_format: str, symbols: Collection[str]) -> None:
    """Write what is on a tape as a file of another program."""
    from streamtrader.runtime import datasets

    result = datasets.export_dataset(tape, out, wanted_format=wanted_format, symbols=symbols)
    tell(asdict(result), is_json=options.is_json)
