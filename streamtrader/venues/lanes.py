"""A lane keeps one link to a route of the venue up, one after the other.

    open -> what the link brings goes to the `Intake` -> silence, end or rotation -> wait -> open

A link is replaced before the venue's cut-off, when the venue announces its end, and when half of the messages are said
that one connection may carry in an hour. A second lane opens its link, and once that has overlapped the first for
`overlap_s` and can go on alone, the first closes and its lane retires. No book leaves LIVE and nothing is lost. Two
hedged connections are two lanes for the whole session. How one stream is made of two links is the venue's `Overlap`:
`venues/merging.py` or `venues/relay.py`; where it allows one at a time, a rotation closes first and opens then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from streamtrader.errors import ConfigError, LinkLost
from streamtrader.venues.links import Ending, Link
from streamtrader.venues.pacing import Backoff
from streamtrader.venues.speech import Speaker
from streamtrader.venues.venue import Overlap

if TYPE_CHECKING:
    from streamtrader.venues.connection import Connection

FINAL = Ending(1000, "market ended")
FINAL_GRACE_S = 1.0  # for the other links to bring their end


class Lane:
    """Keeps one link up, and is what that link calls; numbered, so that the intake can tell links apart."""

    def __init__(self, owner: Connection, number: int, route: int, seed: int | None) -> None:
        self.number = number
        self.route = route
        self.to_say: list[bytes] = []
        self._owner = owner
        self._intake = owner.intake
        self._take = owner.intake.take
        self._backoff = Backoff(owner.settings.backoff_base_s, owner.settings.backoff_cap_s, seed)
        self._link: Link | None = None
        self._is_retired = False
        self._is_expected = False  # the end of the link is no failure
        self._was_heard = False  # since `_watch` last looked
        self._said_s = 0.0  # since when it is subscribed to everything; 0: not yet
        self._loop_time: Callable[[], float] = lambda: 0.0

    async def run(self) -> None:
        """One link after the other, until the market ends or another lane has taken over."""
        owner, venue = self._owner, self._owner.venue
        while True:
            wait_s, ending = 0.0, None
            try:
                ending = await self._one_link()
            except (LinkLost, OSError, TimeoutError) as error:
                wait_s = owner.wait_after(error, self._backoff)
            else:
                owner.intake.raise_failure()
                if venue.refusal:
                    raise ConfigError(venue.refusal)
            if ending == FINAL or self._is_retired:
                return owner.remove_lane(self, is_final=ending == FINAL)
            if ending is not None and not self._is_expected:
                owner.counters.last_error = f"closed with {ending.code} {ending.reason}".rstrip()
                wait_s = self._backoff.next_s()
            owner.tell(self.route, "restricted" if owner.addresses.is_restricted else "waiting")
            await asyncio.sleep(wait_s)

    async def _one_link(self) -> Ending:
        """From connecting to the end of the link; raises when there never was one."""
        owner, settings, venue = self._owner, self._owner.settings, self._owner.venue
        loop, is_cancelled, self._is_expected = asyncio.get_running_loop(), False, False
        owner.tell(self.route, "connecting")
        await owner.wait_for_turn()
        try:
            most = venue.limits.frame_bytes_most if settings.frame_bytes_most is None else settings.frame_bytes_most
            route = venue.routes[self.route]
            async with asyncio.timeout(settings.connect_timeout_s):
                url = owner.addresses.current.stream + route.path
                link = await owner.opener(url, self, most, venue.headers)
            opened_s = loop.time()
            async with asyncio.TaskGroup() as duties:
                speaker = Speaker(venue, link, lambda: owner.outgoing(self), self._on_subscribed)
                saying = speaker.run(venue.subscribe(route), settings.watch_s)
                tasks = [duties.create_task(self._watch(link, speaker)), duties.create_task(saying)]
                try:
                    ending = await link.run()
                finally:
                    for task in tasks:
                        task.cancel()
            if ending == FINAL:
                await self._wait_for_other_ends()
            if ending == FINAL or self._intake.must_finish(self.number):
                await self._intake.finish_backlog()  # before another lane is given up, and what waits with it
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            if self._link is not None:
                self._is_expected = self._is_expected or self.number in self._intake.leaving
                self._link.close(is_dead=True)
                self._link, self._said_s = None, 0.0
                owner.close(self, is_cancelled=is_cancelled)
        if loop.time() - opened_s >= settings.steady_s:
            self._backoff.reset()
        return ending

    async def _wait_for_other_ends(self) -> None:
        """The market has ended here. What another link still brings from before the end counts.

        While there is no room nobody reads, so nobody's end can be heard: the grace begins when there is room again.
        """
        owner, loop = self._owner, asyncio.get_running_loop()
        owner.ended.add(self.number)
        until_s = loop.time() + FINAL_GRACE_S
        while not owner.ended.issuperset(self._intake.links) and loop.time() <= until_s:
            await asyncio.sleep(owner.settings.watch_s)
            if self._intake.is_paused:
                until_s = loop.time() + FINAL_GRACE_S
        self._intake.release(is_final=True)

    # What the link calls.

    def on_open(self, link: Link) -> None:
        self._link = link
        self._loop_time = asyncio.get_running_loop().time
        self._owner.open(self, link)

    def on_read(self, frames: list[bytes]) -> None:
        self._was_heard = True
        self._take(self.number, frames)

    def on_ping(self, payload: bytes) -> None:
        self._intake.ping(self.number, payload)

    def _on_subscribed(self) -> None:
        self._said_s = self._loop_time()

    # Duties beside the link.

    async def _watch(self, link: Link, speaker: Speaker) -> None:
        """End a silent link, or one that another has taken over from; try for room while paused."""
        owner, settings, loop = self._owner, self._owner.settings, asyncio.get_running_loop()
        silence_s = owner.venue.limits.silence_s if settings.silence_s is None else settings.silence_s
        opened_s = heard_s = loop.time()
        successor: Lane | None = None
        while successor is None or not successor.has_overlapped(loop.time()):
            await asyncio.sleep(settings.watch_s)
            owner.clock.look()
            self._intake.release()
            if self._intake.is_paused:
                self._intake.resume()
                self._was_heard = True
            if self._was_heard:
                self._was_heard, heard_s = False, loop.time()
            elif loop.time() - heard_s > silence_s:
                owner.counters.silences += 1
                link.close(is_dead=True)
                return
            is_old = loop.time() - opened_s >= owner.venue.limits.rotate_after_s
            is_leaving = is_old or self.number in self._intake.leaving or speaker.has_said_enough
            if successor is None and is_leaving:
                owner.counters.rotations += 1
                self._is_expected = True
                if owner.venue.overlap is Overlap.NONE:
                    break
                self._is_retired, successor = True, owner.add_lane(self.route)
        link.close()
        await asyncio.sleep(settings.connect_timeout_s)
        link.close(is_dead=True)  # it was asked, and did not go

    def has_overlapped(self, now_s: float) -> bool:
        """Whether the link of this lane has brought everything for long enough to go on alone."""
        settings = self._owner.settings
        if self._link is None or not self._said_s or now_s - self._said_s < settings.overlap_s:
            return False
        return self._intake.can_go_on_alone(self.number) or now_s - self._said_s > settings.overlap_most_s
