"""The real engine beside the twin: one seat, one event at a time, and what it says in the twin's words."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any, NamedTuple

from streamtrader.events import BUY
from streamtrader.instruments import Instrument
from streamtrader.kernel.outbox import Charge as ChargeCode
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.ledger import Charge, Fill, Ledger
from streamtrader.ledger.facts import BORROW, FUNDING, INTEREST, OPENING
from streamtrader.runtime.accounts import AccountTerms, InterestTerms
from streamtrader.runtime.assembly import Placement
from streamtrader.runtime.assembly import Terms as EngineTerms
from streamtrader.runtime.seat_ledgers import pair_of
from streamtrader.strategies import PythonStrategy
from streamtrader.units import decimal_price, decimal_size
from tests.kernel.play import Script, engine_of, play
from tests.twin.money import Loans
from tests.twin.seat import Amend, Anything, Ask, Bracket, Cancel, Hold, Pair
from tests.twin.venue import MAKER, STOP, TAKE_PROFIT, TAKER
from tests.twin.world import Row, Terms

WORDS = {
    OutboxKind.SENT: "sent", OutboxKind.ACCEPTED: "accepted", OutboxKind.FILLED: "filled", OutboxKind.REFUSED: "refused",
    OutboxKind.CANCELLED: "cancelled", OutboxKind.REJECTED: "rejected", OutboxKind.AMENDED: "amended",
    OutboxKind.ARMED: "armed", OutboxKind.TRIGGERED: "triggered",
}  # fmt: skip
CHARGES = {
    ChargeCode.FUNDING: FUNDING, ChargeCode.INTEREST: INTEREST, ChargeCode.BORROW: BORROW, ChargeCode.OPENING: OPENING,
}  # fmt: skip


class Told(PythonStrategy):
    """Asks for what it was told to: at the next event of the market, or at the next answer of the venue."""

    def __init__(self, terms: Terms) -> None:
        self.tick, self.lot = float(terms.tick), float(terms.lot)
        self.wishes: list[Anything] = []
        self.late_wishes: list[Anything] = []

    def on_trade(self, _event, broker):
        self.turn(self.wishes, broker)

    def on_book(self, _event, broker):
        self.turn(self.wishes, broker)

    def on_quote(self, _event, broker):
        self.turn(self.wishes, broker)

    def on_fill(self, _event, broker):
        self.turn(self.late_wishes, broker)

    def on_order(self, _event, broker):
        self.turn(self.late_wishes, broker)

    def turn(self, wishes, broker):
        for wish in wishes:
            match wish:
                case Ask():
                    self.ask(wish, broker)
                case Cancel():
                    broker.cancel(wish.order)
                case Amend():
                    broker.amend(wish.order, wish.lots * self.lot, wish.ticks * self.tick)
                case Hold():
                    broker.hold(wish.lots * self.lot)
                case Pair():
                    broker.link(self.ask(wish.first, broker), self.ask(wish.second, broker))
                case Bracket():
                    broker.protect(self.ask(wish.entry, broker), wish.stop * self.tick, wish.target * self.tick)
        wishes.clear()

    def ask(self, ask, broker):
        way = broker.buy if ask.side == BUY else broker.sell
        order = way(ask.lots * self.lot, ask.ticks * self.tick, post_only=ask.post_only, immediate=ask.immediate)
        if ask.all_or_none:
            broker.fill_or_kill(order)
        if ask.reduce_only:
            broker.reduce_only(order)
        if ask.display:
            broker.show_only(order, ask.display * self.lot)
        if ask.lasts_ns:
            broker.expire_at(order, broker.now_ns() + ask.lasts_ns)
        if ask.waits:
            kind, ticks, distance = ask.waits
            if kind == STOP:
                broker.stop_at(order, ticks * self.tick)
            elif kind == TAKE_PROFIT:
                broker.take_profit_at(order, ticks * self.tick)
            else:
                broker.trail_by(order, distance * self.tick)
        return order


class Heard(NamedTuple):
    """What one event made the engine say."""

    rows: list[Row]
    fees: list[float]
    charges: list[tuple[int, int, float]]


class Kernel:
    def __init__(
        self, terms: Terms, *, interpreted: bool, queue: int = 0, emulated: Collection[str] = ()
    ) -> None:
        kind = "spot" if terms.loans else "perpetual"
        steps = Decimal(repr(float(terms.tick))), Decimal(repr(float(terms.lot)))
        self.instrument = Instrument("test", "BTCUSDT", "BTC", "USDT", *steps, kind=kind)
        self.strategy = Told(terms)
        engine_terms = EngineTerms(
            float(terms.cash), terms.up_ns, terms.down_ns, maker_fee_bps=float(terms.maker_bps),
            taker_fee_bps=float(terms.taker_bps), self_trade=terms.self_trade, queue=queue, emulated=emulated,
            account=AccountTerms(leverage=100.0, max_mark_age_s=terms.mark_age_ns / 1e9, interest=interest(terms.loans)),
        )  # fmt: skip
        self.engine = engine_of(
            [Placement(self.strategy, 0)], engine_terms, instruments=(self.instrument,), interpreted=interpreted
        )
        self.ledger = Ledger(Decimal(int(terms.cash)))

    @property
    def seat(self) -> Any:
        return self.engine.state.seats[0]

    @property
    def market(self) -> Any:
        return self.engine.state.markets[0]

    def rows(self, script: Script) -> Any:
        """What the engine says of these events; its ledger has booked it."""
        rows = play(self.engine, script.events())
        for row in rows:
            self.book(OutboxKind(int(row["kind"])), row)
        return rows

    def play(self, script: Script) -> Heard:
        """The same in the twin's words."""
        heard = Heard([], [], [])
        for row in self.rows(script):
            kind, at_ns, code = OutboxKind(int(row["kind"])), int(row["at_ns"]), int(row["code"])
            if kind == OutboxKind.INTENT:
                continue
            if kind == OutboxKind.CHARGED:
                heard.charges.append((at_ns, code, float(row["fee"])))
            else:
                what = "not amended" if kind == OutboxKind.REFUSED and code in (0, 100) else WORDS[kind]
                code = (TAKER if code else MAKER) if kind == OutboxKind.FILLED else code
                heard.rows.append(Row(at_ns, what, int(row["order"]), int(row["ticks"]), int(row["lots"]), code))
            if kind == OutboxKind.FILLED:
                heard.fees.append(float(row["fee"]))
        return heard

    def book(self, kind: OutboxKind, row: Any) -> None:
        """The package's own ledger, from the rows alone."""
        key, at_ns, fee = int(row["sequence"]), int(row["at_ns"]), repr(float(row["fee"]))
        if kind == OutboxKind.FILLED:
            words = decimal_price(int(row["ticks"]), self.instrument), decimal_size(int(row["lots"]), self.instrument)
            side = "buy" if row["side"] == BUY else "sell"
            self.ledger.apply(Fill.of(key, at_ns, pair_of(self.instrument), side, *map(str, words), fee))
        elif kind == OutboxKind.CHARGED:
            self.ledger.apply(Charge(key, at_ns, CHARGES[ChargeCode(int(row["code"]))], Decimal(fee), "USDT"))


def interest(loans: Loans | None) -> InterestTerms | None:
    if loans is None:
        return None
    return InterestTerms(
        1, float(loans.money), float(loans.coins), opening_rate=float(loans.opening), is_first_at_once=loans.is_first_at_once
    )

