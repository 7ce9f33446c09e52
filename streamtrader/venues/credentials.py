"""Keys of a venue, where they come from, and how they stay unseen.

A key comes from an environment variable, or from a file that `<variable>_FILE` names and nobody else may read (a
systemd credential, a mounted secret). It is never a setting, so that no manifest, log or error of a setting can hold
it. In memory it is a `Secret`: whatever prints, formats or serialises one gets `***`; only `reveal` gives the text,
and only what is about to be sent calls it. Errors name the variable, never what is in it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from streamtrader.errors import ConfigError

HIDDEN = "***"
SECRET_BYTES_MOST = 4_096
SHORTEST_HIDDEN = 4  # a shorter text would be found, and hidden, in every word


class Secret:
    """A text that shows itself to nobody who does not ask by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the message that is sent to the venue, and for nothing else."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return HIDDEN

    def __format__(self, specification: str) -> str:
        return HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied or stored")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a venue knows an account by: the id of the key, and the secret that proves it. Both are hidden."""

    key: Secret
    secret: Secret

    def hide(self, text: str) -> str:
        """A text of the venue's, such as an error, that may repeat what was sent to it."""
        for secret in (self.secret, self.key):
            shown = secret.reveal()
            if len(shown) >= SHORTEST_HIDDEN:
                text = text.replace(shown, HIDDEN)
        return text


def credentials_of(environ: Mapping[str, str], key_name: str, secret_name: str) -> Credentials | None:
    """The pair of variables, None where neither is set; ConfigError for half a pair and for what can be no key."""
    key, secret = (_secret_of(environ, name) for name in (key_name, secret_name))
    if key is None and secret is None:
        return None
    if key is None or secret is None:
        missing = key_name if key is None else secret_name
        raise ConfigError(f"{missing} is not set, but its other half is: set both, or none")
    return Credentials(key, secret)


def _secret_of(environ: Mapping[str, str], name: str) -> Secret | None:
    path = environ.get(f"{name}_FILE", "")
    if path and name in environ:
        raise ConfigError(f"both {name} and {name}_FILE are set: which one counts is not guessed; unset one")
    text = _read(path, f"{name}_FILE") if path else environ.get(name)
    if text is None:
        return None
    if not text or not text.isascii() or not text.isprintable() or any(mark in text for mark in " \"'$<>{}"):
        raise ConfigError(
            f"{name} can be no key: it is empty, or holds blanks, line breaks, quotes or a prompt's characters; "
            "copy it again, without what stands around it"
        )
    return Secret(text)


def _read(path: str, name: str) -> str:
    """The content of a file that its owner alone may read, without the line end that editors add."""
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(SECRET_BYTES_MOST)
    except OSError as error:
        raise ConfigError(f"the file that {name} names cannot be read: {error.strerror or 'no such file'}") from None
    if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"the file that {name} names can be read by others: `chmod 600` it, and renew the key")
    return content.decode("ascii", "replace").removesuffix("\n").removesuffix("\r")
