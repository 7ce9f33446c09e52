"""Several streams in the order of their clocks as one, without taking a message apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from streamtrader.storage.importers.rows import Events


def merged(streams: Sequence[Iterator[Events]]) -> Iterator[Events]:
    """Each stream's `received_ns` never runs backwards, and each of its arrays ends with a whole message.

    All rows of a message have one time. Of rows at one time those of the earlier stream come first.
    """
    if len(streams) == 1:
        yield from (events for events in streams[0] if len(events))
        return
    # Whole moments, so that the order at one time does not depend on where the pieces of a file end.
    whole = [whole_moments(stream) for stream in streams]
    heads = [(head, stream) for stream in whole if (head := _next_rows(stream)) is not None]
    while heads:
        limit_ns = min(int(head["received_ns"][-1]) for head, _ in heads)
        parts, rest = [], []
        for head, stream in heads:
            stop = int(np.searchsorted(head["received_ns"], limit_ns, side="right"))
            parts.append(head[:stop])
            following = head[stop:] if stop < len(head) else _next_rows(stream)
            if following is not None:
                rest.append((following, stream))
        heads = rest
        yield in_order(parts)


def whole_moments(parts: Iterable[Events]) -> Iterator[Events]:
    """The same rows, cut so that rows of one time are never apart. They must be in order."""
    held: Events | None = None
    for events in parts:
        if not len(events):
            continue
        joined = events if held is None else np.concatenate((held, events))
        received_ns = joined["received_ns"]
        cut = int(np.searchsorted(received_ns, received_ns[-1]))
        if cut:
            yield joined[:cut]
        held = joined[cut:]
    if held is not None:
        yield held


def in_order(parts: Sequence[Events]) -> Events:
    """Rows of several streams by time; of those at one time the earlier part's first."""
    events = np.concatenate(parts) if len(parts) > 1 else parts[0]
    received_ns = events["received_ns"]
    if np.all(received_ns[1:] >= received_ns[:-1]):
        return events
    return events[np.argsort(received_ns, kind="stable")]


def _next_rows(stream: Iterator[Events]) -> Events | None:
    return next((events for events in stream if len(events)), None)
