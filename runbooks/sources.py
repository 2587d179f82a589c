"""Where hardware is looked up: the sources that the settings name, opened in their order, and asked together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runbooks.errors import SettingsError, Unreachable
from runbooks.inventory import Inventory
from runbooks.inventory.hardware import HardwareSource, LookedUp, YamlHardware, look_up
from runbooks.secret import find
from runbooks.settings import Settings

NETBOX_TOKEN = "OPS_CLINIC_NETBOX_TOKEN"
RACKTABLES_PASSWORD = "OPS_CLINIC_RACKTABLES_PASSWORD"
"""The environment variables that secrets may be in."""
CHOICE = "INVOKE_OPS_CLINIC_HARDWARE_SOURCES"
"""The environment variable that goes over ``hardware.sources``, with commas."""


def open_sources(settings: Settings, inventory: Inventory) -> Sequence[HardwareSource]:
    """The sources in the order of ``hardware.sources``; none is asked yet. Raises SettingsError."""
    openers: Mapping[str, Callable[[], HardwareSource]] = {
        "yaml": lambda: YamlHardware(inventory.hosts),
        "netbox": lambda: _netbox(settings, inventory),
        "racktables": lambda: _racktables(settings, inventory),
    }
    return [openers[name]() for name in settings.hardware.sources]


def ask(sources: Sequence[HardwareSource], hosts: Sequence[str]) -> Mapping[str, LookedUp]:
    """What all sources know of hosts. None is left out in silence: a host of which one of them says something else
    would look sound. Raises Unreachable, which says how to leave that one out; SettingsError, InventoryError."""
    try:
        return look_up(sources, hosts)
    except Unreachable as error:
        rest = [source.name for source in sources if source.name != error.target] or ["yaml"]
        how = f"to go on without it, and without its contradictions: {CHOICE}={','.join(rest)} inv ..."
        raise type(error)(error.target, f"{error.why}; {how}") from error


def _netbox(settings: Settings, inventory: Inventory) -> HardwareSource:
    from runbooks.inventory.netbox import Netbox

    chosen = settings.netbox
    if not chosen.url:
        raise _unset("netbox.url", "where Netbox is")
    _refuse_missing(chosen.ca, "netbox.ca")
    token = find(NETBOX_TOKEN, chosen.token_file, "netbox.token_file")
    return Netbox(chosen.url, token, chosen.ca, chosen.timeout_s, chosen.bmc, inventory.hosts.keys())


def _racktables(settings: Settings, inventory: Inventory) -> HardwareSource:
    from runbooks.inventory.racktables import RackTables

    chosen = settings.racktables
    if not chosen.host:
        raise _unset("racktables.host", "where the database of RackTables is")
    if not chosen.user:
        raise _unset("racktables.user", "who we are there")
    _refuse_missing(chosen.ca, "racktables.ca")
    return RackTables(
        host=chosen.host,
        user=chosen.user,
        password=find(RACKTABLES_PASSWORD, chosen.password_file, "racktables.password_file"),
        port=chosen.port,
        database=chosen.database,
        ca=chosen.ca,
        timeout_s=chosen.timeout_s,
        bmc=chosen.bmc,
        fleet=inventory.hosts.keys(),
    )


def _unset(key: str, what: str) -> SettingsError:
    source = key.partition(".")[0]
    return SettingsError(f"{key} is not set: say in invoke.yaml {what}, or take {source} out of hardware.sources")


def _refuse_missing(file: Path | None, key: str) -> None:
    if file and not file.is_file():
        raise SettingsError(f"{key}: {file}: no such file")
