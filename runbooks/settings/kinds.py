"""What each setting may be: one reader for each kind of value."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runbooks.inventory.names import short, user_problem
from runbooks.settings.layer import Layer

_BATCH = re.compile(r"[1-9][0-9]{0,5}|(?:[1-9][0-9]?|100)%")
_JOURNAL = re.compile(r"(sqlite:///|postgresql(\+psycopg)?://).+")
_YES_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}

Kind = Callable[[Any, Layer, str], Any]


def a_line(value: Any, layer: Layer, key: str) -> str:
    """Read one line of text."""
    if not isinstance(value, str):
        raise layer.fail(key, f"must be text, not {short(repr(value), 40)}")
    text = value.strip()
    # A leading dash would be an option to git or ssh.
    if not text or not text.isprintable() or text.startswith("-"):
        raise layer.fail(key, f"must be one line of text that doesn't begin with '-', not {short(repr(value), 40)}")
    return text


def a_user(value: Any, layer: Layer, key: str) -> str:
    """Read the name of an account."""
    text = a_line(value, layer, key)
    if wrong := user_problem(text):
        raise layer.fail(key, f"{short(text)} {wrong}")
    return text


def a_path(value: Any, layer: Layer, key: str) -> Path:
    """Read a path on this machine."""
    text = str(value) if isinstance(value, Path) else a_line(value, layer, key)
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise layer.fail(key, f"{short(text)}: {error}") from error
    return Path(layer.root, path).absolute()


def a_location(value: Any, layer: Layer, key: str) -> str:
    """Read a git URL; one that begins with ``./`` or ``../`` is a path."""
    text = a_line(value, layer, key)
    return str(a_path(text, layer, key).resolve()) if text.startswith(("./", "../", "~/")) else text


def a_host_path(value: Any, layer: Layer, key: str) -> str:
    """Read a path on a host, which has no directory of ours to start from."""
    text = a_line(value, layer, key)
    if not text.startswith("/"):
        raise layer.fail(key, f"is a path on the hosts and must begin with '/', not {short(text)}")
    return text


def a_journal(value: Any, layer: Layer, key: str) -> str:
    """Read where the journal is."""
    text = value.strip() if isinstance(value, str) else ""
    if not _JOURNAL.fullmatch(text) or not text.isprintable():
        # The value may hold a password, so it isn't repeated.
        raise layer.fail(key, "must be sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    if text.startswith("sqlite:///"):
        return f"sqlite:///{a_path(text.removeprefix('sqlite:///'), layer, key)}"
    return text


def a_web_url(value: Any, layer: Layer, key: str) -> str:
    """Read the address of a web service."""
    text = a_line(value, layer, key).rstrip("/")
    if not re.fullmatch(r"https?://[^@\s]+", text):
        raise layer.fail(key, "must be https://HOST, without a user or password in it")
    return text


def formed(pattern: str, what: str) -> Kind:
    """Read text of a form."""

    def read(value: Any, layer: Layer, key: str) -> str:
        text = a_line(value, layer, key)
        if not re.fullmatch(pattern, text):
            raise layer.fail(key, f"must be {what}, not {short(text)}")
        return text

    return read


def a_pattern(value: Any, layer: Layer, key: str) -> str:
    """Read a regular expression."""
    text = a_line(value, layer, key)
    try:
        re.compile(text)
    except re.error as error:
        raise layer.fail(key, f"is no regular expression: {error}") from error
    return text


def a_vote(value: Any, layer: Layer, key: str) -> tuple[str, int]:
    """Read a vote, ``Code-Review=2``, as a pair."""
    found = re.fullmatch(r"([A-Za-z][A-Za-z0-9-]*)=\+?([0-9])", value) if isinstance(value, str) else None
    if found is None:
        raise layer.fail(key, f"must be a list of votes (Code-Review=2), not {short(repr(value), 40)}")
    return found[1], int(found[2])


def a_flag(value: Any, layer: Layer, key: str) -> bool:
    """Read true or false."""
    if layer.textual and isinstance(value, str) and value.lower() in _YES_NO:
        return _YES_NO[value.lower()]
    if not isinstance(value, bool):
        raise layer.fail(key, f"must be true or false, not {short(repr(value), 40)}")
    return value


def whole(low: int, high: int) -> Kind:
    """Read a whole number within bounds."""

    def read(value: Any, layer: Layer, key: str) -> int:
        if layer.textual and isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise layer.fail(key, f"must be a whole number, not {short(repr(value), 40)}")
        if not low <= value <= high:
            raise layer.fail(key, f"must be from {low} to {high}, not {value}")
        return value

    return read


def a_batch(value: Any, layer: Layer, key: str) -> str:
    """Read a number of hosts, or a percentage."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _BATCH.fullmatch(text):
        raise layer.fail(key, f"must be a number of hosts (10) or a percentage (5%), not {short(repr(value), 40)}")
    return text


def one_of(*words: str) -> Kind:
    """Read one of some words."""

    def read(value: Any, layer: Layer, key: str) -> str:
        if value not in words:
            raise layer.fail(key, f"must be {' or '.join(words)}, not {short(repr(value), 40)}")
        return str(value)

    return read


def list_of(kind: Kind) -> Kind:
    """Read a list, each of a kind."""

    def read(value: Any, layer: Layer, key: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or not value:
            raise layer.fail(key, f"must be a list of words, not {short(repr(value), 40)}")
        return tuple(kind(word, layer, key) for word in value)

    return read


def some_sources(value: Any, layer: Layer, key: str) -> tuple[str, ...]:
    """Read sources as one text: over a list in a file, Invoke meets the environment with a traceback."""
    words = [word.strip() for word in value.split(",")] if isinstance(value, str) else []
    if not words or len(set(words)) < len(words):
        raise layer.fail(key, f"must be words with commas, each once (yaml, netbox), not {short(repr(value), 40)}")
    return tuple(one_of("yaml", "netbox", "racktables")(word, layer, key) for word in words)


def _word(value: Any, layer: Layer, key: str) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise layer.fail(key, f"must be a list of words; {short(repr(value), 40)} is none: quote it")
    return value


def an_argv(value: Any, layer: Layer, key: str) -> tuple[str, ...]:
    """Read the words of a command."""
    words: tuple[str, ...] = list_of(_word)(value, layer, key)
    a_line(words[0], layer, key)
    return words


def a_verify(value: Any, layer: Layer, key: str) -> bool | str:
    """Read true, false, or the path of a CA bundle."""
    return value if isinstance(value, bool) else str(a_path(value, layer, key))
