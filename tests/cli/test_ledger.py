"""The ledger command: a run's account rebuilt from its fills, and that of any list of fills."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.commands import called, paper, resumed, rows_of

FILLS = """trade_id,time,symbol,side,size,price,fee,fee_asset
1,2024-08-09T00:00:00Z,BTCUSDT,buy,2,100,0.2,
2,1723161601,BTCUSDT,sell,5,110,0.001,BNB
2,1723161601000,BTCUSDT,sell,5,110,0.001,BNB
3,1723248001000000,BTCUSDT,buy,1,105,0.1,USDT
"""
PARTS = ("initial", "realized", "unrealized", "fees", "funding", "interest", "cash", "positions_value", "equity")


@pytest.fixture
def fills(tmp_path: Path) -> Path:
    path = tmp_path / "fills.csv"
    path.write_text(FILLS)
    return path


@pytest.fixture(scope="module")
def finished(short_session) -> Path:
    folder, outcome = short_session
    return folder / outcome.run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be spoiled."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def changed(run: Path, statement: str) -> None:
    with closing(sqlite3.connect(run / "session.sqlite")) as connection:
        assert connection.execute(statement).rowcount == 1, statement
        connection.commit()


def exact(document: dict, *names: str) -> list[Decimal]:
    return [Decimal(document[name]) for name in names]


def test_a_run_is_rebuilt_from_its_fills_and_nothing_differs(finished, short_session):
    _, outcome = short_session

    document = called("ledger", finished, "--json").document

    assert (document["difference_count"], document["differences"], document["notes"]) == (0, [], [])
    assert document["fills"] == outcome.document["fills"] > 0
    assert float(document["fees"]) == pytest.approx(outcome.document["fees"], rel=1e-9)
    initial, realized, unrealized, fees, funding, interest, cash, held, equity = exact(document, *PARTS)
    assert equity == cash + held == initial + realized + unrealized - fees - funding - interest
    assert [position["size"] for position in document["positions"]] == [
        position["size"] for position in rows_of(finished, "SELECT * FROM positions ORDER BY seat") if position["average_price"]
    ]
    assert document["days"][-1]["end"] == document["equity"]
    assert Decimal(document["drawdown_worst"]) > 0


def test_strategies_add_up_to_the_whole_and_accounts_to_nothing(finished):
    document = called("ledger", finished, "--json").document

    for name in PARTS:
        assert sum(Decimal(line[name]) for line in document["strategies"]) == Decimal(document[name]), name
    sums: dict[str, Decimal] = {}
    for account in document["accounts"]:
        sums[account["currency"]] = sums.get(account["currency"], Decimal(0)) + Decimal(account["amount"])
    assert set(sums) == {"USDT", "BTC"}
    assert not any(sums.values())


def test_the_other_method_tells_another_profit_and_the_same_equity(finished):
    """What is stored is at average cost and is compared so, whatever was asked for."""
    average, first = (called("ledger", finished, "--method", name, "--json").document for name in ("average", "fifo"))

    assert (first["method"], first["difference_count"]) == ("fifo", 0)
    assert (first["equity"], first["fees"]) == (average["equity"], average["fees"])
    assert first["realized"] != average["realized"]
    assert sum(exact(first, "realized", "unrealized")) == sum(exact(average, "realized", "unrealized"))


def test_for_people_it_is_a_table(finished):
    told = called("ledger", finished).out

    assert "ImbalanceMaker  BTCUSDT" in told
    assert "2024-08-08" in told
    assert "0 differences to what the run stored; method average, in USDT" in told


@pytest.mark.slow
def test_a_run_that_was_ended_and_went_on_is_one_account(short, tmp_path):
    run = paper(short, tmp_path, "--max-events", "3000").run
    first = called("ledger", run, "--json").document
    resumed(run)

    second = called("ledger", run, "--json").document

    assert second["difference_count"] == 0
    assert second["fills"] > first["fills"] > 0


ONE = "WHERE rowid = (SELECT min(rowid) FROM {table})"
SPOILED = {
    "positions.cash": "UPDATE positions SET cash = cash + 1 WHERE seat = 0",
    "positions.realized": "UPDATE positions SET realized = realized + 0.00000001 WHERE seat = 0",
    "positions.fees": "UPDATE positions SET fees = fees * 2 WHERE seat = 0",
    "positions.funding": "UPDATE positions SET funding = '0.1' WHERE seat = 0",
    "positions.interest": "UPDATE positions SET interest = '0.1' WHERE seat = 0",
    "positions.size": "UPDATE positions SET size = size + 0.001 WHERE seat = 0",
    "positions.size_lots": "UPDATE positions SET size_lots = size_lots + 1 WHERE seat = 0",
    "positions.average_price": "UPDATE positions SET average_price = '1' WHERE seat = 0",
    "balances.amount": "UPDATE balances SET amount = amount + 1 WHERE seat = 0 AND account = 'fees'",
    "fills.price": "UPDATE fills SET price = price + 0.01 " + ONE.format(table="fills"),
    "fills.price_ticks": "UPDATE fills SET price_ticks = price_ticks + 1 " + ONE.format(table="fills"),
    "fills.size": "UPDATE fills SET size = size * 2 " + ONE.format(table="fills"),
    "fills.size_lots": "UPDATE fills SET size_lots = 0 " + ONE.format(table="fills"),
    "fills.fee": "UPDATE fills SET fee = '-' || fee " + ONE.format(table="fills"),
    "fills.seat": "UPDATE fills SET seat = 1 - seat " + ONE.format(table="fills"),
    "fills.sequence": "UPDATE fills SET sequence = 1000000 " + ONE.format(table="fills"),
    "fills: one is gone": "DELETE FROM fills " + ONE.format(table="fills"),
    "orders.filled": "UPDATE orders SET filled = '0.5' WHERE seat = 0 AND order_id = 1",
    "orders.filled_lots": "UPDATE orders SET filled_lots = 7 WHERE seat = 0 AND order_id = 1",
    "orders.notional": "UPDATE orders SET notional = notional + 1 WHERE seat = 0 AND order_id = 1",
    "orders.fees": "UPDATE orders SET fees = fees + 1 WHERE seat = 0 AND order_id = 1",
    "orders.size": "UPDATE orders SET size = size + 1 WHERE seat = 0 AND order_id = 1",
    "seats.cash": "UPDATE seats SET cash = '10000.5' WHERE id = 0",
    "instruments.price_tick": "UPDATE instruments SET price_tick = '0.1' WHERE id = 0",
    "equity_samples.cash": "UPDATE equity_samples SET cash = cash + 0.001 WHERE (seat, at_ns) IN (SELECT seat, min(at_ns) FROM equity_samples WHERE seat = 0)",
    "equity_samples.equity": "UPDATE equity_samples SET equity = equity + 0.001 WHERE (seat, at_ns) IN (SELECT seat, max(at_ns) FROM equity_samples WHERE seat = 0)",
    "equity_samples.size": "UPDATE equity_samples SET size = size + 1 WHERE (seat, at_ns) IN (SELECT seat, max(at_ns) FROM equity_samples WHERE seat = 0)",
}


@pytest.mark.parametrize("what", SPOILED)
def test_one_number_that_was_changed_by_hand_is_named(run, what):
    changed(run, SPOILED[what])

    outcome = called("ledger", run, "--json", code=1)

    told = outcome.document["differences"]
    assert min(outcome.document["difference_count"], 100) == len(told) > 0  # so many are told in full
    table = {"seats": "positions", "instruments": "fills"}.get(what.partition(".")[0], what.partition(".")[0].partition(":")[0])
    assert any(line.startswith(table) for line in told) or table == "fills", told
    assert all(" but " in line or "missing" in line or "never said" in line for line in told)


def test_an_end_in_the_manifest_that_was_changed_is_named(run):
    path = run / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["ended"]["ledger"][0]["balances"][0][2] = "1"
    path.write_text(json.dumps(manifest))

    (told,) = called("ledger", run, "--json", code=1).document["differences"]

    assert told.startswith("manifest 0/capital/USDT: amount is 1, but -10000 by fills and charges")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fills SET fee = 'much' " + ONE.format(table="fills"),
        "UPDATE fills SET side = 'up' " + ONE.format(table="fills"),
        "UPDATE fills SET seat = 9 " + ONE.format(table="fills"),
        "UPDATE fills SET size = '-1' " + ONE.format(table="fills"),
        "UPDATE seats SET cash = '' WHERE id = 0",
    ],
)
def test_what_is_no_number_at_all_is_an_error_in_words(run, statement):
    changed(run, statement)

    told = called("ledger", run, code=1).err

    assert told.startswith("LedgerError: ")
    assert "Traceback" not in told


def test_a_list_of_fills_is_an_account(fills):
    document = called(
        "ledger", "--fills", fills, "--cash", "1000", "--mark", "BTCUSDT=108", "--mark", "BNB=600", "--json"
    ).document

    assert (document["fills"], document["repeated"], document["currency"]) == (3, 1, "USDT")
    assert exact(document, *PARTS) == [1_000, 25, 4, Decimal("0.9"), 0, 0, Decimal("1244.1"), -216, Decimal("1028.1")]
    assert document["balances"] == {"BNB": "-0.001", "USDT": "1244.7"}
    (position,) = document["positions"]
    assert (position["size"], position["average_price"], position["unrealized"]) == ("-2", "110", "4")
    assert [(day["day"], day["start"], day["end"]) for day in document["days"]] == [
        ("2024-08-09T00:00", "1000", "1019.2"), ("2024-08-10T00:00", "1019.2", "1028.1"),
    ]  # fmt: skip


def test_a_list_of_fills_can_be_booked_first_in_first_out(tmp_path):
    rows = ["1,1723161600,BTCUSDT,buy,1,10,0,", "2,1723161601,BTCUSDT,buy,1,20,0,", "3,1723161602,BTCUSDT,sell,1,30,0,"]
    path = tmp_path / "fills.csv"
    path.write_text("\n".join([FILLS.splitlines()[0], *rows]))

    average, first = (
        called("ledger", "--fills", path, "--mark", "BTCUSDT=30", "--method", name, "--json").document
        for name in ("average", "fifo")
    )

    assert (average["realized"], first["realized"]) == ("15", "20")
    assert average["equity"] == first["equity"] == "30"
    assert first["positions"][0]["lots"] == [{"size": "1", "price": "20", "at": "2024-08-09T00:00:01Z"}]


def test_strategies_of_a_list_add_up(tmp_path):
    path = tmp_path / "fills.csv"
    path.write_text(
        "trade_id,time,symbol,side,size,price,fee,fee_asset,strategy\n"
        "1,1723161600,BTCUSDT,buy,1,10,0.1,,maker\n2,1723161601,BTCUSDT,sell,2,12,0.1,,taker\n"
    )

    document = called("ledger", "--fills", path, "--cash", "100", "--mark", "BTCUSDT=11", "--json").document

    assert {line["strategy"]: line["equity"] for line in document["strategies"]} == {
        "cash": "100", "maker": "0.9", "taker": "1.9",
    }  # fmt: skip
    assert document["equity"] == "102.8"


def test_two_quotes_are_valued_in_the_one_that_is_asked_for(tmp_path):
    path = tmp_path / "fills.csv"
    path.write_text(
        FILLS.splitlines()[0] + "\n1,1723161600,BTCUSDT,buy,1,100,0,\n2,1723161601,ETHBTC,buy,10,0.05,0.001,\n"
    )
    given = ("--fills", path, "--cash", "USDT=1000", "--mark", "BTCUSDT=120", "--mark", "ETHBTC=0.06")

    refused = called("ledger", *given, code=1).err
    document = called("ledger", *given, "--currency", "usdt", "--json").document

    assert "quoted in BTC and USDT; say what the results shall be in with --currency BTC" in refused
    assert document["balances"] == {"BTC": "-0.501", "USDT": "900"}
    assert document["equity"] == "1031.88"  # 900 + 120 + 10 * 0.06 * 120 - 0.501 * 120


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--mark", "BNB=600"], "NoMark: the open position in BTCUSDT has no mark to value it at; give one with --mark BTCUSDT"),
        (["--mark", "BTCUSDT=108"], "NoMark: there is money in BNB and no mark to value it at in USDT; give one with --mark BNB"),
        (["--mark", "BTCUSDT=108@2024-08-09", "--mark", "BNB=6", "--max-mark-age", "3600"], "is 86401 s old and the limit is 3600 s"),
        (["--mark", "BTCUSDT"], "--mark BTCUSDT: write NAME=PRICE"),
        (["--mark", "BTCUSDT=high"], "--mark BTCUSDT=high: write NAME=PRICE"),
        (["--mark", "BTCUSDT=nan"], "is a number that is not negative"),
        (["--mark", "BTCUSDT=1@noon"], "'noon' is no time"),
        (["--cash", "lots"], "--cash lots: write a number such as 1000"),
    ],
)  # fmt: skip
def test_what_cannot_be_valued_is_refused_with_a_remedy_and_nothing_is_told(fills, arguments, told):
    outcome = called("ledger", "--fills", fills, *arguments, code=1)

    assert told in outcome.err
    assert outcome.out == ""


def test_a_bad_list_is_refused_with_its_line(fills):
    fills.write_text(FILLS + "4,1723248002,BTCUSDT,buy,NaN,1,0,\n")

    outcome = called("ledger", "--fills", fills, "--mark", "BTCUSDT=108", "--json", code=1)

    assert outcome.document["error"] == "MarketFileError"
    assert "fills.csv:6: size: 'NaN' is no number; write digits" in outcome.document["message"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["--fills", "x.csv", "run"], ["run", "--cash", "1"], ["run", "--method", "lifo"], ["run", "--reset-hour", "24"]],
    ids=["neither", "both", "cash of a run", "an unknown method", "an hour that is none"],
)  # fmt: skip
def test_wrong_usage_is_told(arguments):
    called("ledger", *arguments, code=2)


def test_a_folder_that_is_no_run_and_a_file_that_is_none_are_told(tmp_path):
    assert "is not a run directory" in called("ledger", tmp_path, code=1).err
    assert "cannot be read" in called("ledger", "--fills", tmp_path / "none.csv", code=1).err


def test_a_run_of_the_first_version_is_read_as_it_is(tmp_path):
    """Its database has no charges and no balances; nothing of it is changed."""
    source = Path(__file__).parents[1] / "storage" / "version_1.sql"
    with closing(sqlite3.connect(tmp_path / "session.sqlite")) as connection:
        connection.executescript(source.read_text(encoding="utf-8"))
    (tmp_path / "manifest.json").write_text('{"schema": 1}')
    before = (tmp_path / "session.sqlite").read_bytes()

    document = called("ledger", tmp_path, "--json").document

    assert (document["fills"], document["difference_count"]) == (14, 0)
    assert "kept no balances" in document["notes"][0]
    assert (tmp_path / "session.sqlite").read_bytes() == before
    changed(tmp_path, "UPDATE positions SET realized = '1' WHERE seat = 0")
    assert "positions 0: realized is 1, but 0.00004 by fills and charges" in called("ledger", tmp_path, code=1).out
