"""What is compiled before anybody waits for it, and by whom."""

from __future__ import annotations

import itertools

import pytest

from streamtrader.kernel.calls import cache_root, is_kept, keep, source_key
from streamtrader.runtime.warmup import EVERYTHING, SHARES


@pytest.mark.parametrize("count", SHARES)
def test_every_part_has_one_process_that_compiles_it(count):
    shares = SHARES[count]
    assert len(shares) == count
    assert sorted(itertools.chain(*shares)) == sorted(EVERYTHING)


def test_a_start_that_was_broken_off_is_followed_by_another_first_start(tmp_path, monkeypatch):
    """Some kernels on disk are not all: a start that took them for all would compile the rest with one core."""
    monkeypatch.setenv("STREAMTRADER_CACHE", str(tmp_path / "kernels"))
    source = tmp_path / "loop.py"
    source.write_text("one = 1\n")
    assert not is_kept([source])
    folder = cache_root() / source_key([source])
    folder.mkdir(parents=True)
    (folder / "advance.nbi").touch()
    assert not is_kept([source])
    keep([source])
    assert is_kept([source])
    source.write_text("one = 2\n")
    assert not is_kept([source]), "other sources, other kernels"


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path, monkeypatch):
    place = tmp_path / "a file"
    place.touch()
    monkeypatch.setenv("STREAMTRADER_CACHE", str(place))
    source = tmp_path / "loop.py"
    source.touch()
    keep([source])
    assert not is_kept([source])
