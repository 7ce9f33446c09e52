"""Settings: where values come from, and how mistakes in them are told."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.config import DEFAULTS, load_settings
from streamtrader.config_lines import key_lines
from streamtrader.config_report import all_keys
from streamtrader.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def write(tmp_path):
    def write(text, name="settings.toml"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def told(files=(), overrides=(), environ=None, directory=Path("/nonexistent")):
    with pytest.raises(ConfigError) as caught:
        load_settings(files, overrides, environ or {}, directory=directory)
    return str(caught.value)


def test_the_file_in_the_repository_says_the_defaults_of_the_code(tmp_path):
    from_file = load_settings([ROOT / "config.toml"], directory=tmp_path)

    assert DEFAULTS.as_json() == from_file.as_json()


def test_the_file_in_the_repository_mentions_every_setting():
    text = (ROOT / "config.toml").read_text()

    missing = [key for key in all_keys(type(DEFAULTS)) if key.rpartition(".")[2] not in text]

    assert [] == missing


def test_later_sources_win(write, tmp_path):
    write(
        "[engine]\ncash_quote = 1.0\n[run]\nroot = 'a'\n[candles]\ninterval_s = 1\n[log]\nlevel = 'debug'",
        "config.toml",
    )
    further = write("[engine]\ncash_quote = 2.0\n[run]\nroot = 'b'\n[candles]\ninterval_s = 2", "further.toml")
    environ = {"STREAMTRADER__ENGINE__CASH_QUOTE": "3", "STREAMTRADER__RUN__ROOT": "c"}

    settings = load_settings([further], ["engine.cash_quote=4"], environ, directory=tmp_path)

    assert ("debug", 2, "c", 4.0) == (
        settings.log.level,
        settings.candles.interval_s,
        settings.run.root,
        settings.engine.cash_quote,
    )
    assert [f"{tmp_path}/config.toml:8", f"{further}:6", "STREAMTRADER__RUN__ROOT", "--set engine.cash_quote"] == [
        str(settings.origin(path)) for path in ("log.level", "candles.interval_s", "run.root", "engine.cash_quote")
    ]
    assert "default" == str(settings.origin("metrics.port"))


def test_no_file_is_needed(tmp_path):
    assert DEFAULTS.as_json() == load_settings(directory=tmp_path).as_json()


def test_every_mistake_is_told_at_once_with_its_line(write):
    file = write(
        "[engine]\n"
        'cash_quote = "ten"\n'
        "[risk.max_positon]\n"
        "limit = 1.0\n"
        "[exchange]\n"
        "speed = 0\n"
        "sead = 3\n"
        "[[strategies]]\n"
        'name = "EmaCross"\n'
        "[[strategies]]\n"
        'instruments = ["BTCUSDT"]\n'
    )

    message = told([file, file.with_name("none.toml")], ["metrics.port=99999"], {"STREAMTRADER__LOG__LEVEL": "loud"})

    assert message.splitlines() == [
        "8 mistakes in the settings:",
        f"  {file.with_name('none.toml')}: cannot be read: No such file or directory",
        f'  {file}:2: engine.cash_quote = "ten" must be a number',
        f"  {file}:3: risk.max_positon is unknown; did you mean risk.max_position?",
        f'  {file}:6: exchange.speed = 0 must be a number above 0, or "max"',
        f"  {file}:7: exchange.sead is unknown; did you mean exchange.seed?",
        f"  {file}:10: strategies.1.name must be given",
        "  --set metrics.port: metrics.port = 99999 must be less than or equal to 65535",
        "  STREAMTRADER__LOG__LEVEL: log.level = \"loud\" must be 'debug', 'info', 'warning' or 'error'",
    ]


def test_a_key_of_another_section_is_recognised(write):
    assert "exchange.level is unknown; did you mean log.level?" in told([write("[exchange]\nlevel = 1")])


def test_an_unknown_section_is_told_with_the_place_where_it_was_written():
    with pytest.raises(ConfigError, match=r"--set enginee.cash_quote: enginee is unknown; did you mean engine\?"):
        load_settings([], ["enginee.cash_quote=5"], {})


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "-1.0", "true", '"1"', "[]", "2024-01-01"])
@pytest.mark.parametrize(
    "path", ["engine.cash_quote", "risk.max_position.limit", "simulator.up_latency_ms", "run.flush_every_ms"]
)
def test_a_number_that_makes_no_sense_is_refused(write, path, number):
    section, _, key = path.rpartition(".")

    assert f":2: {path} = " in told([write(f"[{section}]\n{key} = {number}")])


@pytest.mark.parametrize("speed", ["nan", "inf", "-1", "true", '"fast"', "0", "[1]"])
def test_a_speed_is_a_number_above_zero_or_max(write, speed):
    assert 'must be a number above 0, or "max"' in told([write(f"exchange.speed = {speed}")])
    assert "max" == load_settings(overrides=["exchange.speed=max"]).exchange.speed
    assert 10.0 == load_settings(overrides=["exchange.speed=10"]).exchange.speed


def test_a_parameter_of_a_strategy_must_be_finite(write):
    file = write('[[strategies]]\nname = "EmaCross"\nparameters = { size = nan, fast_span = "x", is_short = true }')

    message = told([file])

    assert f"{file}:3: strategies.0.parameters.size = nan must be a finite number" in message
    assert f'{file}:3: strategies.0.parameters.fast_span = "x" must be a finite number' in message
    assert "is_short" not in message


def test_broken_toml_is_told_with_its_line_and_the_other_files_are_still_read(write):
    broken, other = write("[engine]\ncash_quote =\n", "broken.toml"), write("[log]\nlevel = 1", "other.toml")

    message = told([broken, other])

    assert f"{broken}:2: is not TOML" in message
    assert f"{other}:2: log.level = 1 must be" in message


def test_a_file_that_is_no_text_is_told(tmp_path):
    file = tmp_path / "binary.toml"
    file.write_bytes(b"[log]\n\xff\xfe")

    assert f"{file}:2: is not UTF-8 text" in told([file])


@pytest.mark.parametrize(
    "line",
    [
        'api_key = "canary-5f2"',
        'binance_secret = "canary-5f2"',
        f'client = "canary-5f2-{"aB3" * 20}"',
        f'rest_url = "{"0123456789abcdef" * 3}"',
        'nested = { password = "canary-5f2" }',
    ],
)
def test_what_looks_like_a_secret_is_refused_and_not_repeated(write, line):
    message = told([write(f"[venue]\n{line}")])

    assert "looks like a secret" in message
    assert ":2: venue." in message
    assert "canary" not in message
    assert "0123456789abcdef" not in message


def test_a_secret_on_the_command_line_or_in_a_setting_of_the_environment_is_refused_too():
    message = told(overrides=["venue.api_key=canary-5f2"], environ={"STREAMTRADER__VENUE__SECRET": "canary-5f2"})

    assert 2 == message.count("looks like a secret")
    assert "canary" not in message


def test_a_url_may_not_carry_a_password():
    assert "must not carry a user name or password" in told(overrides=["venue.rest_url=https://me:word@host/"])
    assert "must be empty or start with ws://" in told(overrides=["venue.websocket_url=https://host/"])


def test_an_override_can_reach_into_a_list_and_text_stays_text():
    settings = load_settings(
        overrides=[
            "strategies.1.parameters.fast_span=5",
            "run.root=2024",
            "exchange.symbols=BTCUSDT, SOLUSDT",
            "risk.drawdown.is_enabled=false",
        ],
        directory=Path("/nonexistent"),
    )

    assert {"fast_span": 5} == settings.strategies[1].parameters
    assert "ImbalanceMaker" == settings.strategies[0].name
    assert "2024" == settings.run.root
    assert ("BTCUSDT", "SOLUSDT") == settings.exchange.symbols
    assert not settings.risk.drawdown.is_enabled


@pytest.mark.parametrize(
    "text", ["engine.cash_quote = " + "9" * 5_000, "a = " + "[" * 5_000, "[" * 5_000, "a." * 5_000]
)
def test_a_file_that_python_itself_gives_up_on_is_told(write, text):
    file = write(text)

    assert f"{file}" in told([file])
    assert "engine.cash_quote" in told(overrides=["engine.cash_quote=" + "9" * 5_000])


@pytest.mark.parametrize("override", ["engine", "=1", "engine.=1", "..=1", ""])
def test_an_override_that_is_none_is_told(override):
    assert "must have the form section.key=value" in told(overrides=[override])


def test_a_place_that_a_list_does_not_have_is_told():
    assert "has no such place" in told(overrides=["strategies.9.name=EmaCross"])


def test_a_port_counts_as_chosen_unless_it_is_the_default_of_a_file(write):
    nowhere = Path("/nonexistent")

    assert not load_settings(directory=nowhere).is_chosen("metrics.port")
    assert not load_settings([ROOT / "config.toml"], directory=nowhere).is_chosen("metrics.port")
    assert load_settings([write("metrics.port = 9000")], directory=nowhere).is_chosen("metrics.port")
    assert load_settings(overrides=["metrics.port=9464"], directory=nowhere).is_chosen("metrics.port")


def test_settings_cannot_change():
    with pytest.raises(ValueError, match="frozen"):
        DEFAULTS.engine.cash_quote = 1.0


KEYS = st.sampled_from(["a", "b_1", '"quoted key"', "'x=y'", '"# no"'])
VALUES = st.sampled_from(
    ["1", '"[table]"', "[\n  1, # one\n  2,\n]", '"""\n[not]\na = 1\n"""', "{ b = 1 }", "'''\nq = 1'''"]
)


@given(st.lists(st.tuples(st.sampled_from(["", "[t]", "[t.u]", "[[l]]", "[l.m]"]), KEYS, VALUES), max_size=12))
def test_the_line_of_a_key_holds_that_key(blocks):
    """Whatever valid TOML we put together, the line found for each key is one that starts with it."""
    text = "".join(f"{header}\n{key} = {value}\n" for header, key, value in blocks)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return

    lines = text.split("\n")

    for path, number in key_lines(text).items():
        name = str([part for part in path if isinstance(part, str)][-1])
        assert name.strip("\"'") in lines[number - 1] or name in lines[number - 1]


@given(st.binary(max_size=200))
def test_no_bytes_of_a_file_end_in_anything_but_settings_or_a_clear_error(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("config") / "any.toml"
    file.write_bytes(content)

    try:
        load_settings([file], directory=file.parent)
    except ConfigError as error:
        assert str(file) in str(error)
