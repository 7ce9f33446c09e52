"""Prometheus: the figures of a `Snapshot`, copied when somebody scrapes.

CATALOGUE is the list of everything exported, in Prometheus' own rules for names: base units, `_total` for counters,
no label without a small bound. Each run has a registry of its own, so registering twice is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streamtrader.observers.histogram import NS_PER_S, Histogram
from streamtrader.observers.snapshot import BOOK_STATES, Snapshot, TakeSnapshot

PREFIX = "streamtrader_"
EDGES_S = np.array([float(f"{step}e{power}") for power in range(-6, 1) for step in (1, 2, 5)] + [10.0, np.inf])
EDGE_TEXTS = [*(str(float(edge)) for edge in EDGES_S[:-1]), "+Inf"]
LABELS = Mapping[str, str]
VENUE, CHANNEL, BOOK = ("venue",), ("venue", "channel"), ("venue", "symbol")
ACCOUNT = ("account", "strategy")

LINK_COUNTS = {  # by their names in ConnectionFigures
    "connect_failures": "Attempts that brought no link.",
    "link_silences": "Links ended because nothing came, not even a ping.",
    "rotations": "Links replaced before the venue ends them.",
    "pauses": "Times that the sockets were read no more because the ring was full.",
    "delayed": "Messages that had to wait for room in the ring.",
    "conflated": "Best quotes that a newer one of their symbol replaced while they waited.",
    "oversized": "Messages dropped because they have more rows than the whole ring.",
    "overflows": "Links ended because more came after a pause than can be kept.",
    "duplicates": "Messages of one link that another had brought before.",
    "misfits": "Book messages left out because their boundaries are not those of the other link.",
    "held": "Messages that waited for what another link should bring before them.",
    "forced": "Times that it did not come, and they went on without.",
    "clock_jumps": "Jumps of the wall clock, either way.",
}
# name, kind, labels, what it says
CATALOGUE: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("build_info", "gauge", ("version", "python", "numba", "uvloop", "mode"), "What is running; always 1."),
    ("events_total", "counter", (), "Events that the engine has played."),
    ("feed_messages_total", "counter", CHANNEL, "Messages received."),
    ("feed_rejected_total", "counter", CHANNEL, "Messages refused whole, because a value in them cannot be true."),
    ("feed_gaps_total", "counter", CHANNEL, "Updates found missing."),
    ("feed_resyncs_total", "counter", CHANNEL, "Books fetched anew."),
    ("feed_unknown_total", "counter", CHANNEL, "Messages of a kind that nobody here knows."),
    (
        "feed_silences_total",
        "counter",
        CHANNEL,
        "Books and channels that said nothing for too long while the link lived.",
    ),
    ("feed_checksums_verified_total", "counter", CHANNEL, "Checksums of the venue that a book agreed with."),
    ("feed_checksum_failures_total", "counter", CHANNEL, "Checksums of the venue that a book did not agree with."),
    ("feed_reconnects_total", "counter", VENUE, "Connections made after the first."),
    *((f"feed_{name}_total", "counter", VENUE, text) for name, text in LINK_COUNTS.items()),
    ("feed_links_open", "gauge", VENUE, "Links that stand; two where the connection is hedged."),
    ("feed_clock_ahead_seconds", "gauge", VENUE, "How far our clock is ahead of the wall clock, which jumped."),
    ("feed_lag_seconds", "histogram", CHANNEL, "From the venue's clock to our receipt."),
    ("feed_last_message_timestamp_seconds", "gauge", BOOK, "When the last message came in, since the epoch."),
    ("book_levels_forgotten_total", "counter", BOOK, "Levels that were too far from the best price to be kept."),
    ("book_worn_total", "counter", BOOK, "Times that the price came to forgotten levels, and the book began anew."),
    ("book_state", "gauge", (*BOOK, "state"), "1 for the state that a book is in, 0 for the others."),
    ("decode_seconds", "histogram", (), "From a frame's bytes to its events."),
    ("tick_to_decision_seconds", "histogram", (), "From a frame's bytes to the end of the decision on it."),
    ("event_loop_lag_seconds", "histogram", (), "How late the loop wakes up."),
    ("ring_fill_ratio", "gauge", ("ring",), "Share of a bounded buffer in use."),
    ("ring_overruns_total", "counter", ("ring",), "Entries dropped because a buffer was full."),
    ("ring_delayed_total", "counter", ("ring",), "Entries that had to wait because a buffer was full."),
    ("orders_total", "counter", ("status",), "Orders that reached a status."),
    ("fills_total", "counter", ("liquidity",), "Fills, as maker or as taker."),
    ("partial_fills_total", "counter", (), "Fills that left part of their order open."),
    ("risk_rejections_total", "counter", ("rule",), "Orders refused by a risk rule."),
    ("kill_switch_state", "gauge", (), "1 while halted: only orders that reduce pass."),
    ("stopped_seats", "gauge", (), "Strategies stopped because they failed; must be 0."),
    ("position_base", "gauge", ("account", "symbol"), "Position, negative when short."),
    ("exposure_quote", "gauge", ("account", "symbol"), "Value of the position at the middle of the book."),
    ("equity_quote", "gauge", ACCOUNT, "Cash and positions."),
    ("pnl_realized_quote", "gauge", ACCOUNT, "Profit and loss of closed positions; falls with losses."),
    ("pnl_unrealized_quote", "gauge", ACCOUNT, "Profit and loss of open positions."),
    ("fees_paid_quote", "gauge", ACCOUNT, "Fees paid, less rebates, which may outweigh them."),
    ("drawdown_ratio", "gauge", ACCOUNT, "Fall of equity from its highest."),
    ("journal_commit_seconds", "histogram", (), "From a batch to its durable commit."),
    ("journal_backlog_events", "gauge", (), "Rows that wait to be written."),
    ("db_size_bytes", "gauge", (), "Size of the database."),
    ("tape_size_bytes", "gauge", (), "Size of the tape."),
    ("log_dropped_total", "counter", (), "Log lines dropped because their buffer was full."),
    ("log_failed_total", "counter", (), "Log lines that could not be written."),
)
Sample = tuple[tuple[str, ...], float | Histogram]


class SnapshotCollector(Collector):
    """Asks for a snapshot at each scrape and turns it into families, in the order of the catalogue."""

    def __init__(self, take: TakeSnapshot) -> None:
        self._take = take

    def describe(self) -> Iterable[Metric]:
        """The names alone: registering must not ask a runtime that is still starting."""
        return [_family(name, kind, labels, text, ()) for name, kind, labels, text in CATALOGUE]

    def collect(self) -> Iterable[Metric]:
        samples = samples_of(self._take())
        for name, kind, labels, text in CATALOGUE:
            yield _family(name, kind, labels, text, samples[name])


def registry_for(take: TakeSnapshot) -> CollectorRegistry:
    """A registry for one run: its snapshot, and the process's memory, processor time and open files."""
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(take))
    ProcessCollector(registry=registry)
    return registry


def samples_of(snapshot: Snapshot) -> dict[str, list[Sample]]:
    """For each name of the catalogue its label values and figures; this is where a figure gets its name."""
    return {
        "build_info": [
            (tuple(getattr(snapshot.build, label) for label in ("version", "python", "numba", "uvloop", "mode")), 1.0)
        ],
        **_feed_samples(snapshot),
        **_engine_samples(snapshot),
        **_money_samples(snapshot),
        **_storage_samples(snapshot),
    }


def _feed_samples(snapshot: Snapshot) -> dict[str, list[Sample]]:
    channels = [((channel.venue, channel.channel), channel) for channel in snapshot.channels]
    books = [((book.venue, book.symbol), book) for book in snapshot.books]
    return {
        "feed_messages_total": [(labels, channel.messages) for labels, channel in channels],
        "feed_rejected_total": [(labels, channel.rejected) for labels, channel in channels],
        "feed_gaps_total": [(labels, channel.gaps) for labels, channel in channels],
        "feed_resyncs_total": [(labels, channel.resyncs) for labels, channel in channels],
        "feed_unknown_total": [(labels, channel.unknown) for labels, channel in channels],
        "feed_silences_total": [(labels, channel.silences) for labels, channel in channels],
        "feed_checksums_verified_total": [(labels, channel.checksums_verified) for labels, channel in channels],
        "feed_checksum_failures_total": [(labels, channel.checksums_failed) for labels, channel in channels],
        "feed_reconnects_total": _by_name(snapshot.reconnects),
        **_link_samples(snapshot),
        "feed_lag_seconds": [(labels, channel.lag) for labels, channel in channels if channel.lag is not None],
        "feed_last_message_timestamp_seconds": [(labels, book.last_message_s) for labels, book in books],
        "book_levels_forgotten_total": [(labels, book.forgotten) for labels, book in books],
        "book_worn_total": [(labels, book.worn) for labels, book in books],
        "book_state": [
            ((*labels, state), float(book.state == state)) for labels, book in books for state in BOOK_STATES
        ],
    }


def _link_samples(snapshot: Snapshot) -> dict[str, list[Sample]]:
    links = [((figures.venue,), figures) for figures in snapshot.connections]
    counts: dict[str, list[Sample]] = {
        f"feed_{name}_total": [(label, getattr(figures, name.removeprefix("link_"))) for label, figures in links]
        for name in LINK_COUNTS
    }
    return counts | {
        "feed_links_open": [(label, figures.links_open) for label, figures in links],
        "feed_clock_ahead_seconds": [(label, figures.clock_ahead_s) for label, figures in links],
    }


def _engine_samples(snapshot: Snapshot) -> dict[str, list[Sample]]:
    return {
        "events_total": [((), snapshot.events_total)],
        "decode_seconds": _measured(snapshot.decode),
        "tick_to_decision_seconds": _measured(snapshot.tick_to_decision),
        "event_loop_lag_seconds": _measured(snapshot.loop_lag),
        "ring_fill_ratio": [((ring.name,), ring.fill_ratio) for ring in snapshot.rings],
        "ring_overruns_total": [((ring.name,), ring.dropped) for ring in snapshot.rings],
        "ring_delayed_total": [((ring.name,), ring.delayed) for ring in snapshot.rings],
        "orders_total": _by_name(snapshot.orders),
        "fills_total": _by_name(snapshot.fills),
        "partial_fills_total": [((), snapshot.partial_fills)],
        "risk_rejections_total": _by_name(snapshot.refusals),
        "kill_switch_state": [((), float(snapshot.is_halted))],
        "stopped_seats": [((), snapshot.stopped_seats)],
    }


def _money_samples(snapshot: Snapshot) -> dict[str, list[Sample]]:
    positions = [((position.account, position.symbol), position) for position in snapshot.positions]
    accounts = [((account.account, account.strategy), account) for account in snapshot.accounts]
    return {
        "position_base": [(labels, position.size) for labels, position in positions],
        "exposure_quote": [(labels, position.exposure_quote) for labels, position in positions],
        "equity_quote": [(labels, account.equity_quote) for labels, account in accounts],
        "pnl_realized_quote": [(labels, account.pnl_realized_quote) for labels, account in accounts],
        "pnl_unrealized_quote": [(labels, account.pnl_unrealized_quote) for labels, account in accounts],
        "fees_paid_quote": [(labels, account.fees_paid_quote) for labels, account in accounts],
        "drawdown_ratio": [(labels, account.drawdown_ratio) for labels, account in accounts],
    }


def _storage_samples(snapshot: Snapshot) -> dict[str, list[Sample]]:
    return {
        "journal_commit_seconds": _measured(snapshot.commit),
        "journal_backlog_events": [((), snapshot.journal_backlog_events)],
        "db_size_bytes": [((), snapshot.db_size_bytes)],
        "tape_size_bytes": [((), snapshot.tape_size_bytes)],
        "log_dropped_total": [((), snapshot.log_dropped)],
        "log_failed_total": [((), snapshot.log_failed)],
    }


def _by_name(counts: Mapping[str, int]) -> list[Sample]:
    return [((name,), count) for name, count in counts.items()]


def _measured(histogram: Histogram | None) -> list[Sample]:
    return [] if histogram is None else [((), histogram)]


def _family(name: str, kind: str, labels: tuple[str, ...], text: str, samples: Iterable[Sample]) -> Metric:
    match kind:
        case "counter":
            family: Any = CounterMetricFamily(PREFIX + name, text, labels=labels)
        case "gauge":
            family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
        case "histogram":
            family = HistogramMetricFamily(PREFIX + name, text, labels=labels)
        case _:
            raise AssertionError(kind)
    for values, figure in samples:
        if isinstance(figure, Histogram):
            family.add_metric(values, list(_buckets(figure)), sum_value=figure.total_ns / NS_PER_S)
        else:
            family.add_metric(values, figure)
    return family  # type: ignore[no-any-return]


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float]]:
    yield from zip(EDGE_TEXTS, histogram.cumulative(EDGES_S), strict=True)
