"""Which trades of a stock may move its price, and which count as volume: the sale conditions of the consolidated tape.

The rule is Alpaca's own for minute bars ("How are bars aggregated?", docs.alpaca.markets/docs/market-data-faq), which
follows the processing guidelines of the CTS (tapes A and B), UTP (C) and TDDS (O) specifications; what differs for a
daily bar is left out. The strictest of a trade's conditions counts:

    condition                    tape     price  volume  what becomes of the trade
    ---------------------------  -------  -----  ------  ------------------------------------------------------
    blank @ A D E F K L O T X Y  all      moves  counts  TRADE with `c` 0: regular, sweeps, auctions, extended
    5 6, and B on tape C                                 hours
    C G H I N P R U V W Z 4 7    all      no     counts  TRADE with `c` 1: odd lots, average prices, prices of
    B                            A, B, O                 another moment or contract
    M Q 9                        all      no     no      none: an official price is told, nothing was traded

S, 1 and 8 are of older specifications and regular. A code that nobody here knows may not move the price: new ones
have always been exceptions.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamtrader.errors import BadMessage

REGULAR, VOLUME_ONLY, TOLD_ONLY = 0, 1, 2
CODES_MOST = 16  # a trade has four at most

_EFFECTS = dict.fromkeys(" @ADEFKLOSTXY1568", REGULAR) | dict.fromkeys("MQ9", TOLD_ONLY)
_EFFECTS |= dict.fromkeys("BCGHINPRUVWZ47", VOLUME_ONLY)
_EFFECTS_ON_C = _EFFECTS | {"B": REGULAR}  # a bunched trade there, an average price elsewhere


def effect_of(conditions: Sequence[str], tape: str) -> int:
    """REGULAR, VOLUME_ONLY or TOLD_ONLY: the strictest of the conditions.

    >>> effect_of(["@", "I"], "C"), effect_of([" ", "T"], "A"), effect_of(["@", "M"], "C")
    (1, 0, 2)
    """
    if len(conditions) > CODES_MOST:
        raise BadMessage(f"a trade with {len(conditions)} conditions")
    effects = _EFFECTS_ON_C if tape == "C" else _EFFECTS
    return max([effects.get(code, VOLUME_ONLY) for code in conditions], default=REGULAR)
