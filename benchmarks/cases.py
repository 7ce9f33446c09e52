"""What `run_peers` runs, and the goals: cases are commands, ratios say which of them are set side by side."""

from __future__ import annotations

from typing import NamedTuple

HFT, NAUTILUS, VECTORBT = "hftbacktest", "nautilus", "vectorbt"
LIVE = "benchmarks.peers.live_client"
OURS_REPLAY, OURS_LIVE = "benchmarks.ours_replay", "benchmarks.ours_live"


class Case(NamedTuple):
    """One command: a module of this folder in a rival's environment, or in ours (None), and the figure it is about."""

    name: str
    environment: str | None
    module: str
    arguments: tuple[str, ...]
    figure: str


class Ratio(NamedTuple):
    """Ours over the best of theirs, at least `goal`; or, as a difference, at most `goal` above it."""

    name: str
    ours: str
    theirs: tuple[str, ...]
    goal: float | None
    is_difference: bool = False
    same_data: bool = False


def replay_cases(scale: float, *, all_modes: bool = False) -> list[Case]:
    """Same ticks and rows for all; the slow ones play the beginning of them only."""

    def count(amount: int) -> tuple[str, str]:
        return "--count", str(max(1000, int(amount * scale)))

    def hft(mode: str, depth: str, amount: int) -> Case:
        arguments = ("--mode", mode, "--depth", depth, *count(amount))
        return Case(f"hftbacktest {mode} {depth}", HFT, "benchmarks.peers.replay_hftbacktest", arguments, "rows_per_s")

    def nautilus(mode: str, amount: int) -> Case:
        arguments = ("--mode", mode, *count(amount))
        return Case(f"nautilus {mode}", NAUTILUS, "benchmarks.peers.replay_nautilus", arguments, "rows_per_s")

    def ours(mode: str, amount: int, figure: str = "rows_per_s") -> Case:
        return Case(f"ours {mode}", None, OURS_REPLAY, ("--mode", mode, *count(amount)), figure)

    vectorbt_module = "benchmarks.peers.replay_vectorbt"
    cases = [
        Case("bare numba loop", None, "benchmarks.peers.bare_numba", count(2_000_000), "rows_per_s"),
        ours("trade", 2_000_000),
        hft("trade", "roi", 2_000_000),
        hft("trade", "hash", 2_000_000),
        ours("book", 1_000_000),
        hft("book", "roi", 1_000_000),
        hft("book", "hash", 1_000_000),
        nautilus("trade", 100_000),
        ours("python", 50_000, "ticks_per_s"),
        nautilus("empty", 400_000),
        ours("candles", 2_000_000),
        Case("vectorbt", VECTORBT, vectorbt_module, count(2_000_000), "rows_per_s"),
    ]
    if all_modes:
        cases += [hft(mode, depth, 2_000_000) for mode in ("noorder", "latency") for depth in ("roi", "hash")]
        cases += [nautilus("noorder", 400_000), nautilus("book", 200_000)]
        call = ("--mode", "call", *count(500_000))
        cases.append(Case("bare numba call", None, "benchmarks.peers.bare_numba", call, "rows_per_s"))
    return cases


def replay_ratios() -> list[Ratio]:
    hft_trade = ("hftbacktest trade roi", "hftbacktest trade hash")
    hft_book = ("hftbacktest book roi", "hftbacktest book hash")
    return [
        Ratio("compiled, EMA cross with orders: rows, hftbacktest (3)", "ours trade", hft_trade, 2.0, same_data=True),
        Ratio("L2 book kept and read: rows, hftbacktest", "ours book", hft_book, 3.0, same_data=True),
        # Ours counts three rows a tick, theirs one: 1,500 in rows is 500 in ticks.
        Ratio("compiled, EMA cross with orders: rows, nautilus (500 ticks)", "ours trade", ("nautilus trade",), 1500.0),
        Ratio("Python on every tick: ticks, nautilus' empty callback", "ours python", ("nautilus empty",), 4.0),
        Ratio("Python on candles only: rows, our compiled rate", "ours candles", ("ours trade",), 0.5),
        Ratio("compiled: rows, vectorbt (no events)", "ours trade", ("vectorbt",), None),
        Ratio("compiled: rows, the bare loop", "ours trade", ("bare numba loop",), None),
    ]


def live_cases(scale: float, *, all_modes: bool = False) -> list[Case]:
    """The bare client and our live path, on the same server and frames."""

    def count(amount: int) -> tuple[str, str]:
        return "--count", str(max(1000, int(amount * scale)))

    def pair(name: str, arguments: tuple[str, ...], figure: str) -> list[Case]:
        return [
            Case(f"bare client {name}", None, LIVE, arguments, figure),
            Case(f"ours live {name}", None, OURS_LIVE, arguments, figure),
        ]

    def flood(kind: str, amount: int) -> tuple[str, ...]:
        return "--mode", "flood", "--kind", kind, *count(amount)

    paced = ("--mode", "paced", "--kind", "trade", *count(30_000), "5000")
    burst = ("--mode", "burst", "--kind", "trade", *count(50_000), "1000", "100000")
    cases = [
        *pair("flood trade", flood("trade", 200_000), "messages_per_s"),
        *pair("flood depth10", flood("depth10", 40_000), "messages_per_s"),
        *pair("paced trade", paced, "p50_us"),
        *pair("burst trade", burst, "p99_us"),
        *pair("paced trade spin", ("--spin", *paced), "p50_us"),
    ]
    if all_modes:
        for library in ("picows", "websockets", "aiohttp"):
            for decoder in ("orjson", "msgspec_floats", "msgspec_ring"):
                for kind, amount in (("trade", 100_000), ("depth10", 20_000)):
                    arguments = ("--library", library, "--decoder", decoder, *flood(kind, amount))
                    name = f"{library} {decoder} {kind}"
                    cases.append(Case(f"bare client {name}", None, LIVE, arguments, "messages_per_s"))
    return cases


def live_ratios() -> list[Ratio]:
    def bare(name: str) -> tuple[str]:
        return (f"bare client {name}",)

    return [
        Ratio("flood of trades: messages, bare client", "ours live flood trade", bare("flood trade"), 0.6),
        Ratio("flood of depth 2 x 10: messages, bare client", "ours live flood depth10", bare("flood depth10"), 0.6),
        Ratio("5,000 trades/s: p50 above the bare client, us", "ours live paced trade", bare("paced trade"), 15.0, is_difference=True),
        Ratio("burst of 1,000: p99 above the bare client, us", "ours live burst trade", bare("burst trade"), None, is_difference=True),
        Ratio("our spinning loop: p50 above our sleeping one, us", "ours live paced trade spin", ("ours live paced trade",),
              None, is_difference=True),
    ]
