"""Back-off and budgets, told the time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamtrader.venues.pacing import Backoff, Budget, retry_after_s


@given(st.integers(0, 2**32), st.integers(1, 2_000))
def test_waits_grow_to_their_ceiling_and_never_beyond(seed, attempts):
    backoff = Backoff(0.25, 60.0, seed)

    waits = [backoff.next_s() for _ in range(attempts)]

    assert all(0.0 <= wait <= min(60.0, 0.25 * 2.0 ** min(number, 30)) for number, wait in enumerate(waits))


def test_a_success_forgives_and_a_request_to_wait_is_added():
    backoff = Backoff(0.25, 60.0, seed=1)
    for _ in range(10):
        backoff.next_s()

    backoff.reset()

    assert backoff.next_s() <= 0.25
    assert backoff.next_s(least_s=30.0) >= 30.0


@given(st.lists(st.floats(0.0, 5.0), max_size=200), st.integers(1, 20))
def test_no_window_ever_holds_more_than_its_budget(pauses, limit):
    budget, now_s, spent = Budget(limit, 10.0), 0.0, []

    for pause in pauses:
        now_s += pause
        now_s += budget.wait_s(now_s, 1.0) + 1e-9
        if budget.wait_s(now_s, 1.0) == 0.0:
            budget.spend(now_s, 1.0)
            spent.append(now_s)

    for at in spent:
        assert sum(1 for other in spent if at - 10.0 < other <= at) <= limit


def test_more_than_the_whole_budget_waits_until_all_of_it_is_free():
    budget = Budget(10.0, 60.0)
    budget.spend(0.0, 5.0)

    assert budget.wait_s(1.0, 50.0) == 59.0
    assert budget.wait_s(60.0, 50.0) == 0.0


def test_retry_after_is_believed_within_reason():
    assert retry_after_s("7", 1.0, 100.0) == 7.0
    assert retry_after_s("99999", 1.0, 100.0) == 100.0
    for nonsense in (None, "", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "1e9", "9" * 400):
        assert retry_after_s(nonsense, 3.0, 100.0) == 3.0
