"""How one connection to Alpaca is allowed to listen, and what the venue's errors mean.

Nothing may be asked before the venue has greeted, and nothing but the login before it has accepted that; the login
is due within ten seconds (docs.alpaca.markets/docs/streaming-market-data):

    stage    event                     becomes  and
    -------  ------------------------  -------  --------------------------------------------------------------
    any      a new connection          GREETED  wait for the venue
    GREETED  success connected         ASKED    send the login
    ASKED    success authenticated     READY    send the subscriptions
    ASKED    error 406                 ASKED    send the login again, later each time: a connection of ours that
                                                broke may live on at the venue for a while
    any      error 402, 409, 411       REFUSED  no login will help: say why, and end
    READY    error 401                 ASKED    send the login again
    any      error 403                 any      nothing: we are in already
    any      any other error           any      say it; the venue ends the connection where it must

Without credentials (a capture) nothing is ever sent. A secret leaves this module only in the bytes of the login, and
a text of the venue's only without it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from streamtrader.units import NS_PER_S
from streamtrader.venues.alpaca.messages import Error
from streamtrader.venues.credentials import Credentials

KEY_NAME, SECRET_NAME = "APCA_API_KEY_ID", "APCA_API_SECRET_KEY"
AGAIN_NS, AGAIN_MOST_NS = NS_PER_S, 60 * NS_PER_S
ALREADY_IN, NOT_IN, TOO_MANY = 403, 401, 406
FINAL = (402, 409, 411)
REMEDIES = {
    400: "a subscription was not understood: is each symbol one of this feed? Crypto is written BTC/USD",
    401: "asked before the login was accepted; the login is sent again",
    402: f"the key is not accepted: check {KEY_NAME} and {SECRET_NAME}; keys of a paper account have their own secret",
    403: "already logged in",
    404: "the login came later than ten seconds after connecting",
    405: "the plan allows fewer symbols (30 without a subscription): name fewer of them; none of this request is heard",
    406: "another connection uses this key, and most plans allow one for each feed: end it; trying again until then",
    407: "we read too slowly and will be disconnected: name fewer symbols, or set venue.encoding to msgpack",
    409: "the plan does not have this feed: set venue.feed to one that it has (iex needs no subscription)",
    410: "this feed does not have such a channel: leave it out of venue.channels, or choose another venue.feed",
    411: "the key may not listen to market data: give it that scope",
    500: "a mistake of the venue's own",
}


class Stage(enum.Enum):
    GREETED = enum.auto()
    ASKED = enum.auto()
    READY = enum.auto()
    REFUSED = enum.auto()


class Login:
    """One account's way in. `refusal` says why the venue will never serve it."""

    __slots__ = ("_credentials", "_due_ns", "_failures", "refusal", "stage")

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        self._due_ns = 0  # when to send the login; 0: not at all
        self._failures = 0
        self.refusal = ""
        self.stage = Stage.GREETED

    def restart(self) -> None:
        """A new connection stands."""
        self._due_ns = 0
        self.stage = Stage.GREETED if not self.refusal else Stage.REFUSED

    def greet(self) -> None:
        """The login is due now, whatever the clock: that of a stamped market stands still until we are in."""
        if self.stage is Stage.GREETED:
            self._ask(0)

    def accept(self) -> bool:
        """Whether it is now that we are in."""
        if self.stage in (Stage.READY, Stage.REFUSED):
            return False
        self.stage = Stage.READY
        self._due_ns = self._failures = 0
        return True

    def hide(self, text: str) -> str:
        """A text of the venue's without what was sent to it; before it is cut, so that no part remains."""
        return text if self._credentials is None else self._credentials.hide(text)

    def take_error(self, error: Error, received_ns: int) -> str:
        """What an error of the venue means, as a sentence with its remedy."""
        said = " ".join(self.hide(error.msg).split())[:100]
        sentence = f"alpaca: error {error.code}, {said}: {REMEDIES.get(error.code, 'not a published error')}"
        if error.code in FINAL:
            self.refusal = sentence
            self.stage = Stage.REFUSED
            self._due_ns = 0
        elif error.code in (TOO_MANY, NOT_IN) and self.stage is not Stage.REFUSED:
            self._failures = min(self._failures + 1, 16)
            self._ask(received_ns + min(AGAIN_NS << (self._failures - 1), AGAIN_MOST_NS))
        return sentence

    def take_message(self, now_ns: int, encode: Callable[[object], bytes]) -> list[bytes]:
        """The login, where it is due. A `now_ns` of 0 means that the market's clock is not known: then it is due."""
        if not self._due_ns or 0 < now_ns < self._due_ns or self._credentials is None:
            return []
        self._due_ns = 0
        key, secret = self._credentials.key.reveal(), self._credentials.secret.reveal()
        return [encode({"action": "auth", "key": key, "secret": secret})]

    def _ask(self, due_ns: int) -> None:
        self.stage = Stage.ASKED
        self._due_ns = max(due_ns, 1)
