"""Starts the benchmark's server in a process of its own, on another core than the client's where there is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from streamtrader.processes import command_of, environment


@contextmanager
def serving(cpu: int = 1) -> Iterator[int]:
    """A server for as long as the block lasts; its port.

    It is bound to `cpu` whatever this process is bound to: client and server on one core would wake each other for
    less than two cores do, and share it in a flood.
    """
    command = command_of("streamtrader.bench.server")
    taskset = shutil.which("taskset")
    if taskset is not None and (os.cpu_count() or 1) > cpu:
        command = [taskset, "-c", str(cpu), *command]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["port"]
        server.stdin.close()
