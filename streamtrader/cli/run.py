"""Commands that listen to a market: run and record."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamtrader.cli.common import (
    FAILED,
    REFUSED,
    USAGE,
    Common,
    ConfigOption,
    JsonOption,
    PlainOption,
    SetOption,
    StrategyOption,
    VerboseOption,
    common,
    settings_of,
    tell,
    told_errors,
)
from streamtrader.errors import ConfigError

if TYPE_CHECKING:
    from streamtrader.config import Settings

VenueOption = Annotated[str | None, typer.Option("--venue", help="embedded, or a venue that `streamtrader venues` lists.")]
MarketOption = Annotated[
    str | None, typer.Option("--market", help="Of the embedded exchange: synthetic, a raw capture or a tape.")
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Of the synthetic market.")]
SpeedOption = Annotated[str | None, typer.Option("--speed", help="1, 10, max: how fast the embedded market plays.")]
ForOption = Annotated[str | None, typer.Option("--for", help="End after 30s, 5m, 2h of wall-clock time.")]
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def seconds_of(text: str | None) -> float | None:
    """`30s`, `5m`, `2h`, `1d` or a plain number of seconds."""
    if text is None:
        return None
    number, unit = (text[:-1], text[-1]) if text and text[-1] in _UNITS_S else (text, "s")
    try:
        seconds = float(number) * _UNITS_S[unit]
    except ValueError:
        seconds = -1.0
    if not 0.0 < seconds < 1e9:
        raise typer.BadParameter(f"{text!r} is no duration: 30s, 5m, 2h")
    return seconds


def _lasting(market: str | None) -> str | None:
    """Files by their whole paths, so that a run can be gone on with from any folder."""
    if market is None or market == "synthetic":
        return market
    return ",".join(str(Path(name).resolve()) if Path(name).exists() else name for name in market.split(","))


def _market_overrides(venue: str | None, market: str | None, seed: int | None, speed: str | None) -> list[str]:
    given = {"venue.name": venue, "exchange.market": _lasting(market), "exchange.seed": seed, "exchange.speed": speed}
    return [f"{name}={value}" for name, value in given.items() if value is not None]


def _check_embedded(settings: Settings, market: str | None, seed: int | None, speed: str | None) -> None:
    """Options of the embedded exchange are mistakes at a real venue, whose market nobody can choose."""
    options = {"--market": market, "--seed": seed, "--speed": speed}
    given = [name for name, value in options.items() if value is not None]
    if given and settings.venue.name != "embedded":
        raise ConfigError(f"{', '.join(given)} belongs to the embedded exchange and means nothing for {settings.venue.name}")


def run(
    paper: Annotated[bool, typer.Option("--paper", help="Trade on paper: no order leaves this process.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Trade with real money.")] = False,
    directory: Annotated[Path | None, typer.Option("--run", help="Go on with this run directory.")] = None,
    venue: VenueOption = None,
    market: MarketOption = None,
    seed: SeedOption = None,
    speed: SpeedOption = None,
    strategy: StrategyOption = None,
    for_: ForOption = None,
    max_events: Annotated[int | None, typer.Option("--max-events", min=1, help="End with the message that brings the tape to so many events.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide, but refuse every order.")] = False,
    warmup: Annotated[int | None, typer.Option("--warmup", min=0, help="Begin with so many closed candles of the past.")] = None,
    record_raw: Annotated[bool, typer.Option("--record-raw", help="Keep each frame as it came in, in RUN/raw.")] = False,
    resume: Annotated[str, typer.Option("--resume", help="Release the kill switch of the run, and say why.")] = "",
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Trade a market as it comes."""
    options = common(config, overrides, strategy=strategy, is_json=as_json, is_plain=plain, is_verbose=verbose)
    if live or not paper:
        said = "real orders are not part of this release" if live else "say which money"
        sys.stderr.write(f"{said}: `streamtrader run --paper` trades on paper\n")
        raise typer.Exit(REFUSED if live else USAGE)
    with told_errors(options):
        dry = ["engine.is_dry=true"] if dry_run else []
        past = [] if warmup is None else [f"candles.warmup={warmup}"]
        settings = settings_of(options, *_market_overrides(venue, market, seed, speed), *dry, *past)
        _check_embedded(settings, market, seed, speed)
        for_s = seconds_of(for_)
        from streamtrader.runtime.live import RunOptions  # it takes a second: mistakes are told before

        wanted = RunOptions(directory, for_s, max_events, resume, record_raw)
        _run_loop(_run_paper(settings, wanted, options))


def _run_loop(main: Coroutine[Any, Any, None]) -> None:
    """uvloop where it exists; the standard loop decides the same, a little later."""
    try:
        import uvloop
    except ImportError:
        import asyncio

        asyncio.run(main)
    else:
        uvloop.run(main)


async def _run_paper(settings: Settings, wanted: Any, options: Common) -> None:
    from streamtrader.observers.drawing import beginning, ending
    from streamtrader.observers.logs import configure_logs
    from streamtrader.observers.screen import console_for, is_live_possible
    from streamtrader.runtime import figures
    from streamtrader.runtime.live import run_paper
    from streamtrader.runtime.setup import secrets_of
    from streamtrader.runtime.tally import Tally
    from streamtrader.runtime.watching import watching

    started_s = time.monotonic()
    console = console_for(sys.stderr, os.environ)
    is_screen = is_live_possible(console, os.environ, is_plain=options.is_plain or options.is_json)
    level = "debug" if options.is_verbose else settings.log.level
    with configure_logs(level=level, style=settings.log.format) as logs:
        for secret in secrets_of(settings):
            logs.register_secret(secret)
        tally = Tally()

        @asynccontextmanager
        async def watch(session: Any) -> AsyncIterator[None]:
            if is_screen:
                console.print(beginning(figures.beginning(session)))
            async with watching(session, tally, logs, console if is_screen else None):
                yield

        def stage(text: str) -> None:
            if is_screen:
                console.print(f"[bright_black]{text}...[/]", end="\r")

        session = await run_paper(settings, wanted, watch, stage)
        document = figures.as_json(session, tally)
        if session.raw is not None:
            document["raw"] = session.raw.as_dict()
    elapsed_s = time.monotonic() - started_s
    tell(
        document,
        is_json=options.is_json,
        show=lambda: console_for(sys.stdout, os.environ).print(ending(figures.ending(session, elapsed_s))),
    )
    if document["failed_seats"]:
        raise typer.Exit(FAILED)


def record(
    out: Annotated[Path, typer.Option("--out", help="The tape to write; it must not exist yet. With segments: a folder, new or gone on with.")],
    venue: VenueOption = None,
    market: MarketOption = None,
    seed: SeedOption = None,
    speed: SpeedOption = None,
    for_: ForOption = None,
    max_events: Annotated[int | None, typer.Option("--max-events", min=1, help="End with the message that brings the tape to so many events.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Keep each frame as it came in too: `<ns> <json>` lines, zstd.")] = False,
    segment_mib: Annotated[float | None, typer.Option("--segment-mib", min=0.01, help="Begin a new file when one has so many MiB.")] = None,
    segment_minutes: Annotated[float | None, typer.Option("--segment-minutes", min=0.01, help="Begin a new file at each whole multiple of so many minutes of the market's clock.")] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write a tape of a market without trading it; exit 6 when the disk is full."""
    options = common(config, overrides, is_json=as_json, is_verbose=verbose)
    with told_errors(options):
        settings = settings_of(options, *_market_overrides(venue, market, seed, speed))
        _check_embedded(settings, market, seed, speed)
        for_s = seconds_of(for_)
        from streamtrader.runtime.recording import RecordOptions, record_market
        from streamtrader.storage.segments import limits_of

        wanted = RecordOptions(out, raw, limits_of(segment_mib, segment_minutes), for_s, max_events)
        found: dict[str, Any] = {}

        async def work() -> None:
            found.update(await record_market(settings, wanted))

        _run_loop(work())
        tell(found, is_json=as_json)
