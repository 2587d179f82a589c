"""The settings: ``ops_clinic`` in Invoke's configuration, with the inventory's own between project and environment.

Weakest first: the defaults below, ``invoke.yaml``, ``settings.yaml`` of the inventory, the environment
(``INVOKE_OPS_CLINIC_...``), a file given with ``inv -f``. ``invoke.yaml`` explains each key. A key that isn't set, or
set to null, leaves what was there. Relative paths start at the directory of the file that names them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from runbooks.errors import SettingsError
from runbooks.inventory.names import suggest
from runbooks.settings.invoke_config import layers_of, refuse_ignored
from runbooks.settings.keys import KEYS, SECTIONS
from runbooks.settings.layer import Layer
from runbooks.settings.sections import (
    Access,
    Alertmanager,
    Aliases,
    Corporate,
    Hardware,
    Ldap,
    Lease,
    Lists,
    Netbox,
    Oob,
    Private,
    Puppet,
    PuppetDB,
    RackTables,
    Reboot,
    Repository,
    Review,
    Ssh,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked. A field whose default is a class of its own is a section. ``journal`` may hold a password:
    ``repr`` leaves it out."""

    inventory: Path
    journal: str = field(default="sqlite:////var/lib/ops-clinic/journal.db", repr=False)
    ssh: Ssh = field(default_factory=Ssh)
    repository: Repository = field(default_factory=Repository)
    puppet: Puppet = field(default_factory=Puppet)
    gerrit: Review = field(default_factory=Review)
    private: Private = field(default_factory=Private)
    ldap: Ldap = field(default_factory=Ldap)
    corporate: Corporate = field(default_factory=Corporate)
    access: Access = field(default_factory=Access)
    oob: Oob = field(default_factory=Oob)
    reboot: Reboot = field(default_factory=Reboot)
    alertmanager: Alertmanager = field(default_factory=Alertmanager)
    hardware: Hardware = field(default_factory=Hardware)
    netbox: Netbox = field(default_factory=Netbox)
    racktables: RackTables = field(default_factory=RackTables)
    lists: Lists = field(default_factory=Lists)
    aliases: Aliases = field(default_factory=Aliases)
    puppetdb: PuppetDB = field(default_factory=PuppetDB)
    ask_above: int = 50
    batch_size: str = "10"
    lease: Lease = field(default_factory=Lease)

    @classmethod
    def of(cls, *layers: Layer, root: Path) -> Settings:
        """Build settings from layers, the weakest first; ``root`` is the project, where the inventory is by default.

        Raises SettingsError, which names the file and the key, for a key that doesn't exist or a value that can't be.
        """
        sections: dict[str, dict[str, Any]] = defaultdict(dict)
        for layer in layers:
            for key, value in _leaves(layer):
                section, _, name = key.rpartition(".")
                sections[section][name] = KEYS[key](value, layer, key)
        lab = root / ".lab" / "inventory"
        sections[""].setdefault("inventory", (lab if lab.is_dir() else root / "inventory").absolute())
        sections["ssh"].setdefault("sudo", sections["ssh"].get("user", "root") != "root")
        made = {
            one.name: one.default_factory(**sections[one.name])
            for one in fields(cls)
            if one.default_factory is not MISSING
        }
        settings = cls(**sections[""], **made)
        _refuse_slow_heartbeats(settings.lease, layers)
        return settings


def load(config: Any, root: Path) -> Settings:
    """Return the settings of an Invoke configuration (``context.config``); ``root`` is the project.

    Raises SettingsError, or InventoryError where those of the inventory can't be read; its hosts are not.
    """
    from runbooks.inventory.yaml_source import SETTINGS_FILE, YamlSource

    refuse_ignored(config)
    below, above = layers_of(config, root)
    directory = Settings.of(*below, *above, root=root).inventory
    values, where = YamlSource(directory).settings(), directory / SETTINGS_FILE
    if "inventory" in values:
        raise SettingsError(f"{where}: inventory can't be set by the inventory itself")
    return Settings.of(*below, Layer(values, str(where), directory), *above, root=root)


def _refuse_slow_heartbeats(lease: Lease, layers: tuple[Layer, ...]) -> None:
    if lease.heartbeat_s * 2 > lease.expires_s:
        raise SettingsError(
            f"{', '.join(layer.where for layer in layers)}: lease.heartbeat_s ({lease.heartbeat_s}) must be at most "
            f"half of lease.expires_s ({lease.expires_s}), or one late heartbeat loses the run"
        )


def _leaves(layer: Layer) -> Iterator[tuple[str, Any]]:
    """Yield each key that is set, with its section (``ssh.user``), and its value."""
    if not isinstance(layer.values, Mapping):
        raise layer.fail("ops_clinic", "must be a mapping (key: value)")
    for key, value in layer.values.items():
        if key in SECTIONS:
            if value is not None and not isinstance(value, Mapping):
                raise layer.fail(key, "must be a mapping (key: value)")
            pairs = [(f"{key}.{name}", inner) for name, inner in (value or {}).items()]
        elif key in KEYS and "." in key:
            raise layer.fail(key, f"is no setting at this level: write {key.replace('.', ': and ')}: below it")
        else:
            pairs = [(str(key), value)]
        for name, inner in pairs:
            if name not in KEYS:
                raise layer.fail(name, f"is no setting{suggest(name, [*KEYS, *SECTIONS])}")
            if inner is not None:
                yield name, inner
