"""What each setting may be: one reader for each kind of value, and the table of all keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbooks.errors import SettingsError
from runbooks.inventory.names import short, user_problem

_BATCH = re.compile(r"[1-9][0-9]{0,5}|(?:[1-9][0-9]?|100)%")
_JOURNAL = re.compile(r"(sqlite:///|postgresql(\+psycopg)?://).+")
_YES_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one place: ``where`` is how a message names it, ``root`` where its relative paths start.

    ``textual`` says that values may come as text that stands for numbers and yes or no (the environment).
    """

    values: Mapping[str, Any]
    where: str
    root: Path
    textual: bool = False

    def fail(self, key: str, message: str) -> SettingsError:
        """Return (not raise) the error for a key."""
        return SettingsError(f"{self.where}: {key} {message}")


Kind = Callable[[Any, Layer, str], Any]


def _text(value: Any, layer: Layer, key: str) -> str:
    if not isinstance(value, str):
        raise layer.fail(key, f"must be text, not {short(repr(value), 40)}")
    text = value.strip()
    # A leading dash would be an option to git or ssh.
    if not text or not text.isprintable() or text.startswith("-"):
        raise layer.fail(key, f"must be one line of text that doesn't begin with '-', not {short(repr(value), 40)}")
    return text


def _user(value: Any, layer: Layer, key: str) -> str:
    text = _text(value, layer, key)
    if wrong := user_problem(text):
        raise layer.fail(key, f"{short(text)} {wrong}")
    return text


def _path(value: Any, layer: Layer, key: str) -> Path:
    text = str(value) if isinstance(value, Path) else _text(value, layer, key)
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise layer.fail(key, f"{short(text)}: {error}") from error
    return Path(layer.root, path).absolute()


def _location(value: Any, layer: Layer, key: str) -> str:
    """Read a git URL; one that begins with ``./`` or ``../`` is a path."""
    text = _text(value, layer, key)
    return str(_path(text, layer, key).resolve()) if text.startswith(("./", "../", "~/")) else text


def _host_path(value: Any, layer: Layer, key: str) -> str:
    """Read a path on a host, which has no directory of ours to start from."""
    text = _text(value, layer, key)
    if not text.startswith("/"):
        raise layer.fail(key, f"is a path on the hosts and must begin with '/', not {short(text)}")
    return text


def _journal(value: Any, layer: Layer, key: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not _JOURNAL.fullmatch(text) or not text.isprintable():
        # The value may hold a password, so it isn't repeated.
        raise layer.fail(key, "must be sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    if text.startswith("sqlite:///"):
        return f"sqlite:///{_path(text.removeprefix('sqlite:///'), layer, key)}"
    return text


def _web_url(value: Any, layer: Layer, key: str) -> str:
    text = _text(value, layer, key).rstrip("/")
    if not re.fullmatch(r"https?://[^@\s]+", text):
        raise layer.fail(key, "must be https://HOST, without a user or password in it")
    return text


def _formed(pattern: str, what: str) -> Kind:
    """Read text of a form."""

    def read(value: Any, layer: Layer, key: str) -> str:
        text = _text(value, layer, key)
        if not re.fullmatch(pattern, text):
            raise layer.fail(key, f"must be {what}, not {short(text)}")
        return text

    return read


def _vote(value: Any, layer: Layer, key: str) -> tuple[str, int]:
    found = re.fullmatch(r"([A-Za-z][A-Za-z0-9-]*)=\+?([0-9])", value) if isinstance(value, str) else None
    if found is None:
        raise layer.fail(key, f"must be a list of votes (Code-Review=2), not {short(repr(value), 40)}")
    return found[1], int(found[2])


def _flag(value: Any, layer: Layer, key: str) -> bool:
    if layer.textual and isinstance(value, str) and value.lower() in _YES_NO:
        return _YES_NO[value.lower()]
    if not isinstance(value, bool):
        raise layer.fail(key, f"must be true or false, not {short(repr(value), 40)}")
    return value


def _whole(low: int, high: int) -> Kind:
    def read(value: Any, layer: Layer, key: str) -> int:
        if layer.textual and isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise layer.fail(key, f"must be a whole number, not {short(repr(value), 40)}")
        if not low <= value <= high:
            raise layer.fail(key, f"must be from {low} to {high}, not {value}")
        return value

    return read


def _batch(value: Any, layer: Layer, key: str) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _BATCH.fullmatch(text):
        raise layer.fail(key, f"must be a number of hosts (10) or a percentage (5%), not {short(repr(value), 40)}")
    return text


def _one_of(*words: str) -> Kind:
    def read(value: Any, layer: Layer, key: str) -> str:
        if value not in words:
            raise layer.fail(key, f"must be {' or '.join(words)}, not {short(repr(value), 40)}")
        return str(value)

    return read


def _list_of(kind: Kind) -> Kind:
    def read(value: Any, layer: Layer, key: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or not value:
            raise layer.fail(key, f"must be a list of words, not {short(repr(value), 40)}")
        return tuple(kind(word, layer, key) for word in value)

    return read


def _sources(value: Any, layer: Layer, key: str) -> tuple[str, ...]:
    """Read sources as one text: over a list in a file, Invoke meets the environment with a traceback."""
    words = [word.strip() for word in value.split(",")] if isinstance(value, str) else []
    if not words or len(set(words)) < len(words):
        raise layer.fail(key, f"must be words with commas, each once (yaml, netbox), not {short(repr(value), 40)}")
    return tuple(_one_of("yaml", "netbox", "racktables")(word, layer, key) for word in words)


def _word(value: Any, layer: Layer, key: str) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise layer.fail(key, f"must be a list of words; {short(repr(value), 40)} is none: quote it")
    return value


def _argv(value: Any, layer: Layer, key: str) -> tuple[str, ...]:
    words: tuple[str, ...] = _list_of(_word)(value, layer, key)
    _text(words[0], layer, key)
    return words


def _verify(value: Any, layer: Layer, key: str) -> bool | str:
    return value if isinstance(value, bool) else str(_path(value, layer, key))


_ldap_url = _formed(r"ldaps?://[A-Za-z0-9.\[\]:-]+", "ldap://HOST (secured by StartTLS) or ldaps://HOST")
_ldap_filter = _formed(r"\(.+\)", "an LDAP filter in parentheses")
_attribute = _formed(r"[A-Za-z][A-Za-z0-9-]*", "a list of LDAP attributes (mail)")
_label = _formed(r"[A-Za-z_][A-Za-z0-9_]*", "the name of a label (instance)")
_kex = _formed(r"[a-z0-9@.-]+", "a list of key exchange algorithms (curve25519-sha256)")
_SECONDS = _whole(1, 86_400)

#: Every key there is, with what reads its value.
KEYS: Mapping[str, Kind] = {
    "inventory": _path,
    "journal": _journal,
    "ssh.config": _path,
    "ssh.user": _user,
    "ssh.sudo": _flag,
    "ssh.connect_timeout_s": _SECONDS,
    "ssh.command_timeout_s": _SECONDS,
    "ssh.max_connections": _whole(1, 10_000),
    "ssh.keepalive_s": _SECONDS,
    "ssh.client": _one_of("libssh", "fabric"),
    "ssh.key_exchange": _list_of(_kex),
    "repository.url": _location,
    "repository.branch": _text,
    "repository.registry": _text,
    "repository.cache": _path,
    "puppet.agent": _argv,
    "puppet.disable": _argv,
    "puppet.enable": _argv,
    "puppet.state_dirs": _list_of(_host_path),
    "puppet.servers": _text,
    "puppet.server_checkout": _host_path,
    "puppet.run_timeout_s": _SECONDS,
    "puppet.wait_s": _whole(0, 86_400),
    "gerrit.url": _web_url,
    "gerrit.project": _text,
    "gerrit.user": _text,
    "gerrit.password_file": _path,
    "gerrit.votes": _list_of(_vote),
    "gerrit.ca": _path,
    "gerrit.timeout_s": _SECONDS,
    "private.host": _text,
    "private.checkout": _host_path,
    "private.root_keys": _text,
    "ldap.url": _ldap_url,
    "ldap.ca": _path,
    "ldap.bind_dn": _text,
    "ldap.password_file": _path,
    "ldap.people": _text,
    "ldap.groups": _text,
    "ldap.staff": _text,
    "ldap.others": _text,
    "ldap.domains": _list_of(_text),
    "ldap.privileged": _list_of(_text),
    "ldap.connect_timeout_s": _SECONDS,
    "ldap.answer_timeout_s": _SECONDS,
    "corporate.url": _ldap_url,
    "corporate.ca": _path,
    "corporate.bind_dn": _text,
    "corporate.password_file": _path,
    "corporate.people": _text,
    "corporate.mail": _list_of(_attribute),
    "corporate.gone": _ldap_filter,
    "corporate.connect_timeout_s": _SECONDS,
    "corporate.answer_timeout_s": _SECONDS,
    "alertmanager.url": _web_url,
    "alertmanager.ca": _path,
    "alertmanager.label": _label,
    "alertmanager.user": _text,
    "alertmanager.password_file": _path,
    "alertmanager.token_file": _path,
    "alertmanager.timeout_s": _SECONDS,
    "access.legal": _text,
    "access.data_groups": _list_of(_text),
    "access.archive": _host_path,
    "oob.user": _text,
    "oob.password_file": _path,
    "oob.keyring": _text,
    "oob.ca": _path,
    "oob.critical": _list_of(_text),
    "oob.timeout_s": _SECONDS,
    "oob.power_s": _SECONDS,
    "oob.shutdown_s": _SECONDS,
    "oob.boot_s": _SECONDS,
    "reboot.command": _argv,
    "reboot.boot_s": _SECONDS,
    "hardware.sources": _sources,
    "netbox.url": _web_url,
    "netbox.ca": _path,
    "netbox.token_file": _path,
    "netbox.timeout_s": _SECONDS,
    "netbox.bmc": _list_of(_one_of("oob_ip", "mgmt_address", "mgmt_name")),
    "racktables.host": _text,
    "racktables.port": _whole(1, 65_535),
    "racktables.database": _text,
    "racktables.user": _text,
    "racktables.password_file": _path,
    "racktables.ca": _path,
    "racktables.timeout_s": _SECONDS,
    "racktables.bmc": _list_of(_text),
    "puppetdb.host": _text,
    "puppetdb.port": _whole(1, 65_535),
    "puppetdb.scheme": _one_of("https", "http"),
    "puppetdb.timeout": _SECONDS,
    "puppetdb.ssl_verify": _verify,
    "puppetdb.ssl_client_cert": _path,
    "puppetdb.ssl_client_key": _path,
    "ask_above": _whole(0, 1_000_000),
    "batch_size": _batch,
    "lease.expires_s": _whole(2, 86_400),
    "lease.heartbeat_s": _SECONDS,
}

SECTIONS = frozenset(key.partition(".")[0] for key in KEYS if "." in key)
