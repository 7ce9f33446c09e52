"""Exact accounts: what every fill did to money, with no float anywhere and no clock of its own."""

from streamtrader.ledger.ledger import Fill, Ledger, Position

__all__ = ["Fill", "Ledger", "Position"]
