"""A websocket server on loopback that costs next to nothing: raw sockets, frames made before the first is sent.

The path of the request says what to send; a close frame follows.

    /flood/KIND/COUNT                  as fast as TCP takes them, 64 KiB a write, stamps a millisecond apart
    /paced/KIND/COUNT/PER_SECOND       one frame a write at a fixed rate, stamped just before it
    /burst/KIND/COUNT/SIZE/PERIOD_US   SIZE frames in one write every period, stamped with the time that it is due

KIND: trade, book, depth10, depth20 (levels a side), mixed50 (all of these, of 50 symbols). Any other request is answered with a depth snapshot just older than the
first depth frame, so that a book can be synchronised. It prints its port as JSON, is meant for one client at a time,
keeps its core busy while it waits for the next frame (a sleeping server would add its own wake-up to every latency),
and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import os
import socket
import sys
import threading
import time

import numpy as np

from streamtrader.bench.frames import STAMP_BASE_NS, heads, message, wire_head

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
REASON = b"market ended"
CLOSE = b"\x88" + bytes([2 + len(REASON)]) + (1000).to_bytes(2, "big") + REASON
SNAPSHOT = b'{"lastUpdateId":0,"bids":[["49999.00000000","1.00000000"]],"asks":[["50001.00000000","1.00000000"]]}'
WRITE_BYTES = 65_536
LEAD_NS = 1_000_000
STAMP_DIGITS = 19
TAIL_BYTES = STAMP_DIGITS + 1  # the stamp and the bracket behind it
FLOOD_STEP_NS = 1_000_000  # a flood is market data of the past: a millisecond between two frames
SETTLE_S = 0.5  # the client fetches its snapshot and settles down


def stamp_ns() -> int:
    return STAMP_BASE_NS + time.monotonic_ns()


def wait_until(due_ns: int) -> None:
    while time.monotonic_ns() < due_ns:
        pass


def request_of(client: socket.socket) -> list[bytes]:
    """The lines of the request."""
    request = b""
    while b"\r\n\r\n" not in request:
        received = client.recv(4096)
        if not received:
            raise ConnectionError("the client left before its request was whole")
        request += received
    return request.split(b"\r\n")


def shake_hands(client: socket.socket, key: bytes) -> None:
    accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def answer_snapshot(client: socket.socket) -> None:
    client.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        b"X-Market-Ns: %d\r\nContent-Length: %d\r\n\r\n%b" % (STAMP_BASE_NS - 1, len(SNAPSHOT), SNAPSHOT)
    )


def flood(client: socket.socket, frames: list[bytes]) -> None:
    messages = [message(head, STAMP_BASE_NS + index * FLOOD_STEP_NS) for index, head in enumerate(frames)]
    per_write = max(1, WRITE_BYTES // len(messages[0]))
    writes = [b"".join(messages[at : at + per_write]) for at in range(0, len(messages), per_write)]
    for write in writes:
        client.sendall(write)


def paced(client: socket.socket, frames: list[bytes], per_second: float) -> None:
    gap_ns = int(1e9 / per_second)
    due_ns = time.monotonic_ns() + LEAD_NS
    for head in frames:
        wait_until(due_ns)
        client.sendall(message(head, stamp_ns()))
        due_ns += gap_ns


def burst(client: socket.socket, frames: list[bytes], size: int, period_us: int) -> None:
    """Everything is made beforehand: what the server does after the stamp counts as the client's."""
    messages = [message(head, STAMP_BASE_NS) for head in frames]
    due_ns = time.monotonic_ns() + LEAD_NS
    for at in range(0, len(messages), size):
        part = messages[at : at + size]
        ends = np.cumsum([len(each) for each in part]) - TAIL_BYTES
        places = ends[:, None] + np.arange(STAMP_DIGITS)
        write = np.frombuffer(b"".join(part), np.uint8).copy()
        due_ns = max(due_ns, time.monotonic_ns() + LEAD_NS)
        write[places] = np.frombuffer(b"%d" % (STAMP_BASE_NS + due_ns), np.uint8)
        wait_until(due_ns)
        client.sendall(write.data)
        due_ns += period_us * 1000


def serve(client: socket.socket) -> None:
    lines = request_of(client)
    keys = [line.split(b":", 1)[1].strip() for line in lines if line.lower().startswith(b"sec-websocket-key")]
    if not keys:
        answer_snapshot(client)
        return
    mode, kind, count, *rest = lines[0].split(b" ")[1].decode().strip("/").split("/")
    frames = [wire_head(head) for head in heads(kind, int(count))]
    shake_hands(client, keys[0])
    time.sleep(SETTLE_S)
    match mode, rest:
        case "flood", []:
            flood(client, frames)
        case "paced", [per_second]:
            paced(client, frames, float(per_second))
        case "burst", [size, period_us]:
            burst(client, frames, int(size), int(period_us))
        case _:
            raise ValueError(f"no such mode: {mode}/{'/'.join(rest)}")
    client.sendall(CLOSE)
    client.settimeout(2)
    with contextlib.suppress(OSError):
        while client.recv(4096):
            pass


def serve_and_close(client: socket.socket) -> None:
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            serve(client)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{error}\n")


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=8)
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve_and_close, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
