"""Instruments of a tape that make no sense: the tape is refused, and the mistake named."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from streamtrader.errors import LayoutChanged
from streamtrader.storage import tape_layout
from streamtrader.storage.tape import Tape

from .taping import BTCUSDT


@dataclass(frozen=True)
class Told:
    """An instrument as another hand has written it down."""

    values: object

    def as_dict(self) -> object:
        return self.values


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({"minimum_size": "2", "maximum_size": "1"}, "minimum_size of 2 is above maximum_size of 1"),
        ({"maximum_size": "-1"}, "maximum_size must not be negative"),
        ({"largest": "1"}, "largest is unknown; known are minimum_size"),
        ({"maximum_size": "many"}, "maximum_size"),
        ({"maximum_orders": "NaN"}, "maximum_orders"),
    ],
    ids=["nothing passes", "negative", "unknown", "no number", "no count"],
)
def test_a_tape_whose_filters_make_no_sense_is_refused_by_name(
    tmp_path: Path, filters: dict[str, object], says: str
) -> None:
    path = tmp_path / "x.tape"
    told = Told(BTCUSDT.as_dict() | {"filters": filters})
    path.write_bytes(tape_layout.pack_header([told], {}))  # type: ignore[list-item]

    with pytest.raises(LayoutChanged, match=rf"x\.tape: .*{says}.* Import the source again"):
        Tape.open(path)


def test_a_tape_whose_instruments_are_no_instruments_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tape"
    path.write_bytes(tape_layout.pack_header([Told(["BTCUSDT"])], {}))  # type: ignore[list-item]

    with pytest.raises(LayoutChanged, match=r"x\.tape: its instruments cannot be understood"):
        Tape.open(path)
