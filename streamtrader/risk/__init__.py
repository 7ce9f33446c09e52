"""Risk rules: each answers one question about one order; the engine asks them all before an order may leave."""

from streamtrader.risk.feeds import StaleBook
from streamtrader.risk.limits import MaxNotional, MaxOrderRate, MaxPosition, PriceBand
from streamtrader.risk.losses import DailyLoss, Drawdown
from streamtrader.risk.rule import RiskRule

__all__ = [
    "DailyLoss",
    "Drawdown",
    "MaxNotional",
    "MaxOrderRate",
    "MaxPosition",
    "PriceBand",
    "RiskRule",
    "StaleBook",
]
