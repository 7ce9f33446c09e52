"""The tables of a run's database, how they grew, and what writing a row twice means.

Prices, sizes and money are exact decimals as TEXT, beside the integer ticks and lots that the engine decided in.
History is keyed by the sequence of the row in the engine's outbox (or of the event on the tape) and ignored when it
is there already: after a crash the engine says some of it again. Orders and positions are the newest state, and an
older one never replaces it.

`balances` are the accounts of each seat's ledger, so that a run's money can be held against its fills to the last
digit. Fees and charges are positive when paid; `asset` and `fee_asset` say in what.
"""

from __future__ import annotations

APPLICATION_ID = 0x53545244  # "STRD": tells our files from other SQLite databases

_FIRST = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, mode TEXT NOT NULL, started_ns INTEGER NOT NULL, ended_ns INTEGER,
    reason TEXT, config_sha256 TEXT NOT NULL, code_sha256 TEXT NOT NULL, first_event INTEGER NOT NULL) STRICT;
CREATE TABLE instruments (
    id INTEGER PRIMARY KEY, venue TEXT NOT NULL, symbol TEXT NOT NULL, base TEXT NOT NULL, quote TEXT NOT NULL,
    kind TEXT NOT NULL, price_tick TEXT NOT NULL, size_lot TEXT NOT NULL, minimum_notional TEXT NOT NULL) STRICT;
CREATE TABLE seats (
    id INTEGER PRIMARY KEY, strategy TEXT NOT NULL, instrument INTEGER NOT NULL,
    maker_fee_bps TEXT NOT NULL, taker_fee_bps TEXT NOT NULL, cash TEXT NOT NULL) STRICT;
CREATE TABLE intents (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, seat INTEGER NOT NULL, order_id INTEGER NOT NULL,
    side TEXT NOT NULL, type TEXT NOT NULL, price TEXT, price_ticks INTEGER, size TEXT NOT NULL,
    size_lots INTEGER NOT NULL, post_only INTEGER NOT NULL, immediate INTEGER NOT NULL) STRICT;
CREATE TABLE orders (
    seat INTEGER NOT NULL, order_id INTEGER NOT NULL, side TEXT NOT NULL, type TEXT NOT NULL, price TEXT,
    price_ticks INTEGER, size TEXT NOT NULL, size_lots INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT,
    filled TEXT NOT NULL, filled_lots INTEGER NOT NULL, notional TEXT NOT NULL, average_price TEXT,
    fees TEXT NOT NULL, asked_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, last_sequence INTEGER NOT NULL,
    PRIMARY KEY (seat, order_id)) STRICT, WITHOUT ROWID;
CREATE INDEX open_orders ON orders (status) WHERE status IN ('intent', 'sent', 'accepted', 'partly_filled');
CREATE TABLE fills (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, seat INTEGER NOT NULL, order_id INTEGER NOT NULL,
    side TEXT NOT NULL, price TEXT NOT NULL, price_ticks INTEGER NOT NULL, size TEXT NOT NULL,
    size_lots INTEGER NOT NULL, remaining_lots INTEGER NOT NULL, fee TEXT NOT NULL, liquidity TEXT NOT NULL) STRICT;
CREATE INDEX fills_of_order ON fills (seat, order_id);
CREATE TABLE refusals (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, seat INTEGER NOT NULL, order_id INTEGER NOT NULL,
    side TEXT NOT NULL, price TEXT, price_ticks INTEGER, size TEXT NOT NULL, size_lots INTEGER NOT NULL,
    code INTEGER NOT NULL, rule TEXT NOT NULL) STRICT;
CREATE TABLE halts (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, seat INTEGER NOT NULL, code INTEGER NOT NULL,
    rule TEXT NOT NULL) STRICT;
CREATE TABLE positions (
    seat INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, size TEXT NOT NULL, size_lots INTEGER NOT NULL,
    average_price TEXT, realized TEXT NOT NULL, fees TEXT NOT NULL, cash TEXT NOT NULL,
    last_sequence INTEGER NOT NULL) STRICT;
CREATE TABLE equity_samples (
    seat INTEGER NOT NULL, at_ns INTEGER NOT NULL, cash TEXT NOT NULL, size TEXT NOT NULL, mark TEXT NOT NULL,
    equity TEXT NOT NULL, PRIMARY KEY (seat, at_ns)) STRICT, WITHOUT ROWID;
CREATE TABLE commands (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, command TEXT NOT NULL, source TEXT NOT NULL, reason TEXT) STRICT;
CREATE TABLE feed_events (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, instrument INTEGER NOT NULL, state TEXT NOT NULL,
    update_id INTEGER NOT NULL) STRICT;
CREATE TABLE progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

_SECOND = """
ALTER TABLE seats ADD COLUMN fee_asset TEXT NOT NULL DEFAULT '';
ALTER TABLE fills ADD COLUMN fee_asset TEXT NOT NULL DEFAULT '';
ALTER TABLE fills ADD COLUMN forced INTEGER NOT NULL DEFAULT 0;
UPDATE fills SET fee_asset = coalesce(
    (SELECT quote FROM instruments JOIN seats ON seats.instrument = instruments.id WHERE seats.id = fills.seat), '');
ALTER TABLE intents ADD COLUMN code INTEGER NOT NULL DEFAULT 0;
UPDATE intents SET code = immediate + 2 * post_only;
ALTER TABLE orders ADD COLUMN asset_fees TEXT NOT NULL DEFAULT '0';
ALTER TABLE orders ADD COLUMN trigger_price TEXT;
ALTER TABLE orders ADD COLUMN trigger_ticks INTEGER;
DROP INDEX open_orders;
CREATE INDEX open_orders ON orders (status)
    WHERE status IN ('intent', 'armed', 'triggered', 'sent', 'accepted', 'partly_filled');
CREATE TABLE order_changes (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, seat INTEGER NOT NULL, order_id INTEGER NOT NULL,
    change TEXT NOT NULL, price TEXT, price_ticks INTEGER, size TEXT NOT NULL, size_lots INTEGER NOT NULL,
    remaining_lots INTEGER NOT NULL) STRICT;
CREATE TABLE charges (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, seat INTEGER NOT NULL, kind TEXT NOT NULL,
    amount TEXT NOT NULL, asset TEXT NOT NULL, side TEXT NOT NULL, price_ticks INTEGER NOT NULL,
    size_lots INTEGER NOT NULL) STRICT;
ALTER TABLE positions ADD COLUMN funding TEXT NOT NULL DEFAULT '0';
ALTER TABLE positions ADD COLUMN interest TEXT NOT NULL DEFAULT '0';
CREATE TABLE balances (
    seat INTEGER NOT NULL, account TEXT NOT NULL, currency TEXT NOT NULL, amount TEXT NOT NULL,
    last_sequence INTEGER NOT NULL, PRIMARY KEY (seat, account, currency)) STRICT, WITHOUT ROWID;
ALTER TABLE equity_samples ADD COLUMN last_sequence INTEGER;
"""

MIGRATIONS = (_FIRST, _SECOND)
"""`MIGRATIONS[n]` leads from version n to n + 1. An entry is never edited once a release has carried it."""
VERSION = len(MIGRATIONS)

# Not INSERT OR IGNORE: that would also swallow a row with a missing value. STRICT tables refuse NumPy's integers,
# which SQLite would otherwise keep as a blob of their bytes.
_HISTORY = {
    "intents": "sequence",
    "fills": "sequence",
    "refusals": "sequence",
    "halts": "sequence",
    "order_changes": "sequence",
    "charges": "sequence",
    "commands": "sequence",
    "feed_events": "sequence",
    "equity_samples": "seat, at_ns",
}
COLUMNS: dict[str, tuple[str, ...]] = {
    "sessions": (
        "id", "run", "mode", "started_ns", "ended_ns", "reason", "config_sha256", "code_sha256", "first_event",
    ),
    "instruments": (
        "id", "venue", "symbol", "base", "quote", "kind", "price_tick", "size_lot", "minimum_notional",
    ),
    "seats": ("id", "strategy", "instrument", "maker_fee_bps", "taker_fee_bps", "cash", "fee_asset"),
    "intents": (
        "sequence", "at_ns", "seat", "order_id", "side", "type", "price", "price_ticks", "size", "size_lots",
        "post_only", "immediate", "code",
    ),
    "orders": (
        "seat", "order_id", "side", "type", "price", "price_ticks", "size", "size_lots", "status", "reason",
        "filled", "filled_lots", "notional", "average_price", "fees", "asked_ns", "changed_ns", "last_sequence",
        "asset_fees", "trigger_price", "trigger_ticks",
    ),
    "fills": (
        "sequence", "at_ns", "seat", "order_id", "side", "price", "price_ticks", "size", "size_lots",
        "remaining_lots", "fee", "liquidity", "fee_asset", "forced",
    ),
    "charges": ("sequence", "at_ns", "seat", "kind", "amount", "asset", "side", "price_ticks", "size_lots"),
    "order_changes": (
        "sequence", "at_ns", "seat", "order_id", "change", "price", "price_ticks", "size", "size_lots",
        "remaining_lots",
    ),
    "refusals": (
        "sequence", "at_ns", "seat", "order_id", "side", "price", "price_ticks", "size", "size_lots", "code", "rule",
    ),
    "halts": ("sequence", "at_ns", "seat", "code", "rule"),
    "positions": (
        "seat", "at_ns", "size", "size_lots", "average_price", "realized", "fees", "cash", "last_sequence",
        "funding", "interest",
    ),
    "balances": ("seat", "account", "currency", "amount", "last_sequence"),
    "equity_samples": ("seat", "at_ns", "cash", "size", "mark", "equity", "last_sequence"),
    "commands": ("sequence", "at_ns", "command", "source", "reason"),
    "feed_events": ("sequence", "at_ns", "instrument", "state", "update_id"),
    "progress": ("name", "value"),
}  # fmt: skip
_NEWEST = {  # table: its key, and the column that must have grown
    "orders": (("seat", "order_id"), "last_sequence"),
    "positions": (("seat",), "last_sequence"),
    "balances": (("seat", "account", "currency"), "last_sequence"),
    "progress": (("name",), "value"),
}


def _insert(table: str) -> str:
    columns = COLUMNS[table]
    values = f"{table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    if table in _HISTORY:
        return f"INSERT INTO {values} ON CONFLICT ({_HISTORY[table]}) DO NOTHING"
    if table not in _NEWEST:
        return f"INSERT OR REPLACE INTO {values}"
    key, growing = _NEWEST[table]
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    guard = f"excluded.{growing} > {table}.{growing}"
    return f"INSERT INTO {values} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes} WHERE {guard}"


INSERTS = {table: _insert(table) for table in COLUMNS}
OPEN_STATES = ("intent", "armed", "triggered", "sent", "accepted", "partly_filled")
SELECT_OPEN_ORDERS = f"SELECT * FROM orders WHERE status IN {OPEN_STATES} ORDER BY seat, order_id"  # noqa: S608
SELECT_PROGRESS = "SELECT value FROM progress WHERE name = ?"
OUTBOX = "outbox"  # name of the progress row: sequence of the newest outbox row that is stored
