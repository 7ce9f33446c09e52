"""Downloads of the past: a venue's REST history becomes a tape.

    rules -> page -> joined to what is there -> durable -> bookmark -> next page ... -> tape

Each start asks for the rules of the instrument first, whatever is left of the day's budget: that answer also tells the
venue's clock, and with it the day, and up to where there is a past at all.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.instruments import Instrument
from streamtrader.storage.daily_budget import DailyBudget
from streamtrader.storage.downloads import Download, finished
from streamtrader.storage.tape_reader import Tape
from streamtrader.venues.history import (
    FOREVER_NS,
    Cursor,
    History,
    Page,
    Query,
    RestLimits,
    Rows,
    counted,
    history_of,
)
from streamtrader.venues.joining import Joiner, joiner_for
from streamtrader.venues.rest import Answer, RestClient, RestSettings

HOLE_TRIES = 3
HOLES_DOUBTED = 20  # so many holes that stayed holes: then the venue is believed at once


@dataclass(frozen=True, slots=True)
class GetOptions:
    """Where to ask, and within which limits; what is left out is the venue's own."""

    budget_folder: Path
    rest_url: str = ""
    daily_weight: float | None = None
    limits: RestLimits | None = None
    rest: RestSettings = field(default_factory=RestSettings)


def state_folder() -> Path:
    """What is kept for this user between commands (`XDG_STATE_HOME`)."""
    root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(root) / "streamtrader"


def budget_folder() -> Path:
    """Where all downloads of this user count what they asked for."""
    return state_folder() / "budgets"


class Walk:
    """From page to page of one query, where need be from a bookmark. `rejected` are records that cannot be true."""

    def __init__(
        self, client: RestClient, history: History, instrument: Instrument, query: Query, progress: dict[str, Any]
    ) -> None:
        self.query = query
        self.now_ns = 0
        self.rejected: int = progress.get("rejected", 0)
        self._client = client
        self._history = history
        self._instrument = instrument
        self._doubts: int = progress.get("doubts", HOLES_DOUBTED)
        self._cursor: Cursor = progress.get("cursor") or history.begin(query)
        self._joiner: Joiner = joiner_for(query, history, progress.get("joiner"))

    async def pages(self) -> AsyncIterator[Rows]:
        """The new rows of each page; `progress` after each says how to go on behind it."""
        is_last = self._joiner.is_done
        while not is_last:
            page, rows = await self._page()
            self._cursor = page.cursor
            self.rejected += page.rejected
            is_last = page.is_last or self._joiner.is_done
            yield rows
        yield self._joiner.finish(self.now_ns)

    async def _page(self) -> tuple[Page, Rows]:
        """A page without holes, or as it is when the venue insists."""
        for left in reversed(range(HOLE_TRIES if self._doubts > 0 else 1)):
            page = await self._client.get(self._history.request(self.query, self._cursor), self._read)
            rows = self._joiner.take(page.rows.copy(), self.now_ns, may_have_holes=False)
            if rows is not None:
                return page, rows
            self._doubts -= left == 0
        found = self._joiner.take(page.rows, self.now_ns, may_have_holes=True)
        assert found is not None
        return page, found

    def _read(self, answer: Answer) -> Page:
        self.now_ns = max(self.now_ns, answer.now_ns)
        return counted(self._history.read(self.query, self._cursor, answer.body), self._instrument)

    def progress(self) -> dict[str, Any]:
        return {
            "cursor": self._cursor,
            "joiner": self._joiner.state(),
            "doubts": self._doubts,
            "rejected": self.rejected,
            "until_ns": self.query.stop_ns,
        }

    def found(self) -> dict[str, Any]:
        return self._joiner.found() | {"rejected": self.rejected}


@asynccontextmanager
async def asking(
    history: History, query: Query, options: GetOptions
) -> AsyncIterator[tuple[RestClient, Instrument, int]]:
    """A client within its budgets, the instrument, and the venue's clock."""
    history.check(query)
    if options.rest_url and not re.match(r"https?://[^/\s]", options.rest_url):
        raise ConfigError(f"--rest-url {options.rest_url}: an address begins with http:// or https://")
    limits = options.limits or history.limits(query.kind)
    daily = limits.weight_per_day if options.daily_weight is None else options.daily_weight
    budget = DailyBudget(options.budget_folder, history.name, daily)
    urls = (options.rest_url.rstrip("/"),) if options.rest_url else history.rest_urls(query.kind)
    async with aiohttp.ClientSession() as session:
        headers = history.headers()
        client = RestClient(session, history.name, urls, limits, settings=options.rest, headers=headers)
        client.on_spend, client.on_clock = budget.spend_unasked, budget.learn_clock
        try:
            yield client, *await client.get(history.rules(query), _rules(history, query, client, budget))
        finally:
            await asyncio.to_thread(budget.settle)


def _rules(
    history: History, query: Query, client: RestClient, budget: DailyBudget
) -> Callable[[Answer], tuple[Instrument, int]]:
    """Reads the rules; from then on each request must fit the budget of the day."""

    def read(answer: Answer) -> tuple[Instrument, int]:
        instrument = history.instrument_of(answer.body, query)
        client.on_spend = budget.spend
        return instrument, answer.now_ns

    return read


async def get_history(
    venue: str,
    query: Query,
    out: Path,
    options: GetOptions,
    *,
    on_progress: Callable[[int, int], None] = lambda _done_ns, _all_ns: None,
) -> dict[str, Any]:
    """Download what `query` asks for to the tape `out`, or go on with that; says what was found.

    Stopped at any moment, by whatever, the same call goes on. Once it is finished, the same call changes nothing.
    `on_progress` gets (nanoseconds behind us, all of them).
    """
    history = history_of(venue)
    asked = _asked(venue, query)
    history.check(query)
    tape = await asyncio.to_thread(finished, out, asked)
    if tape is not None:
        return _told(tape, requests=0, failures=[], is_resumed=False)
    async with asking(history, query, options) as (client, instrument, now_ns):
        download = await asyncio.to_thread(Download.open, out, asked, instrument)
        with download:
            until_ns = download.progress.get("until_ns") or until(query, now_ns)
            wanted = replace(query, stop_ns=until_ns)
            walk = Walk(client, history, instrument, wanted, download.progress)
            async for rows in walk.pages():
                await asyncio.to_thread(download.keep, rows, walk.progress())
                if len(rows):
                    on_progress(int(rows["venue_ns"][-1]) - query.start_ns, until_ns - query.start_ns)
            await asyncio.to_thread(download.finish, walk.found() | {"until_ns": until_ns})
        return _told(
            Tape.open(out), requests=client.requests, failures=client.failures, is_resumed=download.is_resumed
        )


def until(query: Query, now_ns: int) -> int:
    """The end of the query, or the venue's now where that comes first."""
    if now_ns == 0 and query.stop_ns == FOREVER_NS:
        raise BadMessage("the venue does not tell the time in its answers: say with --to how far to go")
    stop_ns = min(query.stop_ns, now_ns or FOREVER_NS)
    if stop_ns <= query.start_ns:
        raise ConfigError("--from lies in the future")
    return stop_ns


def _asked(venue: str, query: Query) -> dict[str, Any]:
    """A query as it is written down."""
    values = asdict(query)
    return {"venue": venue} | {name: value for name, value in values.items() if value not in (FOREVER_NS, "")}


def _told(tape: Tape, *, requests: int, failures: list[str], is_resumed: bool) -> dict[str, Any]:
    return {
        "tape": str(tape.path),
        "query": tape.metadata["query"],
        "events": tape.event_count,
        "first_ns": tape.first_received_ns,
        "last_ns": tape.last_received_ns,
        "found": tape.metadata["found"],
        "requests": requests,
        "asked_again": failures,
        "is_resumed": is_resumed,
    }
