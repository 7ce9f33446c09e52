"""The exact ledgers of a run, one a seat: fed with the rows of fills and charges, they give the rows of what is stored.

The same functions feed them in a session, after a restart and in `streamtrader ledger`, so that what is rebuilt from
the database is what the session knew. A row's key is its place in the outbox: none is booked twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from streamtrader.instruments import Instrument
from streamtrader.ledger import Charge, Fill, Ledger, Method, Pair
from streamtrader.ledger.entries import CASH, FEES
from streamtrader.ledger.facts import BORROW, FUNDING, INTEREST, LIQUIDATION, OPENING
from streamtrader.ledger.money import total
from streamtrader.storage.rows import Row, SeatTerms
from streamtrader.storage.schema import COLUMNS
from streamtrader.units import decimal_text

MONEY_TABLES = ("fills", "charges")
Values = Mapping[str, Any]


def pair_of(instrument: Instrument) -> Pair:
    return Pair(instrument.symbol, instrument.base, instrument.quote)


def fact_of(table: str, row: Values, pair: Pair) -> Fill | Charge:
    """A row of `fills` or `charges` as what happened."""
    if table == "charges":
        return Charge(row["sequence"], row["at_ns"], row["kind"], Decimal(row["amount"]), row["asset"])
    texts = (row["side"], row["price"], row["size"], row["fee"], row["fee_asset"])
    return Fill.of(row["sequence"], row["at_ns"], pair, *texts)


def money_of(ledger: Ledger) -> dict[str, Decimal]:
    """What a row of `positions` tells in quote currency: `fees` with those of margin, `interest` with borrow fees."""
    return {
        "realized": ledger.realized,
        "fees": total(ledger.balance(account) for account in (FEES, OPENING, LIQUIDATION)),
        "cash": ledger.balance(CASH),
        "funding": ledger.balance(FUNDING),
        "interest": total(ledger.balance(account) for account in (INTEREST, BORROW)),
    }


class SeatLedgers:
    """The database keeps those at average cost."""

    def __init__(
        self, instruments: Sequence[Instrument], seats: Sequence[SeatTerms], method: Method = Method.AVERAGE
    ) -> None:
        self.method = method
        self.instruments = [instruments[seat.instrument] for seat in seats]  # by seat
        self.pairs = [pair_of(instrument) for instrument in self.instruments]
        self.ledgers = [
            Ledger(seat.cash, pair.quote, method=method) for seat, pair in zip(seats, self.pairs, strict=True)
        ]
        self._changed = set(range(len(seats)))  # nothing of them is stored yet

    def book(self, table: str, row: Values) -> None:
        """Book one row of `fills` or `charges`."""
        seat = row["seat"]
        if self.ledgers[seat].apply(fact_of(table, row, self.pairs[seat])) is not None:
            self._changed.add(seat)

    def book_rows(self, rows: Iterable[Row]) -> None:
        """Book those of the rows that move money."""
        for table, values in rows:
            if table in MONEY_TABLES:
                self.book(table, dict(zip(COLUMNS[table], values, strict=True)))

    def rows(self, now_ns: int, last_sequence: int) -> list[Row]:
        """The newest state of the seats that moved since the last call."""
        rows: list[Row] = []
        for seat in sorted(self._changed):
            rows.append(("positions", self._position_row(seat, now_ns, last_sequence)))
            rows += (
                ("balances", (seat, account, currency, decimal_text(amount), last_sequence))
                for account, currency, amount in self.ledgers[seat].balances()
            )
        self._changed.clear()
        return rows

    def _position_row(self, seat: int, now_ns: int, last_sequence: int) -> tuple[Any, ...]:
        instrument, ledger = self.instruments[seat], self.ledgers[seat]
        position = ledger.position(instrument.symbol)
        average = position.average_price
        values = {name: decimal_text(amount) for name, amount in money_of(ledger).items()} | {
            "seat": seat,
            "at_ns": now_ns,
            "size": decimal_text(position.size),
            "size_lots": int(position.size / instrument.size_lot),
            "average_price": None if average is None else decimal_text(average),
            "last_sequence": last_sequence,
        }
        return tuple(values[name] for name in COLUMNS["positions"])

    def as_json(self) -> list[dict[str, Any]]:
        """What a manifest says of the end: the accounts of each seat."""
        return [
            {
                "seat": seat,
                "balances": [
                    [account, currency, decimal_text(amount)] for account, currency, amount in sorted(ledger.balances())
                ],
            }
            for seat, ledger in enumerate(self.ledgers)
        ]
