"""Listeners of a dialect: every frame of the market is translated once, then said to whoever subscribed to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from streamtrader.exchange.audience import Audience, Listener
from streamtrader.exchange.dialects.translator import BOOK, Told, Translator
from streamtrader.exchange.frames import text_frame
from streamtrader.exchange.market import Frame
from streamtrader.exchange.saboteur import Saboteur


class TranslatedAudience(Audience):
    """Snapshots are in the stream: nobody is waited for but at the beginning, until a client has all it wants."""

    def __init__(self, translator: Translator[Any], saboteur: Saboteur | None = None) -> None:
        super().__init__(saboteur)
        self.translator = translator
        self.saboteur.shutdown_words = translator.shutdown
        self.saboteur.first_symbol = next(iter(translator.named), "")

    def remove(self, listener: Listener) -> None:
        super().remove(listener)
        self.translator.leave(listener)

    def depth_symbols(self) -> set[str]:
        return set()

    def is_ready(self, symbols: set[str], asked: set[str]) -> bool:
        return any(self.translator.has_all(listener) for listener in self.listeners if listener.is_open)

    def begin_book(self, frame: Frame) -> None:
        self.broadcast([frame])

    def pass_over(self, frame: Frame) -> None:
        for _ in self.translator.told(frame):
            pass

    def broadcast(self, frames: Sequence[Frame]) -> None:
        """One after the other: what is told of a book depends on who listens to which depth, and on all before."""
        saboteur = self.saboteur
        told = [each for frame in saboteur.bent(frames) for each in self.translator.told(frame)]
        if saboteur.has_frozen:
            told = [each for each in told if not saboteur.is_frozen(each.symbol)]
        for listener in self.listeners:
            keys = listener.keys
            wanted = [each for each in told if each.key in keys]
            if wanted:
                self._say(listener, wanted)

    def answer(self, listener: Listener, message: str | bytes) -> None:
        """Do what a client asks for. Written at once: what is told of a book follows its snapshot."""
        for payload in self.translator.answer(listener, message):
            symbol = self.translator.book_begun_by(payload)
            if symbol and self.saboteur.has_old_snapshot():
                self.saboteur.make_late(listener, symbol, payload)
            else:
                listener.write(text_frame(payload))

    def _say(self, listener: Listener, wanted: Iterable[Told]) -> None:
        payload = self.translator.payload
        if self.saboteur.is_at_work:
            items = [(each.symbol if each.key.startswith(BOOK) else "", payload(listener, each)) for each in wanted]
            listener.write(b"".join(map(text_frame, self.saboteur.disordered(listener, items))))
        else:
            listener.write(b"".join([text_frame(payload(listener, each)) for each in wanted]))
