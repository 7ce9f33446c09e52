"""The report of `data check` for people: what is in the tape, then what was found, the faults first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table
from rich.text import Text

from streamtrader.cli.common import console_for_people

if TYPE_CHECKING:
    from streamtrader.runtime.checking import CheckResult
    from streamtrader.runtime.checking_findings import Finding

STYLES = {"fault": "bold red", "warning": "yellow"}


def show_check(result: CheckResult) -> None:
    """Print the report on standard output."""
    console = console_for_people()
    for name, text in _figures(result):
        console.print(f"{name:24} {text}")
    if result.findings:
        console.print(_table(result.findings))
    warnings = len(result.findings) - result.faults
    console.print(f"{_kinds(result.faults, 'fault')}, {_kinds(warnings, 'warning')}")


def _kinds(count: int, what: str) -> str:
    return f"{count} kind{'s' * (count > 1)} of {what}" if count else f"no {what}s"


def _figures(result: CheckResult) -> list[tuple[str, str]]:
    agreement = result.best_quote_agreement
    found = [
        ("tape", result.tape),
        ("instruments", ", ".join(result.instruments)),
        ("events", ", ".join(f"{count:,} {kind}" for kind, count in result.events.items()) or "none"),
    ]
    if result.events:
        seconds = (result.last_ns - result.first_ns) / 1e9
        found += [
            ("from, to", f"{_time(result.first_ns)}, {_time(result.last_ns)} ({seconds:,.0f} s)"),
            ("clocks", f"{result.clock_skew_ms:,.3f} ms apart, drifting {result.clock_drift_ppm:,.1f} ppm"),
            ("longest silence", f"{result.longest_silence_ms:,.1f} ms"),
        ]
    if result.book_messages:
        found.append(("books", f"{result.book_messages:,} messages rebuilt"))
    if agreement.compared:
        found.append(
            ("best quotes", f"{agreement.equal:,} of {agreement.compared:,} equal those of the rebuilt books")
        )
    return found


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, header_style="bright_black")
    for title in ("", "count", "first event", "at", "instrument", "what"):
        is_number = title in ("count", "first event")
        table.add_column(title, justify="right" if is_number else "left", no_wrap=title != "what")
    for finding in findings:
        has_place = finding.event >= 0
        table.add_row(
            Text(f"{finding.severity}: {finding.check}", STYLES[finding.severity]),
            f"{finding.count:,}",
            f"{finding.event:,}" if has_place else "",
            _time(finding.at_ns) if has_place else "",
            finding.instrument,
            finding.meaning + (f"; {finding.detail}" if finding.detail else ""),
        )
    return table


def _time(at_ns: int) -> str:
    return f"{np.datetime64(at_ns, 'ns')}Z"
