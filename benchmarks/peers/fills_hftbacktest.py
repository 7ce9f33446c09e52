"""hftbacktest's fills for the quotes of `benchmarks.fills`, order by order. Needs hftbacktest."""

from __future__ import annotations

import argparse
import json

import numpy as np
from hftbacktest import GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest
from numba import njit

LATENCY_NS = 10_000_000
SIZE = 0.001
SECOND_NS = 1_000_000_000


@njit
def play(backtest, began_ns, first_ns, last_ns, size, found):
    """A line an order: second, side, limit, filled, when."""
    asset, count = 0, 0
    now_ns = first_ns
    backtest.elapse(first_ns - began_ns)  # its clock starts at the first row
    while now_ns <= last_ns:
        orders = backtest.orders(asset).values()
        while orders.has_next():
            order = orders.get()
            if order.cancellable:
                backtest.cancel(asset, order.order_id, False)
        depth = backtest.depth(asset)
        if depth.best_ask_tick > depth.best_bid_tick and depth.best_bid_tick > 0:
            for side in range(2):
                price = depth.best_bid if side == 0 else depth.best_ask
                found[count, 0], found[count, 1], found[count, 2] = now_ns // SECOND_NS, side, price
                count += 1
                if side == 0:
                    backtest.submit_buy_order(asset, count, price, size, GTX, LIMIT, False)
                else:
                    backtest.submit_sell_order(asset, count, price, size, GTX, LIMIT, False)
        # Half a second, twice: what was cancelled has been answered by then and still shows what it filled.
        backtest.elapse(SECOND_NS // 2)
        note(backtest, found, size)
        backtest.elapse(SECOND_NS // 2)
        note(backtest, found, size)
        backtest.clear_inactive_orders(asset)
        now_ns += SECOND_NS
    return count


@njit
def note(backtest, found, size):
    orders = backtest.orders(0).values()
    while orders.has_next():
        order = orders.get()
        filled = size - order.leaves_qty
        if filled > 1e-12:
            row = found[order.order_id - 1]
            if row[3] == 0.0:
                row[4] = order.exch_timestamp / SECOND_NS
            row[3] = filled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows")
    parser.add_argument("--tick", type=float, required=True)
    parser.add_argument("--lot", type=float, required=True)
    parser.add_argument("--queue", choices=("pessimistic", "power", "log"), default="pessimistic")
    parser.add_argument("--power", type=float, default=2.0)
    parser.add_argument("--whole", action="store_true", help="its exchange without partial fills")
    options = parser.parse_args()
    rows = np.load(options.rows)["data"]
    asset = (
        BacktestAsset().data(rows).linear_asset(1.0).constant_order_latency(LATENCY_NS, LATENCY_NS)
        .trading_value_fee_model(0.0, 0.0).tick_size(options.tick).lot_size(options.lot)
    )  # fmt: skip
    asset = asset.no_partial_fill_exchange() if options.whole else asset.partial_fill_exchange()
    if options.queue == "power":
        asset = asset.power_prob_queue_model(options.power)
    else:
        asset = asset.log_prob_queue_model() if options.queue == "log" else asset.risk_adverse_queue_model()
    backtest = HashMapMarketDepthBacktest([asset])
    first_ns = int(rows["local_ts"][0]) // SECOND_NS * SECOND_NS + SECOND_NS
    last_ns = int(rows["local_ts"][-1]) // SECOND_NS * SECOND_NS
    found = np.zeros((2 * ((last_ns - first_ns) // SECOND_NS + 2), 5))
    count = play(backtest, int(rows["local_ts"][0]), first_ns, last_ns, SIZE, found)
    backtest.close()
    print(json.dumps({f"{int(row[0])} {int(row[1])}": row[2:].tolist() for row in found[:count]}))


if __name__ == "__main__":
    main()
