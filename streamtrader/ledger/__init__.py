"""Exact accounts: what every fill and charge did to money, with no float anywhere and no clock of its own."""

from streamtrader.ledger.days import Day, Days
from streamtrader.ledger.entries import Entry, Posting
from streamtrader.ledger.facts import Charge, Deposit, Fill, Pair
from streamtrader.ledger.figures import Figures
from streamtrader.ledger.ledger import Ledger
from streamtrader.ledger.marks import Mark, Marks
from streamtrader.ledger.positions import Method, Position
from streamtrader.ledger.valuation import Valuation, value

__all__ = [
    "Charge",
    "Day",
    "Days",
    "Deposit",
    "Entry",
    "Figures",
    "Fill",
    "Ledger",
    "Mark",
    "Marks",
    "Method",
    "Pair",
    "Position",
    "Posting",
    "Valuation",
    "value",
]
