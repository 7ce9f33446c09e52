"""First pass over a capture: which symbols it holds, of which market, and how fine its prices and sizes are.

A capture does not carry the venue's filters. The finest decimal that is not zero, over the whole capture, is a tick
that every price in it fits; the venue's own may be finer, never coarser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from streamtrader.errors import MarketFileError
from streamtrader.instruments import Instrument
from streamtrader.storage.captures import CaptureReader
from streamtrader.venues.binance import SPOT, USDM, Market

QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "TRY", "BRL", "JPY", "BTC", "ETH", "BNB")
Texts = list[tuple[str, str]]


class _Data(msgspec.Struct, gc=False):
    s: str = ""
    pu: int | None = None
    p: str | None = None
    q: str | None = None
    b: str | int | Texts | None = None
    B: str | None = None
    a: str | int | Texts | None = None
    A: str | None = None


class _Line(msgspec.Struct, gc=False):
    stream: str = ""
    data: _Data | None = None
    bids: Texts = []
    asks: Texts = []


class _Seen:
    """What was seen of one symbol."""

    __slots__ = ("is_usdm", "price_decimals", "size_decimals")

    def __init__(self) -> None:
        self.is_usdm = False
        self.price_decimals = 0
        self.size_decimals = 0

    def level(self, price: str, size: str) -> None:
        self.price_decimals = max(self.price_decimals, _decimals(price))
        self.size_decimals = max(self.size_decimals, _decimals(size))


def _decimals(text: str) -> int:
    whole, _, decimals = text.partition(".")
    return len(decimals.rstrip("0")) if whole.isdigit() and (not decimals or decimals.isdigit()) else 0


class Survey:
    """The instruments of some captures, and the captures in the order of their clocks."""

    def __init__(self, paths: Sequence[Path | str]) -> None:
        if not paths:
            raise MarketFileError("no capture was given")
        self.line_count = 0
        self._seen: dict[str, _Seen] = {}
        self._decode = msgspec.json.Decoder(_Line, strict=False).decode
        starts = [(self._read(Path(path)), index, Path(path)) for index, path in enumerate(paths)]
        self.paths = [path for _, _, path in sorted(starts)]
        if not self._seen:
            names = ", ".join(path.name for path in self.paths)
            raise MarketFileError(f"{names}: no frame of a binance stream in it")

    @property
    def market(self) -> Market:
        """USD-M is told by the `pu` of its depth messages."""
        return USDM if any(seen.is_usdm for seen in self._seen.values()) else SPOT

    def instruments(self, steps: Mapping[str, tuple[Decimal, Decimal]]) -> tuple[Instrument, ...]:
        """In the order in which they first appear; `steps` overrides tick and lot by symbol."""
        market = self.market
        return tuple(
            _instrument(symbol, market, steps.get(symbol) or (_step(seen.price_decimals), _step(seen.size_decimals)))
            for symbol, seen in self._seen.items()
        )

    def _read(self, path: Path) -> int:
        first_ns = 0
        for line in CaptureReader(path):
            self.line_count += 1
            first_ns = first_ns or line.received_ns
            if line.problem:
                continue  # the second pass reports it
            try:
                self._note(self._decode(line.text))
            except (msgspec.MsgspecError, ValueError, RecursionError):
                continue
        return first_ns

    def _note(self, line: _Line) -> None:
        if line.data is None or not line.stream:
            if len(self._seen) == 1:
                _note_levels(next(iter(self._seen.values())), line.bids, line.asks)
            return
        data = line.data
        if not data.s or data.s.lower() != line.stream.partition("@")[0]:
            return
        seen = self._seen.setdefault(data.s, _Seen())
        seen.is_usdm = seen.is_usdm or data.pu is not None
        if data.p is not None and data.q is not None:
            seen.level(data.p, data.q)
        elif isinstance(data.b, str) and isinstance(data.a, str) and data.B is not None and data.A is not None:
            seen.level(data.b, data.B)
            seen.level(data.a, data.A)
        elif isinstance(data.b, list) and isinstance(data.a, list):
            _note_levels(seen, data.b, data.a)


def _note_levels(seen: _Seen, *sides: Texts) -> None:
    for levels in sides:
        for price, size in levels:
            seen.level(price, size)


def _step(decimals: int) -> Decimal:
    return Decimal(1).scaleb(-min(decimals, 8))


def _instrument(symbol: str, market: Market, steps: tuple[Decimal, Decimal]) -> Instrument:
    quote = next((quote for quote in QUOTES if symbol.endswith(quote) and symbol != quote), "")
    return Instrument(
        venue="binance",
        symbol=symbol,
        base=symbol.removesuffix(quote) if quote else symbol,
        quote=quote,
        price_tick=steps[0],
        size_lot=steps[1],
        maker_fee_bps=market.maker_fee_bps,
        taker_fee_bps=market.taker_fee_bps,
        kind=market.kind,
    )
