"""A class that is defined again, as notebooks do, is compiled again once its code differs."""

from __future__ import annotations

from streamtrader.kernel.compiler import Compiled
from streamtrader.kernel.record import Record


def counter(step: int) -> type[Record]:
    """The same names each time, with other code for the second."""
    if step == 1:

        class Counter(Record):
            def __init__(self) -> None:
                self.count = 0

            def add(self) -> int:
                self.count += 1
                return self.count

    else:

        class Counter(Record):  # type: ignore[no-redef]
            def __init__(self) -> None:
                self.count = 0

            def add(self) -> int:
                self.count += 100
                return self.count

    return Counter


def test_other_code_under_the_same_name_is_another_class_to_the_compiler():
    first, second = counter(1), counter(2)

    assert Compiled(first()).add() == 1
    assert Compiled(second()).add() == 100
    assert first().dtype != second().dtype


def test_the_same_code_defined_again_is_the_same_class_to_the_compiler():
    assert counter(1)().dtype == counter(1)().dtype
