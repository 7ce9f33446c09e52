"""Fits of what a simulated venue needs, each with its uncertainty; nothing is claimed that the data does not say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
NORMAL_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution
ROUNDS, ROUNDS_FIRST = 500, 30
BEGINNINGS, WIDE = 15, 0.2
MESSAGES_LEAST = 2
CLUSTER_WIDTH = 0.02  # of the logarithm: lags this near to each other are one and the same at first
NARROWEST = 1e-9  # deviation of a logarithm below which lags are constant
STRAY_SHARE = 0.05  # of the fills, at first: those whose cause is not among their candidates
RESAMPLES = 1_000
PLACES = 9  # decimals told: a constant comes back as itself
ORDERS_LEAST = 30


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its standard error, and how many samples it comes from."""

    value: float
    error: float
    samples: int

    def as_json(self) -> dict[str, Any]:
        reach = NORMAL_95 * self.error
        return {
            "value": round(self.value, PLACES),
            "standard_error": round(self.error, PLACES),
            "low": round(self.value - reach, PLACES),
            "high": round(self.value + reach, PLACES),
            "samples": self.samples,
        }


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Of times above zero: `mu` and `sigma` are mean and deviation of the logarithm, by maximum likelihood."""

    mu: float
    sigma: float
    samples: int

    @property
    def median(self) -> Estimate:
        middle = math.exp(self.mu)
        return Estimate(middle, middle * self.sigma / math.sqrt(self.samples), self.samples)

    @property
    def mean(self) -> float:
        return math.exp(self.mu + 0.5 * self.sigma**2)

    @property
    def variance(self) -> float:
        return self.mean**2 * math.expm1(self.sigma**2)


def log_normal(times: Floats) -> LogNormal:
    """The maximum likelihood fit of times above zero; the deviation divides by n."""
    logs = np.log(times)
    return LogNormal(float(logs.mean()), float(logs.std()), len(logs))


def quantiles(times: Floats) -> dict[str, float]:
    return {f"{share:g}": float(value) for share, value in zip(QUANTILES, np.quantile(times, QUANTILES), strict=True)}


def causal_lag(candidates: Sequence[Floats]) -> LogNormal | None:
    """How long a message took, where each has several possible causes: its lags to all of them, above zero.

    The true causes share one log-normal law, other events lie anywhere in the window. Expectation and maximization
    (Dempster, Laird and Rubin, 1977), from many beginnings; the likeliest law is taken. A message whose cause is missing
    is a stray. None where no law explains at least half of the messages, and those are at least MESSAGES_LEAST.
    """
    usable = [np.unique(lags) for lags in candidates if len(lags)]
    if len(usable) < MESSAGES_LEAST:
        return None
    sizes = np.array([len(lags) for lags in usable])
    search = _Search(np.concatenate(usable), np.repeat(np.arange(len(usable)), sizes), sizes)
    begins = [(mu, WIDE) for mu in np.quantile(search.logs, np.linspace(0.02, 0.98, BEGINNINGS)).tolist()]
    tried = [search.climb(mu, sigma, ROUNDS_FIRST) for mu, sigma in (*begins, (search.most_common(), CLUSTER_WIDTH))]
    _, mu, sigma, _ = max(tried)
    _, mu, sigma, weight = search.climb(mu, sigma, ROUNDS)
    if weight < 0.5 * len(usable):
        return None
    return LogNormal(mu, 0.0 if sigma <= NARROWEST * 10 else sigma, max(1, round(weight)))


class _Search:
    """`logs` of all lags, `owner` says whose each is, `sizes` how many each message has."""

    def __init__(self, lags: Floats, owner: np.ndarray[Any, Any], sizes: np.ndarray[Any, Any]) -> None:
        self.logs = np.log(lags)
        self.owner = owner
        self.sizes = sizes
        self.odds = float(lags.max()) / lags / sizes[owner] / math.sqrt(2.0 * math.pi)  # others: even over the window

    def climb(self, mu: float, sigma: float, rounds: int) -> tuple[float, float, float, float]:
        """Log-likelihood against none of them being a cause, mu, sigma, and the messages explained."""
        stray, weight, likelihood = STRAY_SHARE, 0.0, -math.inf
        for _ in range(rounds):
            law = np.exp(-0.5 * ((self.logs - mu) / sigma) ** 2) / sigma * self.odds * (1.0 - stray)
            whole = np.bincount(self.owner, law) + stray
            likelihood = float(np.log(whole).sum())
            share = law / whole[self.owner]
            weight = float(share.sum())
            # Nothing is explained, or it is about to explain two or three messages perfectly and no other.
            if weight < 1e-9 or (weight < 0.5 * len(self.sizes) and sigma < CLUSTER_WIDTH):
                return -math.inf, mu, sigma, weight
            new_mu = float((share * self.logs).sum()) / weight
            new_sigma = max(math.sqrt(float((share * (self.logs - new_mu) ** 2).sum()) / weight), NARROWEST)
            moved = abs(new_mu - mu) + abs(new_sigma - sigma)
            mu, sigma = new_mu, new_sigma
            stray = min(max(1.0 - weight / len(self.sizes), 1e-6), 0.5)
            if moved < 1e-13:
                break
        return likelihood, mu, sigma, weight

    def most_common(self) -> float:
        """The middle of the narrow window that lags of most messages fall into."""
        order = np.argsort(self.logs, kind="stable")
        logs, owner = self.logs[order], self.owner[order]
        ends = np.searchsorted(logs, logs + CLUSTER_WIDTH, side="right")
        best, at = 0, 0
        for first in np.argsort(np.arange(len(logs)) - ends, kind="stable").tolist():  # fullest windows first
            if ends[first] - first <= best:
                break
            found = len(np.unique(owner[first : ends[first]]))
            if found > best:
                best, at = found, first
        return float(np.median(logs[at : ends[at]]))


def other_way(round_trips: LogNormal, mean: float, deviation: float, known: LogNormal) -> Estimate:
    """The median of one way: what the other one leaves of mean and variance of the round trips.

    `mean` and `deviation` are those of the samples, which need not be log-normal themselves.
    """
    left = max(mean - known.mean, 0.0)
    variance = max(deviation**2 - known.variance, 0.0)
    median = left**2 / math.sqrt(variance + left**2) if left > 0.0 else 0.0
    own_error = deviation / math.sqrt(round_trips.samples)
    return Estimate(median, math.hypot(own_error, known.median.error), round_trips.samples)


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidate of the least mean loss, and those that a resampling of the orders may choose instead."""

    best: int
    low: int
    high: int
    is_told: bool  # whether the data tells candidates apart at all


def choose(losses: Floats) -> Choice:
    """`losses` is orders by candidates, those in ascending order of their parameter.

    95 % of the resamples (Efron, 1979; the same ones every time) have their best candidate from `low` to `high`; ties count
    on both ends, so that data which cannot decide gives a wide answer.
    """
    means = losses.mean(axis=0)
    best = _middle_of(np.flatnonzero(means <= means.min() + 1e-12))
    if np.ptp(means) <= 1e-12:
        return Choice(best, 0, losses.shape[1] - 1, False)
    generator = np.random.default_rng(20_131)
    lows, highs = [], []
    for _ in range(RESAMPLES):
        drawn = losses[generator.integers(0, len(losses), len(losses))].mean(axis=0)
        tied = np.flatnonzero(drawn <= drawn.min() + 1e-12)
        lows.append(int(tied[0]))
        highs.append(int(tied[-1]))
    low, high = int(np.quantile(lows, 0.025, method="lower")), int(np.quantile(highs, 0.975, method="higher"))
    return Choice(best, low, high, True)


def _middle_of(tied: np.ndarray[Any, Any]) -> int:
    return int(tied[(len(tied) - 1) // 2])


def through_origin(x: Floats, y: Floats) -> Estimate:
    """The slope of y = slope * x by least squares; its error allows for unequal noise (White, 1980, with HC1)."""
    square = float(x @ x)
    if len(x) < 2 or square <= 0.0:
        return Estimate(math.nan, math.inf, len(x))
    slope = float(x @ y) / square
    rest = y - slope * x
    spread = float((x**2) @ (rest**2)) * len(x) / (len(x) - 1)
    return Estimate(slope, math.sqrt(spread) / square, len(x))


def filled_area(recorded: Sequence[tuple[float, float]], simulated: Sequence[tuple[float, float]], end: float) -> float:
    """How far two curves of what is filled lie apart: the mean of |difference| over the time from 0 to `end`.

    Each curve is (time, share added), shares adding up to at most 1; 0: the same fills at the same times.
    """
    steps = sorted([(at, share) for at, share in recorded if at < end] + [(at, -share) for at, share in simulated if at < end])
    area, apart, last = 0.0, 0.0, 0.0
    for at, share in steps:
        at = max(at, 0.0)
        area += abs(apart) * (at - last)
        apart, last = apart + share, at
    return (area + abs(apart) * (end - last)) / end
