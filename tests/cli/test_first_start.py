"""What a first start leaves behind for all others."""

from __future__ import annotations

import pytest

from tests.cli.commands import paper_arguments, streamtrader


@pytest.mark.slow
def test_after_a_first_start_nothing_is_compiled_again(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMTRADER_CACHE", str(tmp_path / "kernels"))

    def kernels():
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "kernels").rglob("*.nbc")}

    streamtrader("warmup", cwd=tmp_path)
    compiled = kernels()
    streamtrader(*paper_arguments("synthetic", "--set", f"run.root={tmp_path}", "--max-events", "100"), cwd=tmp_path)

    assert compiled, "else nothing is proved"
    assert kernels() == compiled
