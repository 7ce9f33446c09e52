"""What the screen looks like: pure functions from figures to something that `rich` can print.

Shape says what colour says, so that neither a colour-blind reader nor NO_COLOR loses anything; where a terminal has
no Unicode, plain characters stand for the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.align import Align
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from streamtrader.observers.screen_state import Activity, Beginning, Ending, ScreenState

MARKETS_MAX = 12
ACTIVITY_MAX = 10
WIDE = 110  # columns from which nothing has to be left out
OTHER_LINES = 12  # of the screen, beside markets and activity
DIM = "bright_black"
# shape, shape where there is no Unicode, colour
BOOKS = {
    "live": ("●", "*", "green"),
    "syncing": ("◌", "o", "cyan"),
    "stale": ("▲", "^", "yellow"),
    "gap": ("✖", "x", "red"),
    "crossed": ("✖", "x", "red"),
}
KINDS = {
    "buy": ("▲", "+", "green"),
    "sell": ("▼", "-", "red"),
    "order": ("•", ".", "cyan"),
    "cancelled": ("×", "x", DIM),
    "refused": ("!", "!", "yellow"),
    "note": ("i", "i", "blue"),
}
UNKNOWN = ("?", "?", "yellow")
NO_RULES = Text("none: nothing is refused", style="yellow")


class Line:
    """A thin line across; rich's own does not know terminals without Unicode when it has no title."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(("-" if options.ascii_only else "─") * options.max_width, DIM)


class Shape:
    """A shape and a word, in the characters that the terminal has."""

    def __init__(self, shape: tuple[str, str, str], label: str = "") -> None:
        self._shape, self._label = shape, label and f" {label}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        symbol, plain, color = self._shape
        yield _plain((plain if options.ascii_only else symbol) + self._label, color)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = 1 + len(self._label)
        return Measurement(width, width)


def beginning(said: Beginning) -> RenderableType:
    """The first lines of a run."""
    head = Text.assemble(
        (f"streamtrader {said.version}", "bold"), "  ", (f" {said.mode} ", "black on green"),
        "  No account, no keys: real orders cannot be sent.",
    )  # fmt: skip
    table = Table.grid(padding=(0, 2))
    table.add_column(style=DIM, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("  kernels", _plain(said.kernels))
    table.add_row("  venue", Text.assemble((f"{said.venue} ", "bold magenta"), _plain(said.market)))
    for place, strategy in enumerate(said.strategies):
        table.add_row("  strategies" if place == 0 else "", _plain(strategy))
    table.add_row("  risk rules", _plain(", ".join(said.rules)) if said.rules else NO_RULES)
    table.add_row("  recording", _plain(said.directory))
    if said.metrics_url:
        table.add_row("  metrics", _plain(said.metrics_url))
    return Group(head, table, Text())


def screen(state: ScreenState, width: int = WIDE, height: int = 40) -> RenderableType:
    """One drawing of the live screen, cut to the size of the terminal; 80 columns are enough."""
    is_wide = width >= WIDE
    room = max(min(height - OTHER_LINES - min(len(state.markets), MARKETS_MAX), ACTIVITY_MAX), 1)
    parts: list[RenderableType] = [_title(state), _markets(state, is_wide), Text(), _account(state, is_wide)]
    if state.is_halted or state.notice:
        parts.append(_notice(state))
    parts += [Line(), _activity(state.activity[-room:], room), Line(), _latency(state, is_wide)]
    if state.progress_ratio is not None:
        parts.append(_progress(state.progress_ratio))
    parts.append(Text(" Ctrl-C ends in order and shows the summary; twice ends at once", DIM))
    return Group(*parts)


def ending(said: Ending) -> RenderableType:
    """The last lines of a run: what it came to, by strategy, and what to do next."""
    change = said.equity_quote - said.equity_start_quote
    head = Text.assemble(
        ("session ", DIM), (_clock(said.elapsed_s), "bold"), _plain(f"  {said.reason}  "),
        ("equity ", DIM), (f"{said.equity_quote:,.2f}", "bold"), "  ", _signed(change),
    )  # fmt: skip
    table = Table(box=None, header_style=DIM, padding=(0, 2), pad_edge=False)
    table.add_column("  strategy")
    table.add_column("market")
    for title in ("orders", "fills", "position", "fees", "PnL"):
        table.add_column(title, justify="right")
    for line in said.strategies:
        table.add_row(
            _plain(f"  {line.strategy}"), _plain(line.symbol), f"{line.orders:,}", f"{line.fills:,}",
            _size(line.position), f"{line.fees_quote:,.2f}", _signed(line.pnl_quote),
        )  # fmt: skip
    counts = Text(
        f"  {said.orders:,} orders, {said.fills:,} fills ({said.partial_fills:,} partial), {said.refused:,} refused, "
        f"{said.events:,} events\n  fees {said.fees_quote:,.2f}, drawdown {said.drawdown_quote:,.2f}"
    )
    where = Text.assemble(("  kept in ", DIM), _plain(said.directory))
    following = [Text.assemble(("  next  ", DIM), _plain(command, "cyan")) for command in said.next_commands]
    return Group(Text(), head, table, counts, where, *following)


def _title(state: ScreenState) -> RenderableType:
    colors = "black on green" if state.mode == "PAPER" else "white on red"
    title = Text.assemble((f" {state.mode} ", colors), " ", (f" {state.venue} ", "white on magenta"))
    clock = f"{state.market_time}  running {_clock(state.elapsed_s)}"
    return Rule(Text.assemble(title, ("  " + clock, "default")), align="left", style=DIM)


def _markets(state: ScreenState, is_wide: bool) -> RenderableType:
    titles = ("bid", "ask", "spread", "lag") if is_wide else ("bid", "ask", "lag")
    table = Table(box=None, expand=True, header_style=DIM, padding=(0, 1), pad_edge=True)
    table.add_column("market", no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("book", no_wrap=True)
    for title in ("position", "PnL", "fills"):
        table.add_column(title, justify="right", no_wrap=True)
    for market in state.markets[:MARKETS_MAX]:
        cells: dict[str, RenderableType] = {
            "bid": _plain(market.bid),
            "ask": _plain(market.ask),
            "spread": _unit(market.spread_bps, "bp", 2),
            "lag": _duration_ms(market.lag_ms),
        }
        table.add_row(
            _plain(market.symbol, "bold"), *(cells[title] for title in titles),
            Shape(BOOKS.get(market.state, UNKNOWN), market.state.upper()),
            _size(market.position), _signed(market.pnl_quote), f"{market.fills:,}",
        )  # fmt: skip
    hidden = len(state.markets) - MARKETS_MAX
    return table if hidden <= 0 else Group(table, Align.right(Text(f"and {hidden} more ", DIM)))


def _account(state: ScreenState, is_wide: bool) -> Text:
    change = state.equity_quote - state.equity_start_quote
    ratio = change / state.equity_start_quote if state.equity_start_quote else 0.0
    gap = "   "
    return Text.assemble(
        (" equity ", DIM), (f"{state.equity_quote:,.2f} ", "bold"), _signed(change), f" ({ratio:+.2%})", gap,
        ("fees ", DIM), f"{state.fees_quote:,.2f}", gap if is_wide else "\n ",
        ("orders ", DIM), f"{state.orders:,} ({state.open_orders:,} open)", gap,
        ("fills ", DIM), f"{state.fills:,} ({state.partial_fills:,} partial)", gap,
        ("refused ", DIM), f"{state.refused:,}",
        no_wrap=True, overflow="ellipsis",
    )  # fmt: skip


def _notice(state: ScreenState) -> Text:
    halted = "HALTED: only orders that reduce pass, until `streamtrader resume`"
    notice = _plain(f" ! {halted if state.is_halted else state.notice}", "bold yellow")
    notice.no_wrap, notice.overflow = True, "ellipsis"
    return notice


def _activity(activity: Sequence[Activity], room: int) -> RenderableType:
    """The newest lines, in a space that does not grow: nothing below it jumps."""
    table = Table.grid(padding=(0, 1), expand=True)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for line in activity:
        shape = KINDS.get(line.kind, UNKNOWN)
        table.add_row(_plain(f" {line.time}", DIM), Shape(shape), _plain(line.symbol, "bold"), _plain(line.text))
    for _ in range(room - len(activity)):
        table.add_row("", "", "", "")
    return table


def _latency(state: ScreenState, is_wide: bool) -> Text:
    """How quick it is, and what it uses."""
    gap = "   " if is_wide else "  "
    return Text.assemble(
        (" tick to decision " if is_wide else " decision ", DIM),
        f"p50 {_unit(state.decision_p50_us, 'us')}  p99 {_unit(state.decision_p99_us, 'us')}", gap,
        f"{state.events_per_s:,.0f} ", ("events/s", DIM), gap,
        ("loop lag " if is_wide else "lag ", DIM), _duration_ms(state.loop_lag_ms), gap,
        ("memory " if is_wide else "", DIM), _unit(state.memory_mib, "MiB", 0),
        no_wrap=True, overflow="ellipsis",
    )  # fmt: skip


def _progress(ratio: float) -> RenderableType:
    """How much of a market that ends has been played."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(no_wrap=True)
    bar = ProgressBar(total=1.0, completed=ratio, complete_style="cyan", finished_style="green")
    table.add_row(Text(" market", DIM), bar, f"{ratio:.0%} ")
    return table


def _plain(text: str, style: str = "") -> Text:
    """Text from outside: no markup, and nothing that moves a terminal's cursor."""
    return Text("".join(letter if letter.isprintable() else "?" for letter in text), style)


def _size(size: float) -> Text:
    return Text(f"{size:+,.8f}".rstrip("0").rstrip(".") if size else "0", "" if size else DIM)


def _signed(amount: float) -> Text:
    if abs(amount) < 0.005:
        return Text("0.00", DIM)
    return Text(f"{amount:+,.2f}", "green" if amount > 0 else "red")


def _unit(value: float | None, unit: str, decimals: int = 1) -> str:
    return "-" if value is None else f"{value:,.{decimals}f} {unit}"


def _duration_ms(duration_ms: float | None) -> str:
    if duration_ms is None or duration_ms < 1_000:
        return _unit(duration_ms, "ms")
    return _unit(duration_ms / 1_000, "s")


def _clock(elapsed_s: float) -> str:
    minutes, seconds = divmod(int(elapsed_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"
