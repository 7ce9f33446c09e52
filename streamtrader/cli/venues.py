"""The table of venues and what each can do, as the tests have proved it."""

from __future__ import annotations

from typing import Any

from streamtrader.cli.common import JsonOption, common, console_for_people, tell, told_errors


def venues(as_json: JsonOption = False) -> None:
    """List the venues, their channels, what those become, and how their books are proved."""
    options = common(None, None, is_json=as_json)
    with told_errors(options):
        from streamtrader.venues.capabilities import read_capabilities

        rows = read_capabilities()
        tell({"venues": rows}, is_json=as_json, show=lambda: _show(rows))


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bright_black")
    for title in ("venue", "markets", "channels", "events", "key", "hedged", "rotation", "books are proved by"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(
            row["name"], ", ".join(row["markets"]), ", ".join(row["channels"]), ", ".join(row["events"]),
            "needed" if row["needs_key"] else "none", "yes" if row["can_hedge"] else "no",
            "gapless" if row["can_rotate"] else "gap", row["proof"],
        )  # fmt: skip
    console_for_people().print(table)
