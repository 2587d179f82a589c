"""A host's ``bmc`` mapping in the YAML inventory: how its board controller is reached. No password is in it.

``bmc: {address: 198.18.8.11, drivers: [redfish, ipmi], user: ops, password_file: bmc.secret, ca: bmc-ca.pem}``
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from yaml.nodes import Node, ScalarNode

from runbooks.inventory.names import address_problem, short, suggest
from runbooks.inventory.yaml_file import YamlFile

# As hexadecimal digits, with colons or without, or as ssh writes it.
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31}|SHA256:[A-Za-z0-9+/]{43}=?")
_SECRET = re.compile(r"pass|secret|token|credential|pwd|^pw$|^pin$", re.IGNORECASE)


def _address(file: YamlFile, node: Node, what: str) -> str:
    text = file.text(node, what)
    if wrong := address_problem(text):
        raise file.fail(node, f"{what}: {short(text)} {wrong}")
    return text


def _word(file: YamlFile, node: Node, what: str) -> str:
    """One word that no program takes for an option."""
    text = file.text(node, what)
    if text.startswith("-") or " " in text:
        raise file.fail(node, f"{what} must be one word that doesn't begin with '-', not {short(text)}")
    return text


def _drivers(file: YamlFile, node: Node, what: str) -> tuple[str, ...]:
    names = file.texts(node, what)
    if not names:
        raise file.fail(node, f"{what} is empty: name a driver or take the line out")
    return names


def _port(file: YamlFile, node: Node, what: str) -> int:
    return file.whole(node, what, 1, 65535)


def _path(file: YamlFile, node: Node, what: str) -> str:
    text = file.text(node, what)
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise file.fail(node, f"{what}: {short(text)}: {error}") from error
    return str((file.path.parent / path).absolute())


def _fingerprints(file: YamlFile, node: Node, what: str) -> tuple[str, ...]:
    """One, or a list: a certificate's and a host key's."""
    texts = (file.text(node, what),) if isinstance(node, ScalarNode) else file.texts(node, what)
    for text in texts:
        if not _FINGERPRINT.fullmatch(text):
            must = "must be of SHA-256: 64 hexadecimal digits, or SHA256:..."
            raise file.fail(node, f"{what} {must}, not {short(text, 40)}")
    return texts


_KEYS: Mapping[str, Callable[[YamlFile, Node, str], Any]] = {
    "address": _address,
    "driver": _word,
    "drivers": _drivers,
    "port": _port,
    "user": _word,
    "ca": _path,
    "fingerprint": _fingerprints,
    "password_file": _path,
    "console": YamlFile.text,
}


def read_bmc(file: YamlFile, node: Node, what: str) -> Mapping[str, Any]:
    """A host's ``bmc``. Keys, all optional:

    ``address`` (IP or name), ``driver`` (one) or ``drivers`` (several, the preferred one first), ``port``, ``user``,
    ``ca`` and ``password_file`` (absolute paths; relative ones start at the file), ``fingerprint`` (SHA-256 of a
    certificate or host key, or a list of both), ``console`` (the command that opens it). Raises InventoryError.
    """
    values: dict[str, Any] = {}
    nodes: dict[str, Node] = {}
    for key, key_node, value in file.items(node, what):
        if key not in _KEYS:
            raise file.fail(key_node, f"{what}: {_unknown(key)}")
        nodes[key] = value
        values[key] = _KEYS[key](file, value, f"{what}: {key}")
    if "driver" in values and "drivers" in values:
        raise file.fail(nodes["drivers"], f"{what}: driver and drivers are both there: write drivers alone")
    return MappingProxyType(values)


def _unknown(key: str) -> str:
    if _SECRET.search(key):
        # Neither the value, nor a hint that would make it a file's name.
        return (
            f"{short(key, 40)} looks like a secret, which has no place in the inventory: it goes into the environment, "
            "a file of mode 600 (password_file: PATH) or the keyring"
        )
    return f"{short(key, 40)} is no key{suggest(key, _KEYS)}: {', '.join(_KEYS)} are"
