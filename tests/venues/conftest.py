"""Both websocket clients: what one does on the wire, the other does too."""

from __future__ import annotations

import pytest

from streamtrader.venues.clients import OPENERS


@pytest.fixture(params=list(OPENERS))
def opener(request):
    return OPENERS[request.param]
