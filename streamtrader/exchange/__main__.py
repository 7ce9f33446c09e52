"""`python -m streamtrader.exchange`: run one embedded exchange until standard input closes.

Standard output carries one JSON line: where it listens, or why it cannot. Standard input is the life line of the
parent: when the parent dies, however it dies, the pipe closes and so does the exchange.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import gc
import json
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from streamtrader.errors import StreamTraderError
from streamtrader.exchange.audience import Audience
from streamtrader.exchange.dialects import BINANCE, DIALECTS, opened_dialect
from streamtrader.exchange.dialects.audience import TranslatedAudience
from streamtrader.exchange.faults import fault_of, faults_in
from streamtrader.exchange.market import Market
from streamtrader.exchange.pump import Pump
from streamtrader.exchange.saboteur import Saboteur
from streamtrader.exchange.server import Exchange

HOST = "127.0.0.1"
SYNTHETIC = "synthetic"


def opened_market(market: str, seed: int, symbols: Sequence[str]) -> Market:
    """The market that a name stands for. Imports are here because each kind needs others, and a start must be quick."""
    if market == SYNTHETIC:
        from streamtrader.exchange.synthetic import SyntheticMarket

        return SyntheticMarket(symbols, seed=seed)
    if market.endswith(".tape"):
        from streamtrader.exchange.tapes import TapeMarket

        return TapeMarket(market)
    from streamtrader.exchange.captures import CaptureMarket

    return CaptureMarket([market])


def plain_symbol(name: str) -> str:
    """A symbol as the synthetic market has it: `BTC/USD` is `BTCUSD` there."""
    return "".join(letter for letter in name if letter not in "/-_")


def parsed_speed(text: str) -> float | None:
    """A positive number, or None for `max`."""
    if text == "max":
        return None
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError("speed must be above zero, or max")
    return speed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m streamtrader.exchange", description="The embedded exchange.")
    parser.add_argument("--market", default=SYNTHETIC, help="synthetic, a raw capture (several with commas), a tape")
    parser.add_argument("--seed", type=int, default=1, help="of the synthetic market")
    parser.add_argument("--speed", type=parsed_speed, default=1.0, help="1, 10, any number, or max")
    parser.add_argument("--symbols", default="BTCUSDT,ETHUSDT", help="of the synthetic market")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--dialect", default=BINANCE, choices=DIALECTS, help="the venue whose words are spoken")
    parser.add_argument("--stamp", action="store_true", help="stamp every frame with the market's clock, as `ns`")
    parser.add_argument("--fault", action="append", default=[], help='such as "at=5s reset-mid-frame"; repeatable')
    parser.add_argument("--faults", type=Path, help="a script of faults, TOML or JSON")
    parser.add_argument("--after-ns", type=int, default=0, help="go on after this stamp of the market")
    return parser


async def run(arguments: argparse.Namespace) -> None:
    """Serve until standard input closes; a finished market stays up to answer questions."""
    names = [symbol for symbol in arguments.symbols.upper().split(",") if symbol]
    plain = {name if arguments.dialect == BINANCE else plain_symbol(name): name for name in names}
    market = opened_market(arguments.market, arguments.seed, list(plain))
    faults = [fault_of(text) for text in arguments.fault]
    faults += faults_in(arguments.faults) if arguments.faults is not None else ()
    saboteur = Saboteur(sorted(faults, key=lambda fault: fault.at_ns), market.start_ns)
    translator = opened_dialect(arguments.dialect, market, plain)
    audience = Audience(saboteur) if translator is None else TranslatedAudience(translator, saboteur)
    pump = Pump(market, audience, speed=arguments.speed)
    pump.fast_forward(arguments.after_ns)
    speed = "max" if arguments.speed is None else f"{arguments.speed:g}"
    gc.freeze()  # what was loaded so far stays: collections need not look at it again
    exchange = Exchange(pump, audience, speed=speed, is_stamped=arguments.stamp)
    async with exchange.listening(HOST, arguments.port) as port:
        symbols = list(market.instruments if translator is None else translator.named)
        ready = {"port": port, "kind": market.kind, "symbols": symbols, "market": market.name}
        _announce({**ready, "skipped_lines": market.skipped_lines})
        async with asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(pump.run())
            await _parent_gone()
            playing.cancel()


async def _parent_gone() -> None:
    """Return when standard input closes. A thread, because not every kind of standard input can be polled."""
    loop, gone = asyncio.get_running_loop(), asyncio.Event()

    def watch() -> None:
        with suppress(OSError):  # closed from the start: as gone as it can be
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # the loop has ended before
            loop.call_soon_threadsafe(gone.set)

    threading.Thread(target=watch, daemon=True).start()
    await gone.wait()


def _announce(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> int:
    arguments = _parser().parse_args()
    try:
        asyncio.run(run(arguments))
    except StreamTraderError as error:
        _announce({"error": type(error).__name__, "message": str(error)})
        return error.exit_code
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is in use" if error.errno == errno.EADDRINUSE else "may not be used"
        message = f"port {arguments.port} {why}; choose another one, or 0 for any that is free"
        _announce({"error": "ConfigError", "message": message})
        return 4
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
