"""The life of an order: the table in the module's docstring, every state against every step."""

from __future__ import annotations

import pytest

from streamtrader.kernel.orders import Blotter, Order, OrderState, Step
from streamtrader.kernel.record import boxed

S, T = OrderState, Step
# What the venue or the engine may say in each state, and what comes of it; all else is illegal.
ALLOWED = {
    (S.INTENT, T.PASS): S.SENT,
    (S.INTENT, T.REFUSE): S.REFUSED,
    (S.INTENT, T.ARM): S.ARMED,
    (S.ARMED, T.PASS): S.SENT,
    (S.ARMED, T.REFUSE): S.REFUSED,
    (S.ARMED, T.AMEND): S.ARMED,
    (S.ARMED, T.ASK_CANCEL): S.CANCELLING,
    (S.ARMED, T.CANCEL): S.CANCELLED,
    (S.SENT, T.ACCEPT): S.ACCEPTED,
    (S.SENT, T.REJECT): S.REJECTED,
    (S.SENT, T.FILL_PART): S.ACCEPTED,
    (S.SENT, T.FILL_REST): S.FILLED,
    (S.SENT, T.ASK_CANCEL): S.CANCELLING,
    (S.SENT, T.CANCEL): S.CANCELLED,
    (S.SENT, T.AMEND): S.SENT,
    (S.SENT, T.RESEND): S.SENT,
    (S.ACCEPTED, T.ACCEPT): S.ACCEPTED,
    (S.ACCEPTED, T.FILL_PART): S.ACCEPTED,
    (S.ACCEPTED, T.FILL_REST): S.FILLED,
    (S.ACCEPTED, T.ASK_CANCEL): S.CANCELLING,
    (S.ACCEPTED, T.CANCEL): S.CANCELLED,
    (S.ACCEPTED, T.AMEND): S.ACCEPTED,
    (S.ACCEPTED, T.RESEND): S.SENT,
    (S.CANCELLING, T.ACCEPT): S.CANCELLING,
    (S.CANCELLING, T.REJECT): S.REJECTED,
    (S.CANCELLING, T.FILL_PART): S.CANCELLING,
    (S.CANCELLING, T.FILL_REST): S.FILLED,
    (S.CANCELLING, T.CANCEL): S.CANCELLED,
    (S.CANCELLING, T.AMEND): S.CANCELLING,
    (S.CANCELLING, T.RESEND): S.SENT,
}


def blotter_with(*states):
    blotter = boxed(Blotter())[0]
    for at, state in enumerate(states):
        blotter.orders[at].id = at + 1
        blotter.orders[at].state = state
    blotter.count = len(states)
    return blotter


@pytest.mark.parametrize("step", Step, ids=lambda step: step.name)
@pytest.mark.parametrize("state", OrderState, ids=lambda state: state.name)
def test_each_step_does_what_the_table_says_or_nothing_at_all(state, step):
    blotter = blotter_with(state)
    before = blotter.orders.tobytes()

    is_taken = blotter.step(blotter.orders[0], step)

    assert is_taken == ((state, step) in ALLOWED)
    assert blotter.illegal_count == (0 if is_taken else 1)
    assert blotter.orders[0].state == ALLOWED.get((state, step), state)
    if not is_taken:
        assert blotter.orders.tobytes() == before


@pytest.mark.parametrize("state", [S.FILLED, S.CANCELLED, S.REJECTED, S.REFUSED])
def test_nothing_follows_an_end(state):
    assert not any((state, step) in ALLOWED for step in Step)


def test_open_orders_stay_in_the_order_in_which_they_were_asked_for():
    blotter = blotter_with(S.SENT, S.ACCEPTED, S.SENT, S.CANCELLING)

    blotter.remove(1)

    assert [int(blotter.orders[at].id) for at in range(blotter.count)] == [1, 3, 4]
    assert (blotter.find(4), blotter.find(2)) == (2, -1)


@pytest.mark.parametrize("state", OrderState, ids=lambda state: state.name)
def test_an_order_is_done_when_nothing_may_follow(state):
    order = boxed(Order())[0]
    order.state, order.lots, order.filled_lots = state, 100, 30

    assert order.open_lots() == 70
    assert order.is_done() == (state in (S.FILLED, S.CANCELLED, S.REJECTED, S.REFUSED))
