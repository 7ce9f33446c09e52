"""What a warm session gives back, it can do without, and takes again when it must."""

from __future__ import annotations

import gc
import sys

import numpy as np
import pytest

from streamtrader.kernel.compiler import compiled
from streamtrader.runtime.residence import release_compiler, resident_mib, settled_objects


def twice(value: float) -> float:
    return value * 2.0


def thrice(value: float) -> float:
    return value * 3.0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what is mapped")
def test_the_compiler_can_be_let_go_and_comes_back_when_it_is_needed():
    assert compiled(twice)(2.0) == 4.0
    before_mib = resident_mib()

    released = release_compiler()

    assert released > 10 << 20
    assert resident_mib() < before_mib - 5
    assert compiled(thrice)(2.0) == 6.0


def test_where_nobody_tells_what_is_mapped_nothing_is_done(monkeypatch, tmp_path):
    monkeypatch.setattr("streamtrader.runtime.residence.MAPS", tmp_path / "none")

    assert release_compiler() == 0


def test_only_code_is_let_go_never_pages_that_differ_from_their_file(monkeypatch, tmp_path):
    maps = tmp_path / "maps"
    page = np.frombuffer(b"x" * 4096, np.uint8)
    maps.write_text(f"{page.ctypes.data:x}-{page.ctypes.data + 4096:x} r--p 0 00:00 1 /lib/libllvmlite.so\n")
    monkeypatch.setattr("streamtrader.runtime.residence.MAPS", maps)

    assert release_compiler() == 0
    assert bytes(page) == b"x" * 4096


def test_collections_of_a_session_are_short_and_those_before_and_after_as_they_were():
    before, kept = gc.get_threshold(), [[] for _ in range(1_000)]
    with settled_objects():
        assert gc.get_freeze_count() > len(kept)
        assert gc.get_threshold()[0] <= 1_000
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)
