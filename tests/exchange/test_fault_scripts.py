"""Scripts of faults: lines and files say the same, and what cannot be done is refused with a sentence."""

from __future__ import annotations

import json

import pytest

from streamtrader.errors import ConfigError
from streamtrader.exchange.faults import KINDS, fault_of, faults_in, faults_of
from streamtrader.exchange.process import start_exchange
from streamtrader.units import NS_PER_S

LINES = (
    "at=5s reset-mid-frame",
    "at=1500ms refuse status=418 retry-after=2s count=3",
    "at=2m frozen symbol=BTC/USD for=70s",
)


def test_a_line_names_a_moment_a_kind_and_its_options():
    fault = fault_of(LINES[1])

    assert ("refuse", NS_PER_S * 3 // 2, 418, 2.0, 3) == (
        fault.kind, fault.at_ns, fault.status, fault.retry_after_s, fault.count,
    )  # fmt: skip


def test_lines_toml_and_json_are_the_same_script_in_the_order_of_time(tmp_path):
    toml, listed = tmp_path / "day.toml", tmp_path / "day.json"
    toml.write_text(
        '[[fault]]\nat = "5s"\nkind = "reset-mid-frame"\n'
        '[[fault]]\nat = "1.5"\nkind = "refuse"\nstatus = 418\nretry_after = "2s"\ncount = 3\n'
        '[[fault]]\nat = "120s"\nkind = "frozen"\nsymbol = "BTC/USD"\nfor = "70s"\n'
    )
    listed.write_text(json.dumps([LINES[2], {"at": "5s", "kind": "reset-mid-frame"}, LINES[1]]))

    script = faults_of(LINES)

    assert ["refuse", "reset-mid-frame", "frozen"] == [fault.kind for fault in script]
    assert script == faults_in(toml) == faults_in(listed)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("reset-mid-frame", "say when"),
        ("at=5s", "one kind"),
        ("at=5s explode", "not known"),
        ("at=soon html", "no duration"),
        ("at=-5s html", "negative"),
        ("at=5s html count=3", "no option"),
        ("at=5s accept-drop count=0", "whole number"),
        ("at=5s accept-drop count=many", "whole number"),
        ("at=5s refuse status=1000", "whole number"),
    ],
)
def test_what_cannot_be_done_is_refused(line, words):
    with pytest.raises(ConfigError, match=words):
        fault_of(line)


@pytest.mark.parametrize("text", ["{", '{"fault": 1}', "[1]"])
def test_a_file_that_is_no_script_is_named(text, tmp_path):
    path = tmp_path / "day.json"
    path.write_text(text)

    with pytest.raises(ConfigError, match=r"day\.json"):
        faults_in(path)


def test_every_kind_can_be_said_without_options():
    assert set(KINDS) == {fault_of(f"at=1s {kind}").kind for kind in KINDS}


async def test_the_process_takes_a_dialect_and_faults_and_refuses_others():
    async with start_exchange(dialect="coinbase", symbols=("BTC-USD", "ETH-USD"), faults=("at=5s html",)) as exchange:
        assert ("BTC-USD", "ETH-USD") == exchange.symbols
    with pytest.raises(ConfigError, match="not known"):
        async with start_exchange(dialect="kraken", faults=("at=5s explode",)):
            pass
