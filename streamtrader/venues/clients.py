"""The websocket clients by the name that settings call them (`venue.client`)."""

from __future__ import annotations

from streamtrader.venues.links import Opener
from streamtrader.venues.picows_link import PicowsLink
from streamtrader.venues.websockets_link import WebsocketsLink

OPENERS: dict[str, Opener] = {"picows": PicowsLink.open, "websockets": WebsocketsLink.open}
