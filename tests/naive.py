"""Slow, obvious twins of the indicators: each reads the whole history and follows the definition.

They share no code with the package and sum with `math.fsum`, which is exact. `history` is a list of the tuples that
were fed; the answer is what the indicator must say after the last of them.
"""

import math
from itertools import pairwise

NS_PER_DAY = 86_400_000_000_000


def mean(values):
    return math.fsum(values) / len(values)


def last(values, count):
    return values[-count:]


def sma(history, window):
    return mean(last([price for (price,) in history], window))


def ema(history, span):
    """The weights of the textbook: (1 - a)^k for the price k steps ago, what remains for the first."""
    prices = [price for (price,) in history]
    weight = 2.0 / (span + 1.0)
    kept = 1.0 - weight
    terms = [weight * kept**age * price for age, price in enumerate(reversed(prices[1:]))]
    return math.fsum([*terms, kept ** (len(prices) - 1) * prices[0]])


def seeded_average(values, seed, weight):
    """The mean of the first `seed` values, then each further one with `weight`."""
    average = mean(values[:seed])
    for value in values[seed:]:
        average = weight * value + (1.0 - weight) * average
    return average


def mean_seeded_ema(history, span):
    return seeded_average([price for (price,) in history], span, 2.0 / (span + 1.0))


def wilder_average(history, span):
    return seeded_average([value for (value,) in history], span, 1.0 / span)


def rsi(history, span):
    prices = [price for (price,) in history]
    changes = [after - before for before, after in pairwise(prices)]
    if len(changes) < span:
        return 50.0
    gain = seeded_average([max(change, 0.0) for change in changes], span, 1.0 / span)
    loss = seeded_average([max(-change, 0.0) for change in changes], span, 1.0 / span)
    return 50.0 if gain + loss == 0.0 else 100.0 - 100.0 / (1.0 + gain / loss) if loss > 0.0 else 100.0


def atr(history, span, *, counts_first_range=True):
    ranges = [history[0][0] - history[0][1]] if counts_first_range else []
    for (_, _, last_close), (high, low, _) in pairwise(history):
        ranges.append(max(high - low, abs(high - last_close), abs(low - last_close)))
    return seeded_average(ranges, span, 1.0 / span) if ranges else 0.0


def log_returns(history):
    prices = [price for (price,) in history]
    return [math.log(after / before) for before, after in pairwise(prices)]


def realized_volatility(history, window):
    changes = last(log_returns(history), window)
    return math.sqrt(mean([change * change for change in changes])) if changes else 0.0


def diffusion(history, half_life_s=60.0):
    """Each change squared, and the time that it took, with the weight of its age."""
    changes = [(after[0] - before[0], (after[1] - before[1]) / 1e9, after[1]) for before, after in pairwise(history)]
    weights = [0.5 ** ((history[-1][1] - at_ns) / 1e9 / half_life_s) for _, _, at_ns in changes]
    seconds = math.fsum(weight * passed_s for weight, (_, passed_s, _) in zip(weights, changes, strict=True))
    squares = math.fsum(weight * change**2 for weight, (change, _, _) in zip(weights, changes, strict=True))
    return math.sqrt(squares / seconds) if seconds > 0.0 else 0.0


def deviation(values):
    middle = mean(values)
    return math.sqrt(mean([(value - middle) ** 2 for value in values]))


def z_score(history, window):
    values = last([value for (value,) in history], window)
    if len(values) < window or deviation(values) == 0.0:
        return 0.0
    return (values[-1] - mean(values)) / deviation(values)


def session_vwap(history, offset_ns=0):
    session = (history[-1][2] - offset_ns) // NS_PER_DAY
    trades = [(price, size) for price, size, now_ns in history if (now_ns - offset_ns) // NS_PER_DAY == session]
    volume = math.fsum(size for _, size in trades)
    return math.fsum(price * size for price, size in trades) / volume if volume > 0.0 else trades[-1][0]


def microprice(history):
    bid_price, bid_size, ask_price, ask_size = history[-1]
    if bid_size + ask_size == 0.0:
        return (bid_price + ask_price) / 2.0
    return (bid_price * ask_size + ask_price * bid_size) / (bid_size + ask_size)


def order_flow_imbalance(history, window):
    """Equation 10 of Cont, Kukanov and Stoikov, with its indicator functions written out."""
    changes = []
    for before, after in pairwise(history):
        change = after[1] * (after[0] >= before[0]) - before[1] * (after[0] <= before[0])
        change -= after[3] * (after[2] <= before[2]) - before[3] * (after[2] >= before[2])
        changes.append(change)
    return math.fsum(last(changes, window))
