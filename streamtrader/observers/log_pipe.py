"""From the loop to the places where lines go, without ever waiting: a bounded buffer and a thread that empties it.

A terminal that is not read, a full disk or a slow network file system hold up this thread and nothing else. When the
buffer is full a line is dropped and counted, and the next line that goes through is preceded by one that says so.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import orjson

Line = dict[str, Any]
CAPACITY = 8_192
EARLY_LINES = 512
CLOSE_WITHIN_S = 2.0


class LogPipe:
    """Takes cleaned lines with `put`; `render` makes the text for `stream`, the run's file gets JSON."""

    def __init__(self, stream: TextIO | None, render: Callable[[Line], str], capacity: int = CAPACITY) -> None:
        self.dropped_count = 0
        self.failed_count = 0
        self._stream = stream
        self._render = render
        self._show: Callable[[Line, str], None] | None = None
        self._file: Any = None
        self._early: deque[Line] = deque(maxlen=EARLY_LINES)
        self._is_early = True
        self._reported = 0
        self._lines: queue.Queue[Line | Callable[[], None] | None] = queue.Queue(capacity)
        self._thread = threading.Thread(target=self._write_lines, name="streamtrader-log", daemon=True)
        self._thread.start()

    def put(self, line: Line) -> None:
        """Never waits. Full means dropped and counted."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped_count += 1

    def open_file(self, path: Path) -> None:
        """From here on every line also goes to the run's file, those from before the run had one first."""
        file = path.open("ab", buffering=0)
        self._lines.put(lambda: self._start_file(file), timeout=CLOSE_WITHIN_S)

    def divert(self, show: Callable[[Line, str], None] | None) -> None:
        """Hand lines, and their text, to a live screen instead of tearing through it; None gives them back."""
        self._show = show

    def flush(self, within_s: float = CLOSE_WITHIN_S) -> bool:
        """Wait until what was put so far is written; False when that takes too long."""
        done = threading.Event()
        try:
            self._lines.put(done.set, timeout=within_s)
        except queue.Full:
            return False
        return done.wait(within_s)

    def close(self, within_s: float = CLOSE_WITHIN_S) -> None:
        """Write what is left, as far as that goes quickly, and stop."""
        try:
            self._lines.put(None, timeout=within_s)
        except queue.Full:
            return  # whoever reads our stream stands still; the thread ends with the process
        self._thread.join(within_s)

    def _write_lines(self) -> None:
        while (item := self._lines.get()) is not None:
            if callable(item):
                item()
                continue
            if self.dropped_count > self._reported:
                self._report_dropped(item)
            self._write(item)
        if self._file is not None:
            self._file.close()

    def _report_dropped(self, line: Line) -> None:
        dropped = self.dropped_count - self._reported
        self._reported += dropped
        names = {name: value for name, value in line.items() if name in ("run_id", "session", "timestamp")}
        self._write(names | {"event": "log lines dropped", "level": "warning", "count": dropped})

    def _write(self, line: Line) -> None:
        try:
            if self._file is not None:
                self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            elif self._is_early:
                self._early.append(line)
        except OSError:
            self.failed_count += 1  # a full disk; the terminal may still work
        try:
            if self._show is not None:
                self._show(line, self._render(line))
            elif self._stream is not None:
                self._stream.write(self._render(line) + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            self.failed_count += 1  # a closed terminal; the file still works

    def _start_file(self, file: Any) -> None:
        self._file, self._is_early = file, False
        stream, show, self._stream, self._show = self._stream, self._show, None, None
        for line in self._early:
            self._write(line)
        self._early.clear()
        self._stream, self._show = stream, show
