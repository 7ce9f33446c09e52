"""LEAN's zips: ticks and bars of US equities and of crypto, as https://www.quantconnect.com/docs/v2/lean-engine/data-format
lays them out.

Equities: prices times 10,000, milliseconds since midnight in New York. Crypto: plain decimals, midnight in UTC. The CSV
inside names day, symbol, resolution and kind; daily and hourly ones hold all days and tell them in each row.

Quote ticks give one side each and leave the other as it was (their price there is 0). Carried on so, they close every
minute at the prices and sizes of the vendor's own quote bars, and every second but one of 50,268. A row that the vendor
calls suspicious is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from streamtrader.errors import MarketFileError
from streamtrader.storage.importers.clocks import day_of
from streamtrader.storage.importers.lean_actions import Actions
from streamtrader.storage.importers.lean_rows import Series, whole_updates
from streamtrader.storage.importers.markets import Intake
from streamtrader.storage.importers.opening import first_bytes, member_of, opened
from streamtrader.storage.importers.rows import Events

RESOLUTIONS = ("tick", "second", "minute", "hour", "daily")
TRADE_BAR_WIDTH, QUOTE_BAR_WIDTH = 6, 11
_DAY_NAME = re.compile(
    r"(\d{8})_(.+)_(trade|quote|tick|second|minute)_(trade|quote|tick|second|minute)\.csv", re.IGNORECASE
)
_LONG_NAME = re.compile(r"([^_]+)\.csv", re.IGNORECASE)
_CRYPTO = re.compile(r"crypto(?:future)?[/\\](\w+?)[/\\_](?:tick|second|minute|hour|daily)", re.IGNORECASE)
_EQUITY = re.compile(r"equity[/\\](\w+?)[/\\_](?:tick|second|minute|hour|daily)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LeanFile:
    """One zip: what its member's name and first row tell."""

    path: Path
    ticker: str
    day: date  # the first one in it
    is_dated: bool  # all of it is of that day; otherwise each row has its date
    resolution: str
    is_quote: bool
    is_equity: bool
    venue: str


def lean_streams(files: Sequence[Path], intake: Intake) -> list[Iterator[Events]]:
    """One stream for each symbol, kind and resolution; trades come before quotes of the same time.

    Factor and map files may be among the files; otherwise they are looked for in LEAN's own folders.
    """
    actions = Actions(path for path in files if path.suffix.lower() == ".csv")
    zips = [described(path) for path in files if path.suffix.lower() != ".csv"]
    if not zips:
        raise MarketFileError("no zip of LEAN among the files; factor and map files alone hold no market.")
    series: dict[tuple[bool, str, str, str], list[LeanFile]] = {}
    first_days: dict[str, int] = {}
    for file in sorted(zips, key=lambda file: file.day):
        symbol, day = _symbol(file, actions), int(f"{file.day:%Y%m%d}")
        if intake.wants(symbol):
            series.setdefault((file.is_quote, file.venue, symbol, file.resolution), []).append(file)
            first_days.setdefault(symbol, day)
    if intake.adjust != "none":
        intake.notes["adjusted"] = f"{intake.adjust}, forward from the first day"
    return [
        _stream(key, parts, intake, actions, first_days[key[2]])
        for key, parts in sorted(series.items(), key=lambda item: item[0])
    ]


def described(path: Path) -> LeanFile:
    """What a zip holds, by the name of its CSV, the first rows of it, and the folders above."""
    member = Path(member_of(path)).name
    crypto, equity = _CRYPTO.search(path.as_posix()), _EQUITY.search(path.as_posix())
    start = first_bytes(path)
    first = start.split(b"\n", 1)[0]
    is_equity = _is_equity(path, first) if crypto is None else False
    venue = (
        crypto.group(1).lower() if crypto else (equity.group(1).lower() if equity else "usa") if is_equity else "lean"
    )
    dated, long = _DAY_NAME.fullmatch(member), _LONG_NAME.fullmatch(member)
    if dated is not None:
        words = {dated.group(3).lower(), dated.group(4).lower()}
        resolution = next((word for word in words if word in RESOLUTIONS), "")
        if not resolution or not words & {"trade", "quote"}:
            raise MarketFileError(f"{path.name}/{member}: no name of LEAN's: day_symbol_resolution_kind.csv.")
        day = day_of(dated.group(1), f"{path.name}/{member}")
        return LeanFile(path, dated.group(2), day, True, resolution, "quote" in words, is_equity, venue)
    if long is None:
        raise MarketFileError(
            f"{path.name}/{member} is no market of LEAN's that is known here: day_symbol_resolution_kind.csv, "
            "or symbol.csv with hourly or daily bars."
        )
    resolution = "hour" if any(row[9:14] not in (b"", b"00:00") for row in start.split(b"\n")[:-1]) else "daily"
    width = first.count(b",") + 1
    if width not in (TRADE_BAR_WIDTH, QUOTE_BAR_WIDTH):
        raise MarketFileError(f"{path.name}/{member}:1: {width} columns; hourly and daily bars have 6 or 11.")
    day = day_of(first[:8].decode("ascii", "replace"), f"{path.name}/{member}:1")
    return LeanFile(path, long.group(1), day, False, resolution, width == QUOTE_BAR_WIDTH, is_equity, venue)


def _is_equity(path: Path, first: bytes) -> bool:
    """By the folder, else by the prices: LEAN's equity prices are whole numbers."""
    names = path.as_posix().lower()
    if "equity" in names:
        return True
    for other in ("forex", "cfd", "future", "option", "index"):
        if f"/{other}/" in names:
            raise MarketFileError(f"{path.name}: {other} data of LEAN is not imported; equity and crypto are.")
    return b"." not in first.partition(b",")[2]


def _symbol(file: LeanFile, actions: Actions) -> str:
    if not file.is_equity:
        return file.ticker.upper()
    actions.find(file.path, file.ticker)
    symbol = actions.symbol_of(file.ticker, int(f"{file.day:%Y%m%d}"), file.path.name)
    actions.find(file.path, symbol)
    return symbol


def _stream(
    key: tuple[bool, str, str, str], files: Sequence[LeanFile], intake: Intake, actions: Actions, first_day: int
) -> Iterator[Events]:
    is_quote, venue, symbol, resolution = key
    is_equity = files[0].is_equity
    if is_equity:
        found = intake.find(venue, symbol, base=symbol, quote="USD", fee_bps=(0.0, 0.0))
    else:
        found = intake.find(venue, symbol)
    series = Series(found, intake, resolution=resolution, is_quote=is_quote, is_equity=is_equity)
    if is_equity and intake.adjust != "none":
        series.ratios = lambda days: actions.ratios(symbol, days, first_day, intake)
    parts = _parts(series, files, intake)
    yield from (whole_updates(parts) if is_quote else parts)
    intake.disordered += series.order.disordered


def _parts(series: Series, files: Sequence[LeanFile], intake: Intake) -> Iterator[Events]:
    for file in files:
        with opened(file.path) as content:
            for table in intake.pieces(content, series.columns(first_bytes(file.path), content.name)):
                yield series.events(table, file.day if file.is_dated else None)
