"""The house rules that a reader can check by looking, checked by looking: who imports whom, who owns what, how long."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "streamtrader"
FILES = sorted(path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py"))

# A module imports only from lower rows; rooms of one row do not know each other, except where a pair is given.
ROWS = {
    "units": 0, "errors": 0, "instruments": 0, "processes": 0,
    "kernel.memory": 1, "kernel.record": 1, "kernel.shortcuts": 1, "kernel.lowering": 1, "kernel.lean": 1, "kernel.compiler": 1, "events": 1,
    "kernel": 2,
    "indicators": 3, "risk": 3, "strategies": 3, "schedules": 3, "simulator": 3,
    "venues": 4, "ledger": 4, "storage": 4, "observers": 4, "analysis": 4,
    "execution": 5, "exchange": 5,
    "config": 5, "config_account": 5, "config_lines": 5, "config_report": 5, "config_section": 5,
    "config_simulator": 5, "config_sources": 5,
    "runtime": 6, "dashboard": 6, "reports": 6, "research": 6, "learning": 6, "bench": 6,
    "cli": 7,
}  # fmt: skip
# Risk rules and strategies use indicators, strategies use schedules. Settings are one idea in several files. `bench` measures the runtime.
NEIGHBOURS = {("risk", "indicators"), ("strategies", "indicators"), ("strategies", "schedules"), ("bench", "runtime")}
NEIGHBOURS |= {
    (one, other) for one in ROWS for other in ROWS if one.startswith("config") and other.startswith("config")
}
NEIGHBOURS |= {("instruments", "errors"), ("instruments", "units")}
NEIGHBOURS |= {("kernel.record", "kernel.memory"), ("events", "kernel.record"), ("kernel.compiler", "kernel.record")}
NEIGHBOURS |= {("kernel.compiler", part) for part in ("kernel.shortcuts", "kernel.lean")}
NEIGHBOURS |= {("kernel.lean", "kernel.lowering")}
LONGEST_FILE, LONGEST_FUNCTION = 350, 60


@cache
def tree_of(file):
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def room_of(module):
    """`streamtrader.kernel.record` is a room of its own, `streamtrader.risk.limits` belongs to `risk`; None: the root."""
    parts = module.split(".")[1:]
    two = ".".join(parts[:2])
    return two if two in ROWS else (parts[0] if parts else None)


def module_of(file):
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def imports_of(file, *, with_types=True):
    """(line, module) of every import, those inside functions too; those for type checkers only where asked for."""
    left_out, found = set(), []
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.If) and not with_types and ast.unparse(node.test) == "TYPE_CHECKING":
            left_out |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
    for node in ast.walk(tree_of(file)):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are written in full"
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(node.lineno, name if is_module(name) else str(node.module)) for name in submodules]
    return found


@cache
def is_module(name):
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_name(path.name + ".py").exists()


def test_every_room_has_its_row():
    rooms = {room_of(module_of(file)) for file in FILES} - {None, "__main__"}

    assert rooms <= set(ROWS), f"give them a row: {rooms - set(ROWS)}"


def test_imports_go_downward_only():
    wrong = []
    for file in FILES:
        own = room_of(module_of(file))
        for line, module in imports_of(file, with_types=False):
            other = room_of(module) if module.partition(".")[0] == "streamtrader" else None
            if own is None or other is None or own == other or (own, other) in NEIGHBOURS:
                continue
            if ROWS[other] >= ROWS[own]:
                wrong.append(f"{file}:{line}: {own} imports {other}")

    assert wrong == []


OWNERS = {
    "numba": ("streamtrader/kernel/",),
    "llvmlite": ("streamtrader/kernel/",),
    "asyncio": tuple(
        f"streamtrader/{room}/"
        for room in (
            "venues",
            "storage",
            "observers",
            "execution",
            "exchange",
            "runtime",
            "cli",
            "dashboard",
            "bench",
        )
    ),
    "prometheus_client": ("streamtrader/observers/",),
    "prometheus_async": ("streamtrader/observers/",),
    "ccxt": ("streamtrader/venues/ccxt_venue.py",),
    "sqlite3": ("streamtrader/storage/", "streamtrader/cli/", "streamtrader/runtime/"),
    "pickle": (),
    "joblib": (),
    "shelve": (),
    "marshal": (),
}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_used_by_its_owner_only(library):
    strangers = [
        f"{file}:{line}"
        for file in FILES
        for line, module in imports_of(file)
        if module.partition(".")[0] == library and not file.startswith(OWNERS[library] or ("nobody",))
    ]

    assert strangers == []


CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}
CLOCK_READERS = (
    "streamtrader/venues/clock.py",
    "streamtrader/runtime/live.py",
    "streamtrader/exchange/",
    "streamtrader/cli/lake.py",  # `ingested_at`: when rows entered the lake
)


def clocks_read_in(file):
    aliases = {}
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
            aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            name = ast.unparse(node)
            if name in CLOCKS or aliases.get(name) in CLOCKS:
                yield node.lineno


def test_the_wall_clock_is_read_where_bytes_enter_and_nowhere_else():
    readers = [
        f"{file}:{line}" for file in FILES if not file.startswith(CLOCK_READERS) for line in clocks_read_in(file)
    ]

    assert readers == []


def test_no_file_is_longer_than_one_idea():
    lengths = {file: len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in [*FILES, *TESTS]}

    assert {file: length for file, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen():
    too_long = {}
    for file in FILES:
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = int(node.end_lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    too_long[f"{file}:{node.name}"] = length

    assert too_long == {}


def test_nothing_is_left_for_later():
    marks = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|X" + "XX|HA" + r"CK)\b")
    left = {file: marks.findall((ROOT / file).read_text(encoding="utf-8")) for file in [*FILES, *TESTS]}

    assert {file: found for file, found in left.items() if found} == {}


def test_every_module_says_what_it_is():
    modules = [file for file in FILES if not file.endswith("__init__.py")]

    assert [file for file in modules if not ast.get_docstring(tree_of(file))] == []
