"""One synthetic symbol: zero-intelligence flow over a real order book, written out as the venue's frames.

Who acts, and how often, is drawn for a second of market time at once; what happens is played order by order:
limit orders and cancels at the touch, market orders that walk the book, quotes that are pulled ahead of a move,
a new best price soon after the spread opened, and every 100 ms the flow behind the touch with a depth frame.
"""

from __future__ import annotations

import zlib

import numpy as np

from streamtrader.exchange.flow import Flow
from streamtrader.exchange.hawkes import Arrivals
from streamtrader.exchange.market import Channel, Frame, channel_of
from streamtrader.exchange.order_book import BookSide
from streamtrader.exchange.step_texts import StepTexts
from streamtrader.units import NS_PER_MS, NS_PER_S

DEPTH_EVERY_NS = 100 * NS_PER_MS
_POOL = 2048  # draws made at once
FRAME_STEP_NS = 1_000  # between frames of one order
LEVELS_KEPT = 60  # nobody takes or pulls a side further than this


class SymbolFlow:
    """The state of one symbol and the frames that come of it."""

    def __init__(
        self, symbol: str, *, seed: int, start_ticks: int, ticks_per_unit: int, lots_per_unit: int, flow: Flow
    ) -> None:
        self.symbol = symbol
        self.flow = flow
        self.bids, self.asks = BookSide(1), BookSide(-1)
        self.update_id = 20_000_000_000 + zlib.crc32(symbol.encode()) * 10
        self.trade_id = 1_000_000_000 + zlib.crc32(symbol.encode()[::-1]) // 8
        self._random = np.random.default_rng([seed, zlib.crc32(symbol.encode())])
        self._arrivals = Arrivals(flow.excitation, self._random)
        self._prices, self._sizes = StepTexts(ticks_per_unit), StepTexts(lots_per_unit)
        self._ticks_per_bps = start_ticks * 1e-4
        self._lots_per_quote = lots_per_unit * ticks_per_unit / start_ticks
        self._smallest_lots = int(flow.smallest * self._lots_per_quote) + 1
        name = symbol.lower()
        self.channels = tuple(channel_of(f"{name}@{feed}") for feed in ("trade", "bookTicker", "depth@100ms"))
        self._trade_head, self._quote_head, self._depth_head = (
            f'{{"stream":"{channel.stream}","data":{{' for channel in self.channels
        )
        self._last_depth_id = self.update_id
        self._depth_at_ns = 0
        self._close_at_ns = 0  # 0: the spread is one tick
        self._opened: BookSide = self.asks
        self._out: list[Frame] = []
        self._out_ns = 0
        self._draws: list[float] = []
        self._first: list[int] = []
        self._deep: list[tuple[int, int, int, float, float]] = []
        self._open_book(start_ticks)

    def _open_book(self, start_ticks: int) -> None:
        """A book about as it will look later; playing a few seconds unseen does the rest."""
        for side, best in ((self.bids, start_ticks), (self.asks, -start_ticks - 1)):
            side.open_level(best, self._limit_lots(int(self.flow.touch_orders)))
            distances = self._deep_ticks(2 * self.flow.levels).tolist()
            for ticks, lots in zip(distances, self._deep_lots(len(distances)), strict=True):
                if len(side.keys) < self.flow.levels:
                    side.add(best - ticks, lots)

    # Draws.

    def _drawn_lots(self, median: float, sigma: float, largest: float, count: int) -> list[int]:
        quote = median * np.exp(sigma * self._random.standard_normal(count))
        lots = (np.minimum(quote, largest) * self._lots_per_quote).astype(np.int64)
        return np.maximum(lots, self._smallest_lots).tolist()  # type: ignore[no-any-return]

    def _limit_lots(self, count: int) -> list[int]:
        return self._drawn_lots(self.flow.limit_median, self.flow.limit_sigma, self.flow.limit_largest, count)

    def _deep_lots(self, count: int) -> list[int]:
        return self._drawn_lots(self.flow.deep_median, self.flow.deep_size_sigma, self.flow.limit_largest, count)

    def _deep_ticks(self, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Distances behind the touch, at least one tick."""
        bps = self.flow.deep_median_bps * np.exp(self.flow.deep_sigma * self._random.standard_normal(count))
        return 1 + (np.minimum(bps, self.flow.deep_largest_bps) * self._ticks_per_bps).astype(np.int64)

    # Playing.

    def play(self, start_ns: int, stop_ns: int) -> list[Frame]:
        """The frames of an interval; intervals must follow each other."""
        flow, random = self.flow, self._random
        orders_ns, buys = self._arrivals.block(start_ns, stop_ns)
        touches = random.poisson(flow.touch_rate_per_s * (stop_ns - start_ns) / NS_PER_S)
        touches_ns = start_ns + (random.random(touches) * (stop_ns - start_ns)).astype(np.int64)
        times = np.concatenate((touches_ns, orders_ns))
        order = np.argsort(times, kind="stable")
        is_touch = (order < touches).tolist()
        which = np.where(order < touches, order, order - touches).tolist()
        choices = random.random((3, touches)).tolist()
        touch_lots = self._limit_lots(touches)
        market_lots = self._drawn_lots(flow.market_median, flow.market_sigma, flow.market_largest, len(orders_ns))
        buying, pulls = buys.tolist(), random.random(len(orders_ns)).tolist()
        out: list[Frame] = []
        self._out = out
        self._depth_at_ns = self._depth_at_ns or start_ns + DEPTH_EVERY_NS
        for at_ns, is_at_touch, index in zip(times[order].tolist(), is_touch, which, strict=True):
            if at_ns >= self._depth_at_ns or (self._close_at_ns and at_ns >= self._close_at_ns):
                self._catch_up(at_ns)
            if not is_at_touch:
                self._market_order(at_ns, market_lots[index], pulls[index], is_buy=buying[index])
            else:
                self._touch(at_ns, choices[0][index], choices[1][index], choices[2][index], touch_lots[index])
        self._catch_up(stop_ns - 1)
        return out

    def _catch_up(self, until_ns: int) -> None:
        """What was due before the next order: a spread that closes, a depth frame; in the order of their times."""
        while True:
            close_ns, depth_ns = self._close_at_ns or until_ns + 1, self._depth_at_ns
            if close_ns <= until_ns and close_ns <= depth_ns:
                self._close_spread(close_ns)
            elif depth_ns <= until_ns:
                self._deep_changes()
                self._write_depth(depth_ns)
                self._depth_at_ns += DEPTH_EVERY_NS
            else:
                return

    def _touch(self, at_ns: int, choice: float, chance: float, place: float, lots: int) -> None:
        """One limit order or one cancel at a best price."""
        flow = self.flow
        side = self.bids if choice < 0.5 else self.asks
        key = side.keys[-1]
        count = len(side.queues[key])
        if place * (count + flow.touch_orders) < flow.touch_orders:
            side.add(key, lots)
        elif side.cancel_best(int(chance * count)):
            self._open_spread(at_ns, side)
        self.update_id += 1
        self._write_quote(at_ns)

    def _pull(self, *, is_up: bool, depth: float) -> None:
        """Makers withdraw everything within some distance of the touch on the side that a move would hit."""
        side = self.asks if is_up else self.bids
        keys = side.keys
        edge = keys[-1] - int(depth * 2 * self.flow.pull_bps * self._ticks_per_bps)
        while keys[-1] >= edge and len(keys) > LEVELS_KEPT:
            side.remove_best()
            self.update_id += 1

    def _market_order(self, at_ns: int, lots: int, chance: float, *, is_buy: bool) -> None:
        """Walk the book; one trade for each resting order met, then what it frightens away."""
        side = self.asks if is_buy else self.bids
        best = side.keys[-1]
        fills = side.take(lots, LEVELS_KEPT)
        self.update_id += 1
        head, maker = self._trade_head, "false" if is_buy else "true"
        at_ms, prices, sizes = at_ns // NS_PER_MS, self._prices, self._sizes
        for key, filled in fills:
            self.trade_id += 1
            text = (
                f'{head}"e":"trade","E":{at_ms},"s":"{self.symbol}","t":{self.trade_id},'
                f'"p":"{prices[key * side.sign]}","q":"{sizes[filled]}","T":{at_ms},"m":{maker},"M":true}}}}'
            )
            self._send(at_ns, self.channels[0], text)
        if chance < self.flow.pull_share:
            self._pull(is_up=is_buy, depth=chance / self.flow.pull_share)
        if side.keys[-1] != best:
            self._open_spread(at_ns, side)
        if fills:
            self._write_quote(at_ns)

    def _open_spread(self, at_ns: int, side: BookSide) -> None:
        self._opened = side
        if self.bids.keys[-1] + self.asks.keys[-1] != -1:  # more than a tick: ask ticks are minus the key
            if not self._draws:
                self._draws = self._random.exponential(self.flow.close_s * NS_PER_S, 512).tolist()
            self._close_at_ns = at_ns + 1 + int(self._draws.pop())

    def _close_spread(self, at_ns: int) -> None:
        """Somebody quotes one tick from the other side: where the price goes is decided here."""
        self._close_at_ns = 0
        emptied = self._opened
        other = self.asks if emptied is self.bids else self.bids
        is_following = self._random.random() < self.flow.follow
        side, facing = (other, emptied) if is_following else (emptied, other)
        count = self.flow.first_orders
        if len(self._first) < count:
            self._first = self._limit_lots(_POOL)
        orders = self._first[-count:]
        del self._first[-count:]
        key = -facing.keys[-1] - 1
        if key not in side.queues:
            side.open_level(key, orders)
        self.update_id += self.flow.first_orders
        self._write_quote(at_ns)

    def _deep_changes(self) -> None:
        """Orders and cancels behind the touch since the last depth frame; more orders the fewer levels there are."""
        count = int(self._random.poisson(self.flow.deep_changes))
        if len(self._deep) < count:
            self._draw_deep()
        pool, bids, asks, levels = self._deep, self.bids, self.asks, self.flow.levels
        for _ in range(count):
            distance, far_distance, lots, choice, chance = pool.pop()
            side = bids if choice < 0.5 else asks
            if chance * 2 * len(side.keys) < levels:
                side.add(side.keys[-1] - distance, lots)
            else:
                side.remove_near(side.keys[-1] - far_distance)
        self.update_id += count

    def _draw_deep(self) -> None:
        distances = self._deep_ticks(_POOL)
        far_distances = (distances * self.flow.deep_cancel_distance).astype(np.int64)
        chances = self._random.random((2, _POOL)).tolist()
        lots = self._deep_lots(_POOL)
        self._deep = list(zip(distances.tolist(), far_distances.tolist(), lots, *chances, strict=True))

    # Writing.

    def _send(self, at_ns: int, channel: Channel, text: str) -> None:
        """A symbol's frames never overtake each other, however close their causes are."""
        self._out_ns = at_ns = at_ns if at_ns > self._out_ns else self._out_ns + FRAME_STEP_NS
        self._out.append(Frame(at_ns, channel, text.encode()))

    def _write_quote(self, at_ns: int) -> None:
        bids, asks = self.bids, self.asks
        bid, ask = bids.keys[-1], asks.keys[-1]
        prices, sizes = self._prices, self._sizes
        self._send(
            at_ns,
            self.channels[1],
            f'{self._quote_head}"u":{self.update_id},"s":"{self.symbol}",'
            f'"b":"{prices[bid]}","B":"{sizes[bids.totals[bid]]}",'
            f'"a":"{prices[-ask]}","A":"{sizes[asks.totals[ask]]}"}}}}',
        )

    def _write_depth(self, at_ns: int) -> None:
        if not (self.bids.changed or self.asks.changed):
            return
        bids, asks = (self._levels(side, sorted(side.changed, reverse=True)) for side in (self.bids, self.asks))
        self.bids.changed.clear()
        self.asks.changed.clear()
        self._send(
            at_ns,
            self.channels[2],
            f'{self._depth_head}"e":"depthUpdate","E":{at_ns // NS_PER_MS},"s":"{self.symbol}",'
            f'"U":{self._last_depth_id + 1},"u":{self.update_id},"b":{bids},"a":{asks}}}}}',
        )
        self._last_depth_id = self.update_id

    def _levels(self, side: BookSide, keys: list[int]) -> str:
        prices, sizes, sign, lots_at = self._prices, self._sizes, side.sign, side.totals.get
        return "[" + ",".join([f'["{prices[key * sign]}","{sizes[lots_at(key, 0)]}"]' for key in keys]) + "]"

    def snapshot(self) -> bytes:
        """The book as REST gives it; nothing changed since the last depth frame when this is called."""
        bids, asks = (self._levels(side, side.keys[::-1]) for side in (self.bids, self.asks))
        self.bids.changed.clear()
        self.asks.changed.clear()
        self._last_depth_id = self.update_id
        return f'{{"lastUpdateId":{self.update_id},"bids":{bids},"asks":{asks}}}'.encode()
