"""Keys: from where they may come, what can be none, and that nothing prints one."""

from __future__ import annotations

import copy
import json
import os
import pickle

import msgspec
import orjson
import pytest

from streamtrader.errors import ConfigError
from streamtrader.venues.credentials import Credentials, Secret, credentials_of

CANARY = "canary-SECRET-0123456789"
NAMES = ("DEMO_KEY", "DEMO_SECRET")


def test_a_secret_shows_itself_only_when_it_is_revealed():
    secret = Secret(CANARY)

    assert secret.reveal() == CANARY
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", repr([secret])]
    assert not any(CANARY in text for text in shown)
    assert not any("canary" in text for text in (repr(Credentials(secret, secret)), repr(vars(Secret))))


@pytest.mark.parametrize("dump", [pickle.dumps, copy.deepcopy, json.dumps, orjson.dumps, msgspec.json.encode])
def test_a_secret_is_not_serialised(dump):
    with pytest.raises(TypeError) as failure:
        dump(Secret(CANARY))

    assert CANARY not in str(failure.value)


def test_a_text_of_the_venue_loses_what_was_sent_to_it():
    credentials = Credentials(Secret("KEY0123"), Secret(CANARY))

    assert credentials.hide(f"no such pair KEY0123/{CANARY}!") == "no such pair ***/***!"


def test_credentials_come_in_pairs():
    assert credentials_of({}, *NAMES) is None
    found = credentials_of({"DEMO_KEY": "a1", "DEMO_SECRET": CANARY}, *NAMES)
    assert (found.key.reveal(), found.secret.reveal()) == ("a1", CANARY)
    with pytest.raises(ConfigError, match="DEMO_SECRET is not set") as failure:
        credentials_of({"DEMO_KEY": CANARY}, *NAMES)
    assert CANARY not in str(failure.value)


@pytest.mark.parametrize(
    "text", ["", f"{CANARY}\n", f" {CANARY}", f'"{CANARY}"', f"$ {CANARY}", f"<{CANARY}>", "schlüssel"]
)
def test_what_was_copied_with_its_surroundings_is_no_key(text):
    with pytest.raises(ConfigError, match="DEMO_KEY can be no key") as failure:
        credentials_of({"DEMO_KEY": text, "DEMO_SECRET": "b"}, *NAMES)

    assert CANARY not in str(failure.value)


def test_a_key_may_lie_in_a_file_that_its_owner_alone_can_read(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    environ = {"DEMO_KEY": "a1", "DEMO_SECRET_FILE": str(path)}

    assert credentials_of(environ, *NAMES).secret.reveal() == CANARY
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        credentials_of(environ, *NAMES)
    with pytest.raises(ConfigError, match="both DEMO_SECRET and DEMO_SECRET_FILE"):
        credentials_of(environ | {"DEMO_SECRET": "x"}, *NAMES)


def test_a_file_that_is_not_there_is_named_by_its_variable():
    with pytest.raises(ConfigError, match="DEMO_SECRET_FILE names cannot be read"):
        credentials_of({"DEMO_KEY": "a", "DEMO_SECRET_FILE": os.devnull + "/none"}, *NAMES)
