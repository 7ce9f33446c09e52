"""The messages a client may send on a stream, answered as the venue answers them. Pure: text in, text out.

{"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}      -> {"result": null, "id": 1}
{"method": "LIST_SUBSCRIPTIONS", "id": 2}                          -> {"result": ["btcusdt@trade"], "id": 2}
"""

from __future__ import annotations

from typing import Any

import orjson

from streamtrader.exchange.audience import Listener

STREAMS_LIMIT = 1024
_UNKNOWN_PROPERTY, _BAD_VALUE, _BAD_REQUEST, _BAD_JSON = 0, 1, 2, 3
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class _Refused(Exception):
    """Raised and caught in this module only: carries the venue's code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def answer(listener: Listener, message: str | bytes) -> str:
    """Do what the message asks for and return the answer."""
    request_id: Any = None
    try:
        try:
            request = orjson.loads(message)
        except orjson.JSONDecodeError as error:
            raise _Refused(_BAD_JSON, f"Invalid JSON: {error}") from None
        if not isinstance(request, dict):
            raise _Refused(_BAD_REQUEST, "Invalid request: must be an object")
        request_id = _checked_id(request.get("id"))
        document = {"result": _obey(listener, request), "id": request_id}
    except _Refused as refused:
        document = {"error": {"code": refused.code, "msg": str(refused)}, "id": request_id}
    return orjson.dumps(document).decode()


def _checked_id(request_id: Any) -> Any:
    if request_id is None or type(request_id) is int or isinstance(request_id, str):
        return request_id
    raise _Refused(_BAD_REQUEST, "Invalid request: request ID must be an unsigned integer")


def _obey(listener: Listener, request: dict[str, Any]) -> Any:
    method = request.get("method")
    match method:
        case "SUBSCRIBE":
            streams = _streams(request)
            check_count(len(listener.streams | dict.fromkeys(streams)))
            listener.subscribe(streams)
        case "UNSUBSCRIBE":
            listener.unsubscribe(_streams(request))
        case "LIST_SUBSCRIPTIONS":
            return list(listener.streams)
        case "SET_PROPERTY" | "GET_PROPERTY":
            return _property(listener, method, request.get("params"))
        case None:
            raise _Refused(_BAD_REQUEST, "Invalid request: missing field `method`")
        case _:
            expected = ", ".join(f"`{name}`" for name in _METHODS)
            raise _Refused(_BAD_REQUEST, f"Invalid request: unknown variant `{method}`, expected one of {expected}")
    return None


def check_count(count: int) -> None:
    if count > STREAMS_LIMIT:
        raise _Refused(_BAD_REQUEST, "Invalid request: too many parameters")


def _streams(request: dict[str, Any]) -> list[str]:
    streams = request.get("params")
    if not isinstance(streams, list) or not streams:
        raise _Refused(_BAD_REQUEST, "Invalid request: params must be a list of stream names")
    for stream in streams:
        if not isinstance(stream, str) or "@" not in stream:
            raise _Refused(_BAD_REQUEST, "Invalid request: property name must be a string")
    return streams


def _property(listener: Listener, method: str, params: Any) -> bool | None:
    """`combined` is the only property there is: whether frames come wrapped with their stream's name."""
    if not isinstance(params, list) or params[:1] != ["combined"]:
        raise _Refused(_UNKNOWN_PROPERTY, "Unknown property")
    if method == "GET_PROPERTY":
        return listener.is_combined
    if len(params) != 2 or not isinstance(params[1], bool):
        raise _Refused(_BAD_VALUE, "Invalid value type: expected Boolean")
    listener.is_combined = params[1]
    return None
