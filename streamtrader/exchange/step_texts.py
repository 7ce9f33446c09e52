"""Whole numbers of ticks or lots as the decimal text that spot writes, eight decimals, exact."""

from __future__ import annotations

from streamtrader.exchange.rules import SPOT_PLACES

REMEMBERED = 1 << 17  # texts kept; the same few prices and sizes are written again and again


class StepTexts(dict[int, str]):
    """Texts by number of steps, each made once: formatting anew costs five times as much.

    >>> StepTexts(100)[9120410]
    '91204.10000000'
    """

    def __init__(self, per_unit: int) -> None:
        digits = len(str(per_unit)) - 1
        if not 0 < digits <= SPOT_PLACES or per_unit != 10**digits:
            raise ValueError(f"a step must be a negative power of ten, not 1/{per_unit}")
        self._per_unit = per_unit
        self._form = f"%d.%0{digits}d" + "0" * (SPOT_PLACES - digits)

    def __missing__(self, steps: int) -> str:
        if len(self) >= REMEMBERED:
            self.clear()
        text = self[steps] = self._form % (steps // self._per_unit, steps % self._per_unit)
        return text
