"""Instruments and outbox rows for the tests of rows and database."""

from decimal import Decimal

import numpy as np

from streamtrader.instruments import Instrument
from streamtrader.kernel.outbox import OUTBOX_ROW, OutboxKind
from streamtrader.storage.rows import Journal, SeatTerms

BTCUSDT = Instrument("binance", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
ETHUSDT = Instrument("binance", "ETHUSDT", "ETH", "USDT", Decimal("0.05"), Decimal("0.001"), Decimal(5))
SEATS = [
    SeatTerms("EmaCross", 0, maker_fee_bps=1.0, taker_fee_bps=7.5, cash=Decimal(10_000)),
    SeatTerms("ImbalanceMaker", 1, maker_fee_bps=-0.5, taker_fee_bps=4.0, rule_names={50: "NoTradeOnFriday"}),
]


def outbox(*rows: dict[str, float]) -> np.ndarray:
    """Outbox rows of these values, numbered from 0 unless told."""
    array = np.zeros(len(rows), OUTBOX_ROW)
    for index, row in enumerate(rows):
        array["sequence"][index] = index
        array["at_ns"][index] = 1_000 + index
        for name, value in row.items():
            array[name][index] = value
    return array


def said(kind: OutboxKind, order: int, lots: int, **values: float) -> dict[str, float]:
    return {"kind": int(kind), "order": order, "lots": lots, **values}


def life_of_an_order() -> np.ndarray:
    """A limit order of 300 lots at 60,000.00, filled in two parts, the first before its acknowledgement."""
    return outbox(
        said(OutboxKind.INTENT, 1, 300, ticks=6_000_000, remaining_lots=300, code=2),
        said(OutboxKind.SENT, 1, 300, ticks=6_000_000, remaining_lots=300),
        said(OutboxKind.FILLED, 1, 100, ticks=5_999_900, remaining_lots=200, code=1, fee=0.04499925),
        said(OutboxKind.ACCEPTED, 1, 300, ticks=6_000_000, remaining_lots=200),
        said(OutboxKind.FILLED, 1, 200, ticks=6_000_000, remaining_lots=0, fee=0.012),
    )


def journal() -> Journal:
    return Journal([BTCUSDT, ETHUSDT], SEATS)
