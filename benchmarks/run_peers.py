"""Ours and theirs in turns on one machine: medians, ratios, and the goal beside each ratio.

    python -m benchmarks.run_peers                     replay and live, five rounds
    python -m benchmarks.run_peers --only replay --repeats 9 --json
    python -m benchmarks.run_peers --all-modes         every mode of every rival, to find its best

One round runs each case once, in a process of its own, bound to a core; then the next round. So a neighbour who
disturbs the machine disturbs all alike, and a ratio is taken within its round before the median is. Rivals are
installed on the first run (see `peers/environments.py`). Data must carry the same fingerprint. Cases that fail are
named, never left out. The spread of a case is (largest - smallest) / median over the rounds; the median of all spreads
is printed as the noise of the run. Above 20 % somebody else was at work, and the figures are for orientation only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Ratio, live_cases, live_ratios, replay_cases, replay_ratios
from benchmarks.peers.environments import CACHE, ensure, python_of, versions
from benchmarks.results import busy_share, cpu_count, run_script

Runs = dict[str, list[dict[str, Any]]]


def interpreter(case: Case, cache: Path) -> str:
    return sys.executable if case.environment is None else str(python_of(case.environment, cache))


def play_rounds(cases: list[Case], repeats: int, cache: Path) -> tuple[Runs, dict[str, str], list[float | None]]:
    """Run everything in turns: the results by case, the failures by case, how busy the machine was before each round."""
    runs: Runs = {case.name: [] for case in cases}
    failures: dict[str, str] = {}
    busy: list[float | None] = []
    for turn in range(repeats):
        busy.append(busy_share())
        for case in cases:
            if case.name in failures:
                continue
            sys.stderr.write(f"\rround {turn + 1} of {repeats}: {case.name:<44}")
            command = [interpreter(case, cache), "-m", case.module, *case.arguments]
            try:
                runs[case.name].append(run_script(command, cpu=0))
            except (RuntimeError, OSError) as error:
                failures[case.name] = str(error)
    sys.stderr.write("\r" + " " * 64 + "\r")
    return {name: found for name, found in runs.items() if name not in failures}, failures, busy


def summary(runs: list[dict[str, Any]], figure: str) -> dict[str, Any]:
    """The median of what the case is about, its spread, and the last run's other words."""
    values = [run[figure] for run in runs]
    middle = statistics.median(values)
    kept = ("version", "data", "mode", "depth", "compile_s", "resident_mib", "signals", "fills", "cpu_us", "p99_us")
    told = {key: runs[-1][key] for key in kept if key in runs[-1]}
    return {"figure": figure, "median": middle, "spread": round((max(values) - min(values)) / middle, 2), **told}


def best_of(names: tuple[str, ...], table: dict[str, Any]) -> str | None:
    """The rival's best case by its median; lower is better for a latency."""
    known = [name for name in names if name in table]
    if not known:
        return None
    is_latency = table[known[0]]["figure"].endswith("_us")
    return (min if is_latency else max)(known, key=lambda name: table[name]["median"])


def settle(ratio: Ratio, runs: Runs, table: dict[str, Any]) -> dict[str, Any]:
    """One row of the verdict: ours against the best of theirs, round by round."""
    row: dict[str, Any] = {"name": ratio.name, "goal": ratio.goal, "ours": ratio.ours, "theirs": None, "value": None}
    theirs = best_of(ratio.theirs, table)
    if ratio.ours not in table or theirs is None:
        missing = [name for name in (ratio.ours, *ratio.theirs) if name not in table]
        return row | {"note": f"not measured: {', '.join(missing)}"}
    pairs = [
        (mine[table[ratio.ours]["figure"]], other[table[theirs]["figure"]])
        for mine, other in zip(runs[ratio.ours], runs[theirs], strict=True)
    ]
    found = [mine - other if ratio.is_difference else mine / other for mine, other in pairs]
    value = statistics.median(found)
    row |= {"theirs": theirs, "value": round(value, 3), "range": [round(min(found), 3), round(max(found), 3)]}
    if ratio.goal is not None:
        row["is_met"] = value <= ratio.goal if ratio.is_difference else value >= ratio.goal
    if ratio.same_data and table[ratio.ours].get("data") != table[theirs].get("data"):
        row["note"] = "not comparable: the two did not play the same data"
        row["is_met"] = False
    return row


def show(report: dict[str, Any]) -> None:
    """The report as text."""
    print(f"{'case':<44}{'median':>16}  {'':<12}{'spread':>7}{'MiB':>7}{'compile s':>11}")
    for name, row in report["cases"].items():
        compiled = row.get("compile_s")
        print(
            f"{name:<44}{row['median']:>16,.1f}  {row['figure'].replace('_per_s', '/s'):<12}{row['spread']:>6.0%}"
            f"{row.get('resident_mib') or 0:>7}{'' if compiled is None else f'{compiled:.1f}':>11}"
        )
    print(f"\n{'ratio':<58}{'value':>10}{'goal':>8}  within")
    for row in report["ratios"]:
        goal = "" if row["goal"] is None else f"{row['goal']:g}"
        if row["value"] is None:
            print(f"{row['name']:<58}{'-':>10}{goal:>8}  {row['note']}")
            continue
        verdict = "" if row["goal"] is None else ("met" if row["is_met"] else "MISSED")
        low, high = row["range"]
        print(f"{row['name']:<58}{row['value']:>10,.2f}{goal:>8}  {low:,.2f} .. {high:,.2f}  {verdict} {row.get('note', '')}")
    for name, words in report["failures"].items():
        print(f"failed: {name}: {words.strip().splitlines()[-1]}")
    print(f"\n{report['repeats']} rounds; load a core before each: {report['busy']}; noise {report['noise']:.0%}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("replay", "live"))
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the stated amounts of data")
    parser.add_argument("--all-modes", action="store_true", help="every mode of every rival")
    parser.add_argument("--match", nargs="+", default=[""], help="only cases with one of these texts in their names")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout instead of the table")
    parser.add_argument("--out", type=Path, help="write the JSON document there as well")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the rivals' environments are")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    cases: list[Case] = []
    ratios: list[Ratio] = []
    if options.only != "live":
        cases += replay_cases(options.scale, all_modes=options.all_modes)
        ratios += replay_ratios()
    if options.only != "replay":
        cases += live_cases(options.scale, all_modes=options.all_modes)
        ratios += live_ratios()
    cases = [case for case in cases if any(text in case.name for text in options.match)]
    needed = sorted({case.environment for case in cases if case.environment is not None})
    for name in needed:
        sys.stderr.write(f"\renvironment {name} ...        ")
        ensure(name, options.cache)
    runs, failures, busy = play_rounds(cases, options.repeats, options.cache)
    figures = {case.name: case.figure for case in cases}
    table = {name: summary(found, figures[name]) for name, found in runs.items()}
    report = {
        "bench": "peers",
        "repeats": options.repeats,
        "cores": cpu_count(),
        "busy": busy,
        "noise": statistics.median([row["spread"] for row in table.values()] or [0.0]),
        "peers": {name: versions(name, options.cache) for name in needed},
        "cases": table,
        "ratios": [settle(ratio, runs, table) for ratio in ratios],
        "failures": failures,
    }
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    if options.json:
        print(json.dumps(report))
    else:
        show(report)
    if failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
