"""Every exception that streamtrader raises.

    StreamTraderError
    |-- ConfigError            a setting is wrong: all mistakes at once, with file and line
    |-- VenueError             the other side broke its rules
    |   |-- LinkLost           the connection ended or fell silent
    |   |-- SequenceGap        an update is missing
    |   |-- VenueRestricted    every address of it refuses to serve this country
    |   |-- UnknownMessage     a message of a kind that nobody here knows
    |   `-- BadMessage         a known kind with values that cannot be true
    |-- MarketFileError        a file given as a market or for import cannot be used
    |-- StorageError
    |   |-- TapeCorrupt        a tape's bytes are not what was written
    |   |-- LayoutChanged      written by another version of the layout
    |   |-- DiskFull           no room for more; what was written until then is whole
    |   |-- DatabaseFailed     SQLite refused
    |   |-- RunDirectoryError  a run directory cannot be created, written or read
    |   `-- RunLocked          another engine has this run directory
    |-- LedgerError            what a ledger was told cannot be booked
    |   `-- NoMark             what it holds has no price to be valued at, or one that is too old
    |-- StrategyError          a strategy or rule cannot be loaded or compiled
    |-- EngineStopped          the kernel stopped rather than go on with a wrong state
    `-- ParityError            a replay decided otherwise than the session did

Expected outcomes (an order refused by a rule, a full buffer) are values, not exceptions.
"""


class StreamTraderError(Exception):
    """Root of the tree; `exit_code` is what a command ends with when it reaches the user."""

    exit_code = 1

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details


class ConfigError(StreamTraderError):
    """A setting, or a combination of settings, cannot be used."""

    exit_code = 4


class VenueError(StreamTraderError):
    """A venue did not keep to its published protocol."""


class LinkLost(VenueError):
    """The connection ended or fell silent."""


class SequenceGap(VenueError):
    """At least one update between the last one applied and this one is missing."""


class VenueRestricted(VenueError):
    """Every address of a venue answered with status 451: it may not serve whoever asks from here."""

    def __init__(self, venue: str, addresses: list[str]) -> None:
        super().__init__(
            f"{venue} does not serve this country: status 451 from {', '.join(addresses)}. Choose another venue with "
            "--venue, or an address that serves you with venue.websocket_url and venue.rest_url.",
            venue=venue,
            addresses=addresses,
        )


class UnknownMessage(VenueError):
    """The message is of a kind that the adapter does not know."""


class BadMessage(VenueError):
    """The message is of a known kind, but its values cannot be true."""


class MarketFileError(StreamTraderError):
    """A file given as a market or for import cannot be read as what it was said to be."""


class StorageError(StreamTraderError):
    """What was to be kept could not be written or read."""


class TapeCorrupt(StorageError):
    """A block of a tape does not carry its checksum."""


class LayoutChanged(StorageError):
    """The file was written by another version of the layout, or is not ours at all."""


class DiskFull(StorageError):
    """A disk, a quota or a limit on the size of files is used up; what was written until then is whole."""

    exit_code = 6


class DatabaseFailed(StorageError):
    """SQLite refused a statement."""


class RunDirectoryError(StorageError):
    """A run directory cannot be created, written or read."""


class RunLocked(StorageError):
    """Another engine holds the lock of this run directory."""


class LedgerError(StreamTraderError):
    """A fill, charge or deposit cannot be what happened; nothing of it was booked."""


class NoMark(LedgerError):
    """A position or currency has no price, or one older than was asked for; nothing was valued."""


class StrategyError(StreamTraderError):
    """A strategy or risk rule cannot be loaded, built or compiled."""

    exit_code = 4


class EngineStopped(StreamTraderError):
    """The engine stopped because going on would have lost or invented something."""


class ParityError(StreamTraderError):
    """The replay of a session decided otherwise than the session did."""
