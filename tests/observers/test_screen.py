"""The screen: what it says, that it fits, and that nothing from outside can disturb it."""

import asyncio
import io
import re
from dataclasses import replace

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from streamtrader.observers.drawing import beginning, ending, screen
from streamtrader.observers.logs import configure_logs
from streamtrader.observers.screen import Terminal, console_for, is_live_possible, log_status, progress, show_live
from streamtrader.observers.screen_state import Activity, Beginning, Ending, MarketLine, ScreenState, StrategyLine

STATE = ScreenState(
    market_time="2026-01-05 00:02:14",
    elapsed_s=134.0,
    markets=[
        MarketLine(symbol="BTCUSDT", bid="91,204.10", ask="91,204.20", lag_ms=0.2, state="live", position=0.011),
        MarketLine(symbol="ETHUSDT", state="gap", lag_ms=1_212.0, pnl_quote=-0.52),
    ],
    equity_quote=10_003.12,
    equity_start_quote=10_000.0,
    orders=14,
    open_orders=2,
    fills=11,
    partial_fills=4,
    activity=[Activity(time="00:02:05", kind="sell", symbol="ETHUSDT", text="sold 0.2 at 3,011.42 (taker)")],
    decision_p50_us=12.4,
    events_per_s=812.0,
    progress_ratio=0.42,
)
ENDING = Ending(
    reason="stopped by Ctrl-C",
    elapsed_s=3_734.0,
    equity_quote=9_990.0,
    equity_start_quote=10_000.0,
    fees_quote=1.12,
    drawdown_quote=12.0,
    orders=14,
    fills=11,
    partial_fills=4,
    refused=1,
    events=108_213,
    strategies=[StrategyLine(strategy="EmaCross", symbol="BTCUSDT", orders=5, fills=4, pnl_quote=-0.4)],
    directory="runs/x",
    next_commands=["streamtrader parity runs/x"],
)
BEGINNING = Beginning(
    version="0.1.0",
    kernels="warm 0.4 s",
    market="synthetic",
    strategies=["EmaCross on BTCUSDT (trades)"],
    rules=[],
    directory="runs/x",
)


def drawn(renderable, width=120, encoding="utf-8"):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True, newline="\n")
    console = console_for(stream, {})
    console.size = (width, 40)
    console.print(renderable)
    return stream.buffer.getvalue().decode(encoding)


def test_the_screen_says_what_is_going_on():
    text = drawn(screen(STATE))

    for figure in (
        *("PAPER", "EMBEDDED", "00:02:14", "91,204.10", "● LIVE", "✖ GAP", "1.2 s", "-0.52", "+0.011"),
        *("10,003.12 +3.12 (+0.03%)", "14 (2 open)", "11 (4 partial)", "sold 0.2", "p50 12.4 us", "p99 -", "42%"),
    ):
        assert figure in text


def test_what_needs_attention_is_said_in_words():
    assert "HALTED: only orders that reduce pass" in drawn(screen(ScreenState(is_halted=True)))
    assert "! no event for 10 s" in drawn(screen(ScreenState(notice="no event for 10 s")))


def test_the_beginning_and_the_end_say_what_ran_and_what_came_of_it():
    first, last = drawn(beginning(BEGINNING)), drawn(ending(ENDING))

    for said in (
        "streamtrader 0.1.0",
        "PAPER",
        "EMBEDDED synthetic",
        "EmaCross on BTCUSDT",
        "none: nothing is refused",
    ):
        assert said in first
    for said in (
        "01:02:14",
        "stopped by Ctrl-C",
        "9,990.00",
        "-10.00",
        "-0.40",
        "11 fills (4 partial)",
        "parity runs/x",
    ):
        assert said in last


def test_many_markets_are_cut_and_the_rest_is_counted():
    many = ScreenState(markets=[MarketLine(symbol=f"S{number}USDT") for number in range(50)])

    assert "and 38 more" in drawn(screen(many))


TEXTS = st.text(max_size=120)


@settings(max_examples=25)
@given(TEXTS, TEXTS, st.integers(80, 200), st.integers(20, 60), st.integers(0, 30), st.floats() | st.none())
def test_whatever_arrives_the_screen_keeps_to_its_size(symbol, text, width, height, count, number):
    """Symbols and texts come from venues: no markup, no escape sequence, no line too wide, no line too many."""
    state = ScreenState(
        markets=[MarketLine(symbol=symbol[:20], bid=text[:12], state=text, lag_ms=number)] * (count // 3),
        activity=[Activity(time="00:00:00", kind=text, symbol=symbol[:20], text=f"[red]{text}[/]")] * count,
        notice=text,
        decision_p99_us=number,
    )

    lines = drawn(screen(state, width, height), width).split("\n")

    assert "\x1b" not in "".join(lines)
    assert count == 0 or any("[red]" in line for line in lines)
    assert len(lines) - 1 <= max(height, 13 + len(state.markets))
    assert all(cell_len(line) <= width for line in lines)


def test_a_terminal_without_unicode_gets_plain_shapes():
    foreign = Activity(time="00:00:00", kind="note", symbol="币安人生USDT", text="…")

    text = drawn(screen(replace(STATE, activity=[foreign])), encoding="ascii")

    assert "????USDT" in text
    assert "* LIVE" in text
    assert "x GAP" in text


def test_no_color_means_none():
    stream = io.StringIO()
    console = console_for(stream, {"NO_COLOR": ""})
    console.print(screen(STATE))

    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", stream.getvalue())


@pytest.mark.parametrize(
    ("width", "is_terminal", "environ", "is_plain", "expected"),
    [
        (80, True, {}, False, True),
        (79, True, {}, False, False),
        (120, False, {}, False, False),
        (120, True, {"TERM": "dumb"}, False, False),
        (120, True, {}, True, False),
    ],
)
def test_the_live_screen_is_for_a_terminal_that_can_show_it(width, is_terminal, environ, is_plain, expected):
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal)

    assert expected == is_live_possible(console, environ, is_plain=is_plain)


async def shown_until(console, take, logs=None, until=lambda: True):
    task = asyncio.create_task(show_live(take, console, logs))
    while not until() and not task.done():
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return task


async def test_the_last_figures_stay_on_the_terminal():
    stream, taken = io.StringIO(), []

    def take():
        taken.append(ScreenState(orders=len(taken)))
        return taken[-1]

    task = await shown_until(
        Terminal(file=stream, width=100, force_terminal=True), take, until=lambda: len(taken) >= 2
    )

    assert task.cancelled()
    assert f"{taken[-1].orders} (0 open)" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert stream.getvalue().rstrip("\n").endswith("\x1b[?25h")  # and the cursor is back


async def test_warnings_appear_above_the_screen_and_the_rest_only_in_the_file(tmp_path):
    terminal, stream = io.StringIO(), io.StringIO()
    console = Terminal(file=terminal, width=100, force_terminal=True)

    with configure_logs(stream=stream, style="console") as logs:
        logs.open_file(tmp_path / "log.jsonl")

        def log_once():
            if not terminal.getvalue():
                return False
            structlog.get_logger().info("quiet")
            structlog.get_logger().warning("loud")
            return logs.pipe.flush()

        await shown_until(console, lambda: STATE, logs.pipe, until=log_once)
        structlog.get_logger().info("afterwards")

    assert "loud" in terminal.getvalue()
    assert "quiet" not in terminal.getvalue()
    assert ["afterwards"] == [line.split()[-1] for line in stream.getvalue().splitlines()]
    assert "quiet" in (tmp_path / "log.jsonl").read_text()


async def test_a_terminal_that_goes_away_ends_the_drawing_and_nothing_else():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    with structlog.testing.capture_logs() as lines:
        await asyncio.wait_for(show_live(lambda: STATE, Terminal(file=Gone(), width=100, force_terminal=True)), 10)

    assert ["the terminal is gone: going on without the screen"] == [line["event"] for line in lines]


async def test_without_a_terminal_the_status_is_logged():
    with structlog.testing.capture_logs() as lines:
        task = asyncio.create_task(log_status(lambda: STATE, every_s=0.001))
        while not lines:
            await asyncio.sleep(0.001)
        task.cancel()

    assert ("status", 10_003.12, 11) == (lines[0]["event"], lines[0]["equity_quote"], lines[0]["fills"])
    assert {"BTCUSDT": "live", "ETHUSDT": "gap"} == lines[0]["books"]


def test_a_progress_bar_is_drawn_on_a_terminal_only():
    terminal, pipe = io.StringIO(), io.StringIO()

    for stream, is_terminal, is_shown in ((terminal, True, True), (pipe, False, True), (pipe, True, False)):
        console = Console(file=stream, width=100, force_terminal=is_terminal)
        with progress(console, "replaying", 100, is_shown=is_shown) as done:
            done(50)

    assert "replaying" in terminal.getvalue()
    assert "" == pipe.getvalue()
