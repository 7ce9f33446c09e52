"""What one measured latency costs the hot path: a Prometheus histogram against arrays that are copied at a scrape.

    prometheus          `Histogram.observe` of prometheus_client, its default buckets
    prometheus_labels   the same, looked up by a label each time
    prometheus_time     the `Histogram.time()` context manager
    arrays              the engine's own `observers.histogram`, `record` in nanoseconds
    scrape_*            turning everything into text once, microseconds a scrape

The engine's latencies are recorded on every frame, so each tenth of a microsecond here is one there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from benchmarks.results import emit, median_seconds
from streamtrader.observers.histogram import Histogram as ArrayHistogram

COUNT = 20_000


def cost_ns(work: Callable[[], None], repeats: int) -> float:
    return round(median_seconds(work, repeats) / COUNT * 1e9, 1)


def prometheus_costs(repeats: int) -> dict[str, float]:
    registry = CollectorRegistry()
    plain = Histogram("plain_seconds", "one latency", registry=registry)
    labelled = Histogram("labelled_seconds", "one latency a venue", ["venue"], registry=registry)

    def observe() -> None:
        for _ in range(COUNT):
            plain.observe(0.000_012)

    def observe_by_label() -> None:
        for _ in range(COUNT):
            labelled.labels("binance").observe(0.000_012)

    def observe_by_context() -> None:
        for _ in range(COUNT):
            with plain.time():
                pass

    return {
        "prometheus": cost_ns(observe, repeats),
        "prometheus_labels": cost_ns(observe_by_label, repeats),
        "prometheus_time": cost_ns(observe_by_context, repeats),
        "scrape_prometheus_us": round(median_seconds(lambda: generate_latest(registry), repeats) * 1e6, 1),
    }


def array_costs(repeats: int) -> dict[str, float]:
    histogram = ArrayHistogram()

    def record() -> None:
        for _ in range(COUNT):
            histogram.record(12_000)

    return {"arrays": cost_ns(record, repeats)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    table = prometheus_costs(options.repeats) | array_costs(options.repeats)
    for name, cost in table.items():
        sys.stderr.write(f"{name:<24} {cost:g}{'' if name.endswith('_us') else ' ns'}\n")
    emit({"bench": "micro_metrics", "ns_per_observation": table})


if __name__ == "__main__":
    main()
