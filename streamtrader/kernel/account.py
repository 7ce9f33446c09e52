"""Whose money it is: what several seats have in common."""

from __future__ import annotations

from streamtrader.kernel.record import Record


class Account(Record):
    """The seats of one owner at one venue."""

    def __init__(self, deposit: float = 0.0) -> None:
        self.deposit = float(deposit)  # beside what the seats began with
