"""What each model of the queue fills of one quoting strategy on one tape: how much, in parts, as maker, and when.

    python -m benchmarks.queue_models TAPE.tape [--strategy ImbalanceMaker] [--json]

`Clockwork` of `benchmarks.fills`, the default, asks for the same orders whatever is filled, so its fills must be in the
order of the models, order by order, and the run ends with 1 if they are not. A strategy that hears of its fills asks for
other orders under each model: its figures are told, and nothing is held against anything.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from streamtrader.analysis.costs import UNKNOWN
from streamtrader.config import load_settings
from streamtrader.runtime.order_records import OrderRecords, records_of_tapes
from streamtrader.simulator.queue import Queue
from streamtrader.units import NS_PER_MS

CLOCKWORK = "benchmarks.fills:Clockwork"
MODELS = (Queue.TRADES, Queue.PESSIMISTIC, Queue.POWER, Queue.LOG, Queue.OPTIMISTIC)
# Nothing but the queue may decide: orders are not to be refused for what others have filled.
UNBOUND = [f"risk.{rule}.is_enabled=false" for rule in ("max_position", "max_notional", "daily_loss", "drawdown")]
UNBOUND += ["engine.cash_quote=1e9", "simulator.maker_fee_bps=0", "simulator.taker_fee_bps=0"]


def records_of(tape: Path, strategy: str, queue: Queue) -> OrderRecords:
    chosen = [f'strategies=[{{name="{strategy}"}}]', f"simulator.queue={queue.name.lower()}"]
    return records_of_tapes([tape], load_settings((), [*UNBOUND, *chosen]))


def figures_of(records: OrderRecords) -> dict[str, Any]:
    """Orders are those that reached the venue; `queue_ms` is from its acknowledgement to the first fill as a maker."""
    sent = [order for order in records.orders if order.is_sent]
    filled = [order for order in sent if order.filled_lots]
    waited = [
        (order.first_maker_ns - order.accepted_ns) / NS_PER_MS
        for order in filled
        if UNKNOWN not in (order.first_maker_ns, order.accepted_ns)
    ]
    maker_lots = sum(fill.lots for fill in records.fills if not fill.is_taker)
    quarters = statistics.quantiles(waited, n=4) if len(waited) > 1 else [0.0] * 3
    return {
        "orders": len(sent),
        "orders_filled": len(filled),
        "orders_filled_in_part": sum(order.filled_lots < order.lots for order in filled),
        "fills": len(records.fills),
        "filled_share": sum(order.filled_lots for order in sent) / max(1, sum(order.lots for order in sent)),
        "maker_share": maker_lots / max(1, sum(fill.lots for fill in records.fills)),
        "queue_ms_quarters": [round(quarter, 1) for quarter in quarters],
    }


def out_of_order(played: dict[Queue, OrderRecords]) -> int:
    """How many orders one model fills less of than the model below it does; power and log have no order between them."""
    lots = {
        queue: {(order.seat, order.order_id): order.filled_lots for order in records.orders}
        for queue, records in played.items()
    }
    pairs = [(Queue.TRADES, Queue.PESSIMISTIC), (Queue.PESSIMISTIC, Queue.POWER), (Queue.PESSIMISTIC, Queue.LOG),
             (Queue.POWER, Queue.OPTIMISTIC), (Queue.LOG, Queue.OPTIMISTIC)]  # fmt: skip
    return sum(lots[less][key] > lots[more].get(key, -1) for less, more in pairs for key in lots[less])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("tape", type=Path)
    parser.add_argument("--strategy", default=CLOCKWORK)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    played = {queue: records_of(options.tape, options.strategy, queue) for queue in MODELS}
    report: dict[str, Any] = {queue.name.lower(): figures_of(records) for queue, records in played.items()}
    wrong = out_of_order(played) if options.strategy == CLOCKWORK else None
    if options.json:
        print(json.dumps({"models": report, "out_of_order": wrong}))
    else:
        print(f"{'model':>12} {'orders':>7} {'filled':>7} {'in part':>7} {'fills':>7} {'lots':>7} {'maker':>7}  ms in the queue (quarters)")
        for name, own in report.items():
            counts = " ".join(f"{own[word]:>7}" for word in ("orders", "orders_filled", "orders_filled_in_part", "fills"))
            quarters = " ".join(f"{quarter:g}" for quarter in own["queue_ms_quarters"])
            print(f"{name:>12} {counts} {own['filled_share']:>7.1%} {own['maker_share']:>7.1%}  {quarters}")
        if wrong is not None:
            print(f"{wrong} orders filled out of the order of the models")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
