"""What every indicator is: a record with one verb, `update`, one answer, `value`, and a flag that says when to believe it.

Live and replay feed one observation at a time; there is no batch form that could differ. An input that is not a
finite number is passed over: the indicator stays as it was, so that an empty side of a book cannot poison an average
for ever. Methods never allocate, so windows are arrays whose capacity `__init__` fixes.
"""

from __future__ import annotations

import math

from streamtrader.errors import ConfigError
from streamtrader.kernel.record import Record


class Indicator(Record):
    """The base: `value` before `ready` is the best guess so far (an average of what there is, or the neutral value).

    A subclass defines `update(...) -> float`; what it takes depends on what it measures (a price, a candle's range,
    the best quotes). `ready` becomes true with the first update whose value has its full history behind it.
    """

    value: float
    ready: bool

    def __init__(self) -> None:
        self.value = 0.0
        self.ready = False


def whole_number(name: str, given: int, *, least: int = 1) -> int:
    """A count of updates as a setting: refuse what would divide by nothing."""
    if isinstance(given, bool) or int(given) != given or given < least:
        raise ConfigError(f"{name} must be a whole number of at least {least}, not {given}")
    return int(given)


def above_zero(name: str, given: float) -> float:
    """A quantity as a setting: refuse what is no finite number above zero."""
    if not 0.0 < given < math.inf:
        raise ConfigError(f"{name} must be above zero, not {given}")
    return float(given)
