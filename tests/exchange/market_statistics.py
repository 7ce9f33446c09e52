"""The figures by which a market is compared with a capture, from its frames alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import orjson

from streamtrader.units import NS_PER_MS, NS_PER_S


@dataclass(frozen=True)
class MarketStatistics:
    """Rates a second, sizes in base currency, returns in basis points."""

    quotes_per_s: float
    trades_per_s: float
    depth_per_s: float
    orders_per_s: float
    fills_per_order: float
    one_tick_share: float
    touch_median: float
    depth_levels: float
    trade_size_median: float
    trade_size_mean: float
    order_size_p90: float
    gap_cv: float
    gap_below_10ms: float
    fano_1s: float
    sign_correlation: float
    return_1s_bps: float
    return_10s_bps: float


def measured(texts: Iterable[tuple[int, bytes]], tick: float) -> MarketStatistics:
    """The figures of one symbol's frames, given as (stamp, text)."""
    quotes, trades, levels = [], [], []
    for stamp_ns, text in texts:
        message = orjson.loads(text)
        data = message["data"]
        match message["stream"].split("@")[1]:
            case "bookTicker":
                quotes.append((stamp_ns, *(float(data[key]) for key in "bBaA")))
            case "trade":
                trades.append((stamp_ns, float(data["q"]), data["m"], data["T"]))
            case "depth":
                levels.append(len(data["b"]) + len(data["a"]))
    return _figures(np.array(quotes), np.array(trades), np.array(levels), tick)


def _figures(quotes, trades, levels, tick) -> MarketStatistics:
    seconds = (quotes[-1, 0] - quotes[0, 0]) / NS_PER_S
    spread_ticks = np.rint((quotes[:, 3] - quotes[:, 1]) / tick)
    held = np.diff(quotes[:, 0])
    is_new = np.r_[
        True, (np.diff(trades[:, 3]) != 0) | (np.diff(trades[:, 2]) != 0)
    ]  # one aggressor, one millisecond
    order_sizes = np.bincount(np.cumsum(is_new) - 1, trades[:, 1])
    gaps_s = np.diff(trades[is_new, 3]) * NS_PER_MS / NS_PER_S
    counts = np.bincount(((trades[is_new, 3] - trades[0, 3]) // 1000).astype(int))
    signs = 1 - 2 * trades[is_new, 2]
    return MarketStatistics(
        quotes_per_s=len(quotes) / seconds,
        trades_per_s=len(trades) / seconds,
        depth_per_s=len(levels) / seconds,
        orders_per_s=len(order_sizes) / seconds,
        fills_per_order=len(trades) / len(order_sizes),
        one_tick_share=held[spread_ticks[:-1] == 1].sum() / held.sum(),
        touch_median=float(np.median(quotes[:, (2, 4)])),
        depth_levels=levels.mean(),
        trade_size_median=float(np.median(trades[:, 1])),
        trade_size_mean=trades[:, 1].mean(),
        order_size_p90=float(np.percentile(order_sizes, 90)),
        gap_cv=gaps_s.std() / gaps_s.mean(),
        gap_below_10ms=float((gaps_s < 0.01).mean()),
        fano_1s=counts.var() / counts.mean(),
        sign_correlation=float(np.corrcoef(signs[1:], signs[:-1])[0, 1]),
        return_1s_bps=_return_bps(quotes, 1),
        return_10s_bps=_return_bps(quotes, 10),
    )


def _return_bps(quotes, horizon_s: float) -> float:
    """Standard deviation of the middle's returns over a grid."""
    at_s = (quotes[:, 0] - quotes[0, 0]) / NS_PER_S
    middle = (quotes[:, 1] + quotes[:, 3]) / 2
    grid = np.arange(0, at_s[-1], horizon_s)
    return float(np.diff(np.log(middle[np.searchsorted(at_s, grid, side="right") - 1])).std() * 1e4)
