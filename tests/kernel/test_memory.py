"""Memory that is used page by page: the bytes are those of an ordinary copy, and zeros take none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.kernel import memory
from streamtrader.kernel.memory import LARGE_BYTES, PAGE_BYTES
from streamtrader.runtime.residence import resident_mib

SIZES = st.one_of(st.integers(0, 40), st.integers(0, 5 * PAGE_BYTES), st.sampled_from([PAGE_BYTES, 3 * PAGE_BYTES]))
TOUCHED = st.lists(st.tuples(st.integers(0, 5 * PAGE_BYTES), st.integers(0, 255)), max_size=6)


def filled(size, touched):
    data = np.zeros(size, np.uint8)
    for at, value in touched:
        if at < size:
            data[at] = value
    return data


@given(SIZES, TOUCHED, TOUCHED)
def test_what_is_written_over_another_array_is_what_was_given(size, touched, before):
    source, target = filled(size, touched), filled(size, before)

    memory.put(target, source)

    assert target.tobytes() == source.tobytes()
    assert memory.copied(source).tobytes() == source.tobytes()


@pytest.mark.parametrize("count", [0, 3, LARGE_BYTES // 24 + 5])
def test_new_memory_is_zeros_that_can_be_written(count):
    layout = np.dtype([("at", np.int64), ("price", np.float64), ("is_open", np.bool_)], align=True)

    made = memory.zeros(count, layout)

    assert (made.dtype, made.shape, made.flags.writeable, any(made.tobytes())) == (layout, (count,), True, False)
    made["price"] = 1.5
    assert made["price"].sum() == 1.5 * count


def test_what_nobody_wrote_takes_no_memory_and_neither_does_its_copy():
    before = resident_mib()
    made = memory.zeros(400, np.dtype([("all", np.uint8, 1 << 20)]))
    made["all"][:, 0] = 1

    copy = memory.copied(made)

    assert copy["all"][:, 0].all()
    assert resident_mib() - before < 100
