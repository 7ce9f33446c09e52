"""The two bases that users extend.

A `Strategy` is a record: its `__init__` assigns numbers, NumPy arrays and indicators, its handlers are compiled and
run inside the loop, live and in replay. A `PythonStrategy` is any Python object: it may use pandas, a model, a
dictionary; the loop stops for it at the events that it has handlers for, and what it asks for goes through the same
broker, the same rules and the same tape.
"""

from __future__ import annotations

from streamtrader.events import Candle, Event, Fill, Level, Link, OrderReport, Quote, Trade
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.record import Record
from streamtrader.kernel.table import on_event_of


class Strategy(Record):
    """Compiled. Handlers that a strategy does not define do nothing and cost nothing."""

    def on_trade(self, trade: Trade, broker: Broker) -> None:
        """A trade of the market."""

    def on_quote(self, quote: Quote, broker: Broker) -> None:
        """The venue's own best bid and offer changed."""

    def on_book(self, level: Level, broker: Broker) -> None:
        """The last row of a message about the book: `broker` sees the book after all of it."""

    def on_candle(self, candle: Candle, broker: Broker) -> None:
        """A candle has closed."""

    def on_fill(self, fill: Fill, broker: Broker) -> None:
        """An own order was filled, in part or whole."""

    def on_order(self, order: OrderReport, broker: Broker) -> None:
        """An own order was accepted, rejected or cancelled."""

    def on_timer(self, event: Event, broker: Broker) -> None:
        """A second has passed; comes while the market is silent, too."""

    def on_link(self, link: Link, broker: Broker) -> None:
        """The state of the book changed."""

    def on_event(self, event: Event, broker: Broker) -> None:
        """Hand the event to its handler; each subclass gets its own, with the handlers that it has."""

    def __init_subclass__(cls) -> None:
        if "on_event" not in vars(cls):
            cls.on_event = on_event_of(cls, Strategy)  # type: ignore[assignment, method-assign]


class PythonStrategy:
    """Plain Python, woken only for the events that it has handlers for.

    Its state is its own business: after a crash it is rebuilt by playing the tape from the beginning, so handlers
    must depend on nothing but what they are given.
    """

    on_trade = Strategy.on_trade
    on_quote = Strategy.on_quote
    on_book = Strategy.on_book
    on_candle = Strategy.on_candle
    on_fill = Strategy.on_fill
    on_order = Strategy.on_order
    on_timer = Strategy.on_timer
    on_link = Strategy.on_link

    def on_event(self, event: Event, broker: Broker) -> None:
        """Hand the event to its handler."""

    def __init_subclass__(cls) -> None:
        if "on_event" not in vars(cls):
            cls.on_event = on_event_of(cls, PythonStrategy)  # type: ignore[assignment, method-assign]


BASES = (Strategy, PythonStrategy)
