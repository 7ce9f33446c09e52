"""First pass over captures: which connections they hold, of which venue, which symbols, how fine prices and sizes are.

Exact rules come from a recording of ours, or from the venue's own answer where the capture holds one. Else the finest
decimal that is not zero, over the whole capture, is a tick that every price in it fits; the venue's own may be finer,
never coarser.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from streamtrader.errors import ConfigError, MarketFileError, StreamTraderError
from streamtrader.instruments import Instrument
from streamtrader.storage.captures import CaptureLine, CaptureReader, Role
from streamtrader.storage.raw_lines import FRAMES, NOTE_HEAD, note_of
from streamtrader.units import decimal_of_places
from streamtrader.venues.listing import Listing, Sighting
from streamtrader.venues.registry import VENUES, all_listings, listing_of

PLACES_MOST = 8
FRAMES_TO_BE_SURE = 20  # so many frames that one venue alone understands, and no other is tried any more
Key = tuple[str, str, str]  # venue, kind, symbol
NOT_READ = (msgspec.MsgspecError, StreamTraderError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)  # fmt: skip


@dataclass(slots=True)
class Seen:
    """What was seen of one symbol."""

    price_places: int = 0
    size_places: int = 0
    has_book: bool = False
    kind: str = ""  # where its frames tell it: one connection may carry several

    def take(self, sighting: Sighting) -> None:
        self.kind = self.kind or sighting.kind
        self.has_book = self.has_book or sighting.is_book
        for price, size in sighting.levels:  # most have no more decimals than were seen before
            if len(price) - price.find(".") > self.price_places + 1:
                self.price_places = max(self.price_places, _places(price))
            if len(size) - size.find(".") > self.size_places + 1:
                self.size_places = max(self.size_places, _places(size))

    def add(self, other: Seen) -> None:
        """Take what another file showed of the same symbol."""
        self.price_places = max(self.price_places, other.price_places)
        self.size_places = max(self.size_places, other.size_places)
        self.has_book, self.kind = self.has_book or other.has_book, self.kind or other.kind

    def steps(self) -> tuple[Decimal, Decimal]:
        return decimal_of_places(self.price_places), decimal_of_places(self.size_places)


@dataclass(slots=True)
class Stream:
    """One connection of a capture, "" where it holds one only."""

    listing: Listing | None = None
    kind: str = ""
    symbols: dict[str, Seen] = field(default_factory=dict)
    channels: tuple[str, ...] = ()  # of a recording of ours, which says so
    listed: tuple[Instrument, ...] = ()
    seen: dict[str, dict[str, Seen]] = field(default_factory=dict)  # by venue, while that is not certain
    understood: dict[str, int] = field(default_factory=dict)

    @property
    def has_books(self) -> bool:
        return bool(self.listed) or any(seen.has_book for seen in self.symbols.values())

    @property
    def market(self) -> tuple[str, str]:
        """Venue and kind as far as they are certain: without a book, frames of two kinds may look alike."""
        if self.listing is None:
            return "", ""
        return self.listing.name, self.kind or (self.listing.kinds[0] if self.has_books else "")

    def add(self, other: Stream) -> None:
        """Take another file, on which the same connection goes on."""
        self.listing, self.kind = self.listing or other.listing, self.kind or other.kind
        if not self.listed:
            self.listed, self.channels = other.listed, other.channels
        for venue, symbols in other.seen.items():
            for symbol, seen in symbols.items():
                self.seen.setdefault(venue, {}).setdefault(symbol, Seen()).add(seen)
        for venue, count in other.understood.items():
            self.understood[venue] = self.understood.get(venue, 0) + count

    def settle(self) -> None:
        """The venue is the one that understood the most frames."""
        self.choose()
        if self.listing is not None:
            self.kind = self.kind or self.listing.kinds[0]

    def choose(self) -> None:
        if self.listing is None and self.understood:
            self.listing = listing_of(max(self.understood, key=lambda name: self.understood[name]))
        if self.listing is not None:
            self.symbols = self.seen.get(self.listing.name, {})

    def identities(self) -> list[Key]:
        """Its instruments, in the order in which they first appeared."""
        assert self.listing is not None
        if self.listed:
            return [(each.venue, each.kind, each.symbol) for each in self.listed]
        return [(self.listing.name, seen.kind or self.kind, symbol) for symbol, seen in self.symbols.items()]


class Survey:
    """The connections and instruments of some captures, and the captures in the order of their clocks."""

    def __init__(self, paths: Sequence[Path | str], venue: str = "") -> None:
        if not paths:
            raise MarketFileError("no capture was given")
        if venue and _named(venue) is None:
            raise ConfigError(f"there is no venue {venue!r}; there are: {', '.join(VENUES)}")
        self.line_count = 0
        self.format = ""
        self.streams: dict[str, Stream] = {}
        self._venue = venue
        self._answers: list[tuple[str, bytes]] = []
        self._torn: list[str] = []
        self._first: dict[str, str] = {}  # the first file of each stream
        starts = [(self._read(path), index, path) for index, path in enumerate(_each_once(paths))]
        self.paths = [path for _, _, path in sorted(starts)]
        for stream in self.streams.values():
            stream.settle()
        for url, body in self._answers:
            _take_answer(self.streams.values(), url, body)
        self.streams = {
            name: stream for name, stream in self.streams.items() if stream.listing and stream.identities()
        }
        if not self.streams:
            names = ", ".join(path.name for path in self.paths)
            known = f"a venue that is known here ({', '.join(VENUES)})"
            if venue:
                known = f"{venue}; without --venue it is found by what is in the files"
            torn = f"; cut off: {', '.join(self._torn)}" if self._torn else ""
            raise MarketFileError(f"{names}: no frame of {known}{torn}")

    def instruments(self, steps: Mapping[str, tuple[Decimal, Decimal]]) -> tuple[Instrument, ...]:
        """As they first appear; `steps` overrides tick and lot by symbol."""
        found: dict[Key, Instrument] = {}
        for stream in self.streams.values():
            rules = {
                (each.venue, each.kind, each.symbol): each for each in (*self._rules_for(stream), *stream.listed)
            }
            for key in stream.identities():
                if key not in found:
                    found[key] = _stepped(rules.get(key) or _inferred(key, stream), steps.get(key[2]))
        return tuple(found.values())

    # Reading.

    def _read(self, path: Path) -> int:
        reader, first_ns = CaptureReader(path), 0
        streams: dict[str, Stream] = {}
        for line in reader:
            self.line_count += 1
            first_ns = first_ns or line.received_ns
            if line.problem or line.role is Role.ASIDE:
                continue  # the second pass reports it
            if line.role is Role.HTTP:
                self._answers.append((line.url, line.text))
                continue
            stream = streams.setdefault(line.connection, Stream())
            if stream.listing is None and (self._venue or reader.venue):
                stream.listing = _named(self._venue or reader.venue)
            self._note(stream, line)
        for name, stream in streams.items():
            self._join(path, name, stream)
        if reader.is_torn:
            self._torn.append(path.name)
        self.format = reader.format if self.format in ("", reader.format) else "mixed"
        return first_ns

    def _join(self, path: Path, name: str, stream: Stream) -> None:
        """A file goes on with the connections of those before it, and so must be of their market."""
        stream.choose()
        known = self.streams.setdefault(name, stream)
        first = self._first.setdefault(name, path.name)
        if known is stream:
            return
        if known.listing is not None and known.listing.name in stream.understood:
            stream.listing = known.listing  # several venues understand it, and which one it is of was known before
            stream.choose()
        own, others = stream.market, known.market
        if any(one and other and one != other for one, other in zip(own, others, strict=True)):
            raise MarketFileError(
                f"{path.name} is of {' '.join(own).strip()}, {first} of {' '.join(others).strip()}: import each by itself."
            )
        known.add(stream)
        known.choose()

    def _note(self, stream: Stream, line: CaptureLine) -> None:
        if stream.listed:
            return  # a recording of ours needs no guesses
        if line.url and not stream.kind:
            stream.listing = stream.listing or next(
                (each for each in all_listings() if each.knows_url(line.url)), None
            )
            stream.kind = stream.listing.kind_of(line.url) if stream.listing is not None else ""
        if line.role is not Role.FRAME:
            return
        if line.text.startswith(NOTE_HEAD):
            _take_note(stream, line.text)
            return
        for listing in (stream.listing,) if stream.listing is not None else all_listings():
            try:
                if _sighted(stream, listing, line.text):
                    break
            except NOT_READ:
                continue

    def _rules_for(self, stream: Stream) -> list[Instrument]:
        """What the venue's own answers in the capture say about the stream's instruments."""
        listing, symbols = stream.listing, list(stream.symbols)
        assert listing is not None
        path = urlsplit(listing.instruments_path(stream.kind, symbols)).path
        found: list[Instrument] = []
        for url, body in self._answers:
            is_other = listing.kind_of(url) not in ("", stream.kind)
            if listing.knows_url(url) and urlsplit(url).path == path and not is_other:
                found += _rules_in(listing, body, stream.kind, symbols)
        return found


def _named(venue: str) -> Listing | None:
    """The venue that a file names: `kraken`, or `binance_futures` as cryptofeed has it."""
    name = next((name for name in VENUES if venue == name or venue.startswith((name + "_", name + "."))), "")
    return listing_of(name) if name else None


def _each_once(paths: Sequence[Path | str]) -> list[Path]:
    """The files; one that is given twice would be a market that happened twice."""
    files: dict[Path, Path] = {}
    for path in map(Path, paths):
        if path.resolve() in files:
            raise MarketFileError(f"{path.name} is given twice.")
        files[path.resolve()] = path
    return list(files.values())


def _take_note(stream: Stream, text: bytes) -> None:
    try:
        note = note_of(text)
    except MarketFileError:
        return  # the second pass reports it
    if note is not None and note.kind == FRAMES and (listed := note.instruments()):
        stream.listed, stream.channels = listed, tuple(note.channels)
        stream.listing, stream.kind = listing_of(listed[0].venue), listed[0].kind


def _sighted(stream: Stream, listing: Listing, frame: bytes) -> bool:
    """Take what a frame tells in one venue's words; whether it named an instrument."""
    is_named = False
    symbols = stream.seen.setdefault(listing.name, {})
    for sighting in listing.sightings(frame):
        is_named = is_named or bool(sighting.symbol)
        if sighting.symbol:
            seen = symbols.setdefault(sighting.symbol, Seen())
        elif len(symbols) == 1:
            seen = next(iter(symbols.values()))
        else:
            continue
        seen.take(sighting)
        stream.kind = stream.kind or sighting.kind
    if is_named:
        count = stream.understood[listing.name] = stream.understood.get(listing.name, 0) + 1
        if count >= FRAMES_TO_BE_SURE and len(stream.understood) == 1:
            stream.listing = listing
    return is_named


def _take_answer(streams: Iterable[Stream], url: str, body: bytes) -> None:
    """Prices and sizes of a REST snapshot count too: its address says whose it is."""
    symbol = parse_qs(urlsplit(url).query).get("symbol", [""])[0]
    for stream in streams:
        if stream.listing is not None and symbol in stream.symbols and stream.listing.knows_url(url):
            with contextlib.suppress(*NOT_READ):
                for sighting in stream.listing.sightings(body):
                    stream.symbols[symbol].take(sighting)


def _places(text: str) -> int:
    """Decimals up to the last that is not zero."""
    whole, _, decimals = text.partition(".")
    if whole.isdigit() and (not decimals or decimals.isdigit()):
        return min(len(decimals.rstrip("0")), PLACES_MOST)
    try:
        exponent = Decimal(text).normalize().as_tuple().exponent
    except ArithmeticError:  # no number, or one whose exponent has no end
        return 0
    return min(max(0, -exponent), PLACES_MOST) if isinstance(exponent, int) else 0


def _rules_in(listing: Listing, body: bytes, kind: str, symbols: Sequence[str]) -> list[Instrument]:
    try:
        wanted = set(symbols)
        return [each for each in listing.instruments_of(body, kind, ()) if each.symbol in wanted]
    except StreamTraderError:  # one of hundreds cannot be read: perhaps it is none of ours
        found: list[Instrument] = []
        for symbol in symbols:
            try:
                found += listing.instruments_of(body, kind, (symbol,))
            except StreamTraderError:
                continue
        return found


def _inferred(key: Key, stream: Stream) -> Instrument:
    venue, kind, symbol = key
    assert stream.listing is not None
    (base, quote), fees = stream.listing.split(symbol), stream.listing.fees_bps(kind)
    try:
        return Instrument(
            venue=venue, symbol=symbol, base=base, quote=quote, price_tick=stream.symbols[symbol].steps()[0],
            size_lot=stream.symbols[symbol].steps()[1], maker_fee_bps=fees[0], taker_fee_bps=fees[1], kind=kind,
        )  # fmt: skip
    except ConfigError as error:
        raise MarketFileError(f"{symbol} of {venue} cannot be used: {error}") from error


def _stepped(instrument: Instrument, steps: tuple[Decimal, Decimal] | None) -> Instrument:
    return instrument if steps is None else replace(instrument, price_tick=steps[0], size_lot=steps[1])
