"""A market in which queues decide: touches that never move, trades at them, and orders that come and go behind."""

from __future__ import annotations

import numpy as np

from streamtrader.events import ASK, BID, BUY, SELL
from tests.kernel.play import Script

STEP_MS = 20.0


def queueing_market(steps=9_000, seed=3):
    generator = np.random.default_rng(seed)
    lots = {BID: 800, ASK: 800}
    prices = {BID: 100.00, ASK: 100.01}
    script = Script().at(0).book([(100.00, 0.8), (99.99, 5)], [(100.01, 0.8), (100.02, 5)])
    now_ms = 0.0
    for _ in range(steps):
        now_ms += STEP_MS + float(generator.uniform(-5.0, 5.0))
        side = int(generator.integers(2))
        if generator.random() < 0.45:
            traded = int(generator.integers(1, 120))
            script.at(now_ms).trade(prices[side], traded / 1000, SELL if side == BID else BUY)
            lots[side] = max(lots[side] - traded, 100)
            now_ms += 1.0
        else:
            lots[side] = min(max(lots[side] + int(generator.integers(-170, 230)), 100), 2_500)
        script.at(now_ms).level(side, prices[side], lots[side] / 1000)
    return script.at(now_ms + 500).timer().events()
