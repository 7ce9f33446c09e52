"""docs/tape.md tells the truth."""

import re
from pathlib import Path

import numpy as np

from streamtrader.events import EVENT
from streamtrader.storage import tape_layout
from streamtrader.storage.tape import TapeWriter

PAGE = (Path(__file__).parents[2] / "docs" / "tape.md").read_text()


def test_the_reader_in_the_document_reads_a_tape(tmp_path: Path) -> None:
    events = np.zeros(100, EVENT)
    events["kind"], events["a"], events["flags"] = 1, np.arange(100) / 3, 2
    with TapeWriter.create(tmp_path / "x.tape", [], {"note": "snippet"}) as writer:
        writer.append(events[:30])
        writer.append(events[30:])
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    names: dict[str, object] = {"path": tmp_path / "x.tape"}

    exec(found.group(1), names)

    assert isinstance(names["events"], np.ndarray)
    assert names["events"].tobytes() == events.tobytes()


def test_the_offsets_in_the_document_are_those_of_the_layout() -> None:
    for name, _, offset in tape_layout.event_layout():
        row = next(line for line in PAGE.splitlines() if f"`{name}`" in line and line.startswith("| "))
        assert str(offset) in row.split("|")[1]
    assert " ".join(f"{byte:02X}" for byte in tape_layout.MAGIC) in PAGE
    assert " ".join(f"{byte:02X}" for byte in tape_layout.BLOCK_MAGIC.to_bytes(8, "little")) in PAGE
    assert f"schema version, now {tape_layout.SCHEMA}" in PAGE
