"""The project's chores: `nox -l` lists them, `nox -s NAME` runs one, plain `nox` runs what a change must pass."""

from __future__ import annotations

import os

import nox

nox.options.sessions = ["lint", "types", "tests", "parity"]
nox.options.default_venv_backend = "venv"
LOCKED = ("-c", "requirements.lock")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests in random order with warnings as errors; arguments after `--` go to pytest."""
    session.install("-e", ".[test]", *LOCKED)
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def quick(session: nox.Session) -> None:
    """Run all tests but the slow ones, by two processes: less than five minutes, for work in progress."""
    session.install("-e", ".[dev]", *LOCKED)
    command = ("python", "-m", "pytest", "-m", "not slow", "--numprocesses", "2", "--dist", "loadfile")
    session.run(*command, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and the usual mistakes with ruff."""
    session.install("ruff", *LOCKED)
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the whole package with mypy, strictly."""
    session.install("-e", ".", "mypy", *LOCKED)
    session.run("mypy")


@nox.session
def parity(session: nox.Session) -> None:
    """Run only the tests that hold replay, live batches, restarts and the uncompiled loop to the same bytes."""
    session.install("-e", ".[test]", *LOCKED)
    session.run("python", "-m", "pytest", "tests", "-k", "parity or same_bytes", *session.posargs)


@nox.session
def mutate(session: nox.Session) -> None:
    """Feed two million mutated messages, or `STREAMTRADER_MUTATIONS`, to the adapters of all venues."""
    session.install("-e", ".[test]", *LOCKED)
    campaign = {"STREAMTRADER_MUTATIONS": os.environ.get("STREAMTRADER_MUTATIONS", "2000000")}
    # One test has its whole share of them: the limit that finds a hang of a test does not hold here.
    command = ("python", "-m", "pytest", "tests/venues/test_mutations.py", "--timeout=0")
    session.run(*command, *session.posargs, env=campaign)


@nox.session
def faults(session: nox.Session) -> None:
    """Break the embedded exchange in every way, and drop a thousand links with a clock only sixty times too fast.

    `STREAMTRADER_FASTER` makes it another pace: 15000 is that of the suite.
    """
    session.install("-e", ".[test]", *LOCKED)
    files = ("tests/exchange/test_faults.py", "tests/exchange/test_faults_of_requests.py")
    pace = {"STREAMTRADER_FASTER": os.environ.get("STREAMTRADER_FASTER", "60"), "STREAMTRADER_DROPS": "1000"}
    session.run("python", "-m", "pytest", *files, *session.posargs, env=pace)


@nox.session
def papers(session: nox.Session) -> None:
    """Reproduce the tables of Avellaneda and Stoikov in the kernel over 20,000 paths a row: minutes."""
    session.install("-e", ".[test]", *LOCKED)
    paths = {"STREAMTRADER_PATHS": "20000"}
    session.run("python", "-m", "pytest", "tests/strategies/test_published_makers.py", *session.posargs, env=paths)


@nox.session
def twin(session: nox.Session) -> None:
    """Hold the engine to its slow exact twin, and audit orders of every kind, over 3,000 made-up sessions each: half an hour."""
    session.install("-e", ".[test]", *LOCKED)
    files = ("tests/simulator/test_twin.py", "tests/simulator/test_nothing_twice.py")
    session.run("python", "-m", "pytest", *files, *session.posargs, env={"STREAMTRADER_TWIN": "3000"})


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which branches the tests reach; compiled lines count through the uncompiled loop."""
    session.install("-e", ".[test]", "coverage", *LOCKED)
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "report")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure this engine alone: replay and live, one JSON document each."""
    session.install("-e", ".", *LOCKED)
    session.run("streamtrader", "bench", "replay", "--json", *session.posargs)
    session.run("streamtrader", "bench", "live", "--json", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Watch the memory of a paper run over 50 million events."""
    session.install("-e", ".", *LOCKED)
    session.run("python", "-m", "benchmarks.soak", *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Install the rivals into their own environments and measure them and us in turns: a table of ratios."""
    session.install("-e", ".", *LOCKED)
    session.run("python", "-m", "benchmarks.run_peers", *session.posargs)


@nox.session
def fills(session: nox.Session) -> None:
    """Our fills against hftbacktest's, order by order: `nox -s fills -- TAPE.tape`; a difference must have a reason."""
    session.install("-e", ".", *LOCKED)
    session.run("python", "-m", "benchmarks.peers.environments", "hftbacktest")
    session.run("python", "-m", "benchmarks.compare_fills", *session.posargs)


@nox.session
def venues(session: nox.Session) -> None:
    """Measure market data: decoding against rivals, a flood of 50 symbols, imports and bytes an event."""
    session.install("-e", ".[lake]", *LOCKED)
    session.run("python", "-m", "benchmarks.run_venues", *session.posargs)
    session.run("python", "-m", "benchmarks.flood_symbols")
    session.run("python", "-m", "benchmarks.import_rates")


@nox.session
def docs(session: nox.Session) -> None:
    """Run the Python of README.md and docs/, and hold their commands, settings, metrics and links to the program."""
    session.install("-e", ".[test]", *LOCKED)
    pages = ("tests/test_documents.py", "tests/storage/test_tape_document.py")
    session.run("python", "-m", "pytest", *pages, *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Pin every dependency of every extra again in requirements.lock."""
    session.install("uv")
    session.run(
        *("uv", "pip", "compile", "pyproject.toml", "--all-extras", "--universal", "--python-version", "3.11"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--upgrade"),
        *("-o", "requirements.lock"),
    )
