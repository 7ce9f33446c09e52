"""Rules about money already lost: they stop new exposure and never an order that only reduces it."""

from __future__ import annotations

from streamtrader.kernel.broker import Broker
from streamtrader.kernel.orders import Order, Refusal
from streamtrader.risk.rule import RiskRule, above_zero


class DailyLoss(RiskRule):
    """Refuse new exposure while the day's loss is `limit` or more, in quote currency, open positions included.

    The day begins at the UTC hour that the engine was configured with, restarts or not; then trading goes on by itself.
    """

    code = int(Refusal.DAILY_LOSS)

    def __init__(self, limit: float) -> None:
        self.limit = above_zero("limit", limit)

    def refuses(self, order: Order, broker: Broker) -> bool:
        if broker.is_reducing(order):
            return False
        return not broker.day_pnl() > -self.limit  # a comparison with nan is false


class Drawdown(RiskRule):
    """Pull the kill switch once equity has fallen by `limit` from its peak, in quote currency.

    Judged by the worst fall since the last RESUME, as seen at each trade of the market, each fill and each order asked
    for, so a recovery before the next order does not hide it. The switch is part of
    the state: it outlives restarts and new days, and only the operator's RESUME releases it.
    """

    code = int(Refusal.DRAWDOWN)

    def __init__(self, limit: float) -> None:
        self.limit = above_zero("limit", limit)

    def refuses(self, order: Order, broker: Broker) -> bool:
        if not broker.drawdown() < self.limit:
            broker.halt(self.code)
        return broker.is_halted() and not broker.is_reducing(order)
