"""Asks a venue's REST interface, however it behaves: paced with jitter, patient where it asks for that, never rude.

what comes                                      what is done
----------------------------------------------  ---------------------------------------------------------------
429, 418, or "too fast" in the venue's words    wait as long as it asks for, and a little more; give up where
                                                that is longer than our patience
451, 403                                        the next address of the venue; give up when none is left
other 4xx                                       give up at once: the request is wrong
5xx, no answer, half an answer, a web page,     ask again, later each time; give up after `tries` in a row
JSON that is no answer
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TypeVar

import aiohttp

from streamtrader.errors import BadMessage, ConfigError, LinkLost, VenueError
from streamtrader.units import NS_PER_S
from streamtrader.venues.credentials import HIDDEN
from streamtrader.venues.history import Request, RestLimits
from streamtrader.venues.links import REFUSALS
from streamtrader.venues.pacing import Backoff, Budget, retry_after_s, take_turn
from streamtrader.venues.snapshots import BAN_S, BANNED, OK, PAUSE_S, TOO_MANY, body_of

USER_AGENT = "streamtrader"
ELSEWHERE = (403, 451)
KEY_REFUSALS = dict.fromkeys((401, 403), "the key is not accepted, or what it pays for does not have this")
JITTER = 0.5  # of the space between two requests
ASKED_MOST_S = 30 * 86_400.0
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class RestSettings:
    """How long, how often, how much."""

    timeout_s: float = 30.0
    tries: int = 8
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 30.0
    patience_s: float = 900.0  # with what the venue asks us to wait
    body_bytes_most: int = 32 << 20


class Answer(NamedTuple):
    """The body of an answer, and the venue's clock when it gave it (whole seconds; 0 where it tells none)."""

    body: bytes
    now_ns: int


class RestClient:
    """One venue; use it from one task.

    `on_spend` is told of the weight of each request before it is sent, in a thread, and may refuse it by raising.
    `on_clock` is told of the venue's clock with each answer.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        name: str,
        urls: Sequence[str],
        limits: RestLimits,
        *,
        settings: RestSettings | None = None,
        headers: Mapping[str, str] = {},
        seed: int | None = None,
    ) -> None:
        self.settings = settings or RestSettings()
        self.on_spend: Callable[[float], None] = lambda _weight: None
        self.on_clock: Callable[[int], None] = lambda _now_ns: None
        self.requests = 0
        self.failures: list[str] = []  # why some were asked again, the newest few
        self._session = session
        self._headers = {"User-Agent": USER_AGENT, **headers}
        self._has_key = bool(headers)
        self._name = name
        self._urls = list(urls)
        self._limits = limits
        self._random = random.Random(seed)
        self._budget = Budget(limits.weight_per_minute, 60.0)
        self._backoff = Backoff(self.settings.backoff_base_s, self.settings.backoff_cap_s, seed)
        self._free_at_s = 0.0
        self._refusal = ""

    async def get(self, request: Request, read: Callable[[Answer], Read]) -> Read:
        """What `read` makes of the answer. It may raise BadMessage, and LinkLost with status 429: then it is asked again.

        Raises VenueError when it is time to give up, ConfigError for what will never be answered.
        """
        tries = 0
        while True:
            try:
                found = read(await self._ask(request))
            except _Wait as wait:
                await self._sit_out(wait.seconds, str(wait))
                continue
            except _Refused as error:
                self._go_elsewhere(str(error))
                continue
            except LinkLost as error:
                if error.details.get("status") == TOO_MANY:
                    await self._sit_out(PAUSE_S, str(error))
                    continue
                failure = str(error)
            except (BadMessage, aiohttp.ClientError, OSError, TimeoutError) as error:
                failure = str(error) or type(error).__name__
            else:
                self._backoff.reset()
                return found
            tries += 1
            self._note(failure)
            if tries >= self.settings.tries:
                raise LinkLost(f"{self._name}: no usable answer in {tries} tries; the last one: {failure}")
            await asyncio.sleep(self._backoff.next_s())

    async def _ask(self, request: Request) -> Answer:
        await self._wait_for_turn(request.weight)
        await asyncio.to_thread(self.on_spend, request.weight)
        self.requests += 1
        async with asyncio.timeout(self.settings.timeout_s):
            async with self._session.get(
                self._urls[0] + request.path, headers=self._headers, allow_redirects=False
            ) as got:
                now_ns = _clock_ns(got.headers.get("Date", ""))
                self.on_clock(now_ns)
                self._check_status(got, await self._body(got) if 400 <= got.status < 500 else b"")
                if "html" in got.content_type:
                    raise BadMessage("a web page instead of JSON; something stands between us and the venue")
                return Answer(await self._body(got), now_ns)

    def _check_status(self, got: aiohttp.ClientResponse, body: bytes) -> None:
        status = got.status
        if status == OK:
            return
        said, refusals = self._without_keys(body), REFUSALS | (KEY_REFUSALS if self._has_key else {})
        why = f"status {status}: {refusals.get(status, said or 'no reason given')}"
        if status in refusals and said.startswith("{"):
            why += f"; it says {said}"
        if status in (TOO_MANY, BANNED):
            default_s = BAN_S if status == BANNED else PAUSE_S
            raise _Wait(why, retry_after_s(got.headers.get("Retry-After"), default_s, ASKED_MOST_S))
        if status in ELSEWHERE:
            raise _Refused(f"{self._urls[0]}: {why}")
        if 400 <= status < 500:
            raise ConfigError(f"{self._name} refuses {got.url.path_qs}: {why}")
        raise LinkLost(why, status=status)

    def _without_keys(self, body: bytes) -> str:
        """The beginning of an answer that may repeat what was asked."""
        text = body.decode(errors="replace")
        for value in self._headers.values():
            text = text.replace(value, HIDDEN)
        return text[:200]

    async def _body(self, got: aiohttp.ClientResponse) -> bytes:
        return await body_of(got, self.settings.body_bytes_most)

    async def _wait_for_turn(self, weight: float) -> None:
        """Evenly spaced with jitter, and within the weight of a minute."""
        now_s = await take_turn(self._budget, weight, lambda: self._free_at_s)
        self._free_at_s = now_s + self._random.uniform(1.0, 1.0 + JITTER) / self._limits.requests_per_s

    async def _sit_out(self, seconds: float, why: str) -> None:
        """Wait as the venue asks, and a little more: everybody who was sent away comes back at one moment."""
        self._note(why)
        if seconds > self.settings.patience_s:
            raise VenueError(f"{self._name}: {why}; it asks to wait {seconds:,.0f} s. Try again after that.")
        await asyncio.sleep(seconds + self._random.uniform(0.0, JITTER))

    def _go_elsewhere(self, why: str) -> None:
        self._note(why)
        self._refusal = self._refusal or why
        del self._urls[0]
        if not self._urls:
            raise VenueError(f"{self._name} cannot be asked from here: {self._refusal}")

    def _note(self, failure: str) -> None:
        self.failures = [*self.failures[-19:], failure]


class _Wait(Exception):
    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds


class _Refused(Exception):
    """One address of the venue does not answer us; another one may."""


def _clock_ns(text: str) -> int:
    """The Date header of an answer: when the venue gave it, by its own clock."""
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0
    return int(date.replace(tzinfo=date.tzinfo or UTC).timestamp()) * NS_PER_S
