"""What is asked of OKX: subscriptions, as many as fit in one request, because requests are counted by the hour."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

REQUEST_HEAD = b'{"op":'
ARGS_A_MESSAGE = 100
Arg = dict[str, str]


def requests_of(op: str, args: Sequence[Arg]) -> list[bytes]:
    parts = [args[start : start + ARGS_A_MESSAGE] for start in range(0, len(args), ARGS_A_MESSAGE)]
    return [msgspec.json.encode({"op": op, "args": part}) for part in parts]


def merged(outgoing: list[bytes]) -> list[bytes]:
    """All that is given up in one request, all that is asked for in the next."""
    others = [message for message in outgoing if not message.startswith(REQUEST_HEAD)]
    args: dict[str, list[Arg]] = {"unsubscribe": [], "subscribe": []}
    for message in outgoing if len(others) < len(outgoing) else ():
        if message.startswith(REQUEST_HEAD):
            request = msgspec.json.decode(message)
            args[request["op"]] += request["args"]
    return others + [request for op, each in args.items() for request in requests_of(op, each)]
