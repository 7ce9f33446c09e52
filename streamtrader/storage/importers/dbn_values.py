"""Values of Databento's records: prices in billionths, two clocks, aggressors."""

from __future__ import annotations

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import BUY, SELL
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.dbn_records import PRICE_SCALE, UNDEFINED_PRICE, Records
from streamtrader.storage.importers.digits import Floats, Integers
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.rows import Events


def times_of(own: Records) -> tuple[Integers, Integers]:
    """The venue's clock and the receiver's."""
    return own["ts_event"].astype(np.int64), own["ts_recv"].astype(np.int64)


def prices_of(found: Found, raw: Integers, name: str) -> Floats:
    """Billionths as prices, exactly; those that cannot be are refused."""
    is_bad = (raw <= 0) | (raw == UNDEFINED_PRICE)  # all others are below 1e10: so many billionths fit the field
    if is_bad.any():
        shown = "none" if raw[is_bad][0] == UNDEFINED_PRICE else f"{raw[is_bad][0] / PRICE_SCALE:g}"
        raise MarketFileError(f"{name}: a price of {shown}; a price is above 0.")
    places = 9
    while places and not np.any(raw % 10 ** (10 - places)):
        places -= 1
    found.note_prices(places, float(raw.max(initial=0)) / PRICE_SCALE)
    whole: Integers = raw // 10 ** (9 - places)
    return np.true_divide(whole, 10.0**places, dtype=np.float64)


def trades_of(found: Found, own: Records, price: Floats, intake: Intake) -> Events:
    """The side is the aggressor's: B bought, A sold, N is not told."""
    side = np.select([own["side"] == b"B", own["side"] == b"A"], [BUY, SELL], 2)
    is_unknown = side == 2
    if is_unknown.any():
        intake.notes["aggressor"] = "tick rule where unknown"
    inferred = found.tick_rule(price) if len(price) else side
    side = np.where(is_unknown, inferred, side)
    ids = found.next_ids(len(own))
    return rows.trades(found, times_of(own), price, own["size"].astype(np.float64), side=side, trade_id=ids)
