"""Start and stop the embedded exchange as a child process.

The child lives exactly as long as the `async with`: its standard input is a pipe that closes when this process
goes, even by `kill -9`. It has a session of its own, so that Ctrl-C reaches the engine alone, which then ends both
in the right order.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any

from streamtrader.errors import ConfigError, MarketFileError, StreamTraderError, VenueError
from streamtrader.processes import command_of, environment

READY_S = 30.0
STOP_S = 2.0
_STDERR_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ExchangeProcess:
    """A running exchange."""

    port: int
    kind: str
    symbols: tuple[str, ...]
    market: str
    skipped_lines: int
    process: Process
    _stderr: IO[bytes]

    @property
    def rest_url(self) -> str:
        """Without the trailing slash; paths are `/api/v3/...` or `/fapi/v1/...` by `kind`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    def last_words(self) -> str:
        """What it wrote to standard error, the end of it."""
        return _tail(self._stderr)


@asynccontextmanager
async def start_exchange(
    *,
    market: str = "synthetic",
    seed: int = 1,
    speed: str = "1",
    symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT"),
    port: int = 0,
    after_ns: int | None = None,
    dialect: str = "binance",
    faults: Sequence[str] = (),
    ready_s: float = READY_S,
) -> AsyncIterator[ExchangeProcess]:
    """Run an exchange for the duration of the context. Its frames are stamped in every dialect but Binance's, where
    a client asks for that.

    Raises MarketFileError for a market that cannot be read, ConfigError for a port that is taken, VenueError when
    the process ends or stays silent for another reason.
    """
    arguments = [f"--market={market}", f"--seed={seed}", f"--speed={speed}", f"--symbols={','.join(symbols)}"]
    arguments += [f"--port={port}"] + ([] if after_ns is None else [f"--after-ns={after_ns}"])
    arguments += [f"--dialect={dialect}", "--stamp"] if dialect != "binance" else []
    arguments += [f"--fault={fault}" for fault in faults]
    with tempfile.TemporaryFile() as stderr:
        process = await asyncio.create_subprocess_exec(
            *command_of("streamtrader.exchange", *arguments),
            stdin=PIPE,
            stdout=PIPE,
            stderr=stderr,
            # It speaks no TLS, and the certificates that aiohttp loads on import would take a quarter of its start.
            env=environment(SSL_CERT_FILE=os.devnull),
            start_new_session=True,
        )
        try:
            ready = await _ready(process, stderr, ready_s)
            yield ExchangeProcess(
                port=ready["port"],
                kind=ready["kind"],
                symbols=tuple(ready["symbols"]),
                market=ready["market"],
                skipped_lines=ready["skipped_lines"],
                process=process,
                _stderr=stderr,
            )
        finally:
            await asyncio.shield(_stop(process))


async def _ready(process: Process, stderr: IO[bytes], limit_s: float) -> dict[str, Any]:
    """The line that says where it listens; raises what it says instead."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(limit_s):
            line = await process.stdout.readline()
    except TimeoutError:
        text = f"the embedded exchange was not ready within {limit_s:g} s"
        raise VenueError(f"{text}: {_tail(stderr) or 'it said nothing'}") from None
    try:
        ready = json.loads(line)
    except json.JSONDecodeError:
        await process.wait()
        text = f"the embedded exchange ended with code {process.returncode}"
        raise VenueError(f"{text}: {_tail(stderr) or 'it said nothing'}") from None
    if "error" in ready:
        raise _error_of(ready["error"], ready["message"])
    return dict(ready)


def _error_of(name: str, message: str) -> StreamTraderError:
    """The child's error as our own, so that its exit code and its words reach the user."""
    match name:
        case "MarketFileError" | "TapeCorrupt" | "LayoutChanged":
            return MarketFileError(message)
        case "ConfigError":
            return ConfigError(message)
        case _:
            return VenueError(f"the embedded exchange cannot start: {message}")


async def _stop(process: Process) -> None:
    """Close its input, then ask, then insist."""
    assert process.stdin is not None
    process.stdin.close()
    for insist in (process.terminate, process.kill, None):
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
            return
        except TimeoutError:
            if insist is not None and process.returncode is None:
                insist()


def _tail(stderr: IO[bytes]) -> str:
    """The end of what was written. Read without a seek: the child writes at the position that both share."""
    size = os.fstat(stderr.fileno()).st_size
    return os.pread(stderr.fileno(), _STDERR_TAIL_BYTES, max(0, size - _STDERR_TAIL_BYTES)).decode(errors="replace")
