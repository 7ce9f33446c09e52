"""Scenes for orders at the simulated venue: orders are 20 ms on their way, answers 10 ms."""

from __future__ import annotations

from streamtrader.events import BID, SELL
from tests.kernel.play import Script

FAR = 50.0  # a price that no order here comes near


def scene():
    """100 x 1.0, 99 x 2.0 bid; 101 x 1.0, 102 x 2.0 asked; live since 0 ms."""
    return Script().at(0).book([(100.0, 1.0), (99.0, 2.0)], [(101.0, 1.0), (102.0, 2.0)])


def beats(script, *milliseconds):
    """Turns for the strategy that change nothing: a level far away."""
    for at in milliseconds:
        script.at(at).level(BID, FAR, 1.0)
    return script


def falling(script):
    """Trades at 99.8, 99.0 and 98.5; the bid is at 98 from 60 ms on."""
    script.at(40).trade(99.8, 0.001, SELL)
    script.at(60).message([(BID, 100.0, 0.0), (BID, 99.0, 0.0), (BID, 98.0, 5.0)])
    script.at(61).trade(99.0, 0.001, SELL).at(80).trade(98.5, 0.001, SELL)
    return beats(script, 100, 200)
