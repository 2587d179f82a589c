"""Which BMC, which driver, which password."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runbooks.errors import InventoryError, SettingsError, UsageError
from runbooks.inventory import Host
from runbooks.inventory.hardware import Hardware, LookedUp
from runbooks.machine.access import access_to
from runbooks.oob.drivers import DRIVERS, VENDORS, driver_class, drivers_of
from runbooks.oob.model import Ability, Bmc, Driver
from runbooks.oob.passwords import VARIABLE, Passwords
from runbooks.secret import Secret


@pytest.mark.parametrize(
    ("vendor", "model", "wanted"),
    [
        ("dell", "PowerEdge R450", ("redfish", "racadm", "ipmi")),
        ("Dell Inc.", "PowerEdge R640", ("redfish", "racadm", "ipmi")),
        ("Dell", "PowerEdge R610", ("racadm", "ipmi")),
        ("Dell", "PowerEdge R710", ("racadm", "ipmi")),
        ("Dell", "PowerEdge R620", ("redfish", "racadm", "ipmi")),
        ("Dell", "PowerEdge 2950", ("racadm", "ipmi")),
        ("Dell", "", ("redfish", "racadm", "ipmi")),
        ("HP", "ProLiant DL380 G7", ("ilo", "ipmi")),
        ("HPE", "ProLiant DL360 Gen10", ("redfish", "ilo", "ipmi")),
        ("Hewlett Packard Enterprise", "DL325", ("redfish", "ilo", "ipmi")),
        ("Supermicro", "SYS-1029U", ("ipmi", "redfish", "smash")),
        ("Super Micro Computer, Inc.", "X9DRW", ("ipmi", "redfish", "smash")),
        ("Cisco", "UCSC-C220-M3S", ("cimc", "ipmi")),
        ("Cisco Systems", "UCS C240 M5", ("redfish", "cimc", "ipmi")),
        ("Oracle", "X5-2", ("ilom", "ipmi")),
        ("Sun Microsystems", "Fire X4270", ("ilom", "ipmi")),
        ("Lenovo", "SR630", ("redfish", "ipmi")),
        ("Shell Oil", "", ()),
        ("", "", ()),
    ],
)
def test_vendor_and_model_say_which_drivers_there_are(vendor: str, model: str, wanted: tuple[str, ...]) -> None:
    assert drivers_of(vendor, model) == wanted


def test_every_driver_that_a_vendor_has_is_one() -> None:
    assert {name for _, _, names in VENDORS for name in names} <= set(DRIVERS)


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_every_driver_says_what_it_is(name: str) -> None:
    found = driver_class(name)
    assert issubclass(found, Driver)
    assert found.name == name
    assert found.title
    assert 0 < found.port < 65_536
    assert found.abilities <= set(Ability)
    assert sys.modules[found.__module__].__doc__


def access(host: Host, hardware: Hardware = Hardware(), **options: Any) -> Any:  # noqa: B008 - frozen
    return access_to(host, LookedUp(hardware), "root", options.pop("ca", ""), **options)


def test_what_the_inventory_names_goes_before_what_the_vendor_has() -> None:
    host = Host("db1", "db1", bmc={"address": "10.0.0.1", "drivers": ["ilo", "ipmi"], "port": 2222, "user": "ops"})
    found = access(host, Hardware("dell", "R450", "10.0.0.1"))
    assert found.bmc == Bmc("db1", "ilo", "10.0.0.1", "ops", 2222)
    assert found.others == ("ipmi",)


def test_another_driver_has_its_own_port() -> None:
    host = Host("db1", "db1", bmc={"address": "10.0.0.1", "driver": "ilo", "port": 2222})
    found = access(host, Hardware("hpe", "", "10.0.0.1"), driver="ipmi")
    assert (found.bmc.driver, found.bmc.port, found.others) == ("ipmi", 0, ("ilo",))


def test_a_certificate_is_the_hosts_own_or_the_fleets() -> None:
    plain = Host("db1", "db1", bmc={"address": "10.0.0.1"})
    pinned = Host("db1", "db1", bmc={"address": "10.0.0.1", "fingerprint": ("ab" * 32,), "ca": "/own.pem"})
    dell = Hardware("dell", "R450", "10.0.0.1")
    assert access(plain, dell, ca="/fleet.pem").bmc.ca == "/fleet.pem"
    assert access(pinned, dell, ca="/fleet.pem").bmc.ca == "/own.pem"
    assert access(pinned, dell).bmc.fingerprint == "ab" * 32
    assert access(plain, dell, insecure=True).bmc.insecure


def test_each_driver_takes_the_fingerprint_of_its_kind() -> None:
    pins = ("ab" * 32, "SHA256:" + "a" * 43)
    both = Host("db1", "db1", bmc={"address": "10.0.0.1", "fingerprint": pins})
    dell = Hardware("dell", "R450", "10.0.0.1")
    assert access(both, dell).bmc.fingerprint == pins[0]
    assert access(both, dell, driver="racadm").bmc.fingerprint == pins[1]
    one = Host("db1", "db1", bmc={"address": "10.0.0.1", "drivers": ("racadm", "redfish"), "fingerprint": pins[:1]})
    assert access(one, dell).bmc.fingerprint == pins[0], "in hexadecimal digits, too"
    assert access(one, dell, driver="redfish").bmc.fingerprint == pins[0]
    assert access(one, dell, driver="ilo").bmc.fingerprint == ""


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(InventoryError, match="db1: no source knows its BMC"):
        access(Host("db1", "db1"), Hardware("dell"))
    with pytest.raises(UsageError, match="db1 is Bull NovaScale: which driver is for that"):
        access(Host("db1", "db1", bmc={"address": "10.0.0.1"}), Hardware("Bull", "NovaScale", "10.0.0.1"))
    with pytest.raises(UsageError, match=r"'redfsh' is no driver \(did you mean redfish\?\)"):
        access(Host("db1", "db1", bmc={"address": "10.0.0.1"}), Hardware("dell"), driver="redfsh")


BMC = Bmc("db1", "ipmi", "10.0.0.1", "root")


def file_with(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_password_comes_from_its_own_file_the_environment_the_fleets_file_or_the_keyring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, fleet = file_with(tmp_path / "own", "own\n"), file_with(tmp_path / "fleet", "fleet\n")
    monkeypatch.setenv(VARIABLE, "environment")
    known = Passwords(fleet)
    assert VARIABLE not in __import__("os").environ, "no child process sees it"
    assert known.of(BMC, own).reveal() == "own"
    assert known.of(BMC, None).reveal() == "environment"
    assert Passwords(fleet).of(BMC, None).reveal() == "fleet"
    kept = {("bmcs", "root"): "kept"}
    keyring, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    keyring.get_password = lambda service, user: kept.get((service, user))  # type: ignore[attr-defined]
    errors.KeyringError = OSError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert Passwords(None, "bmcs").of(BMC, None).reveal() == "kept"
    with pytest.raises(SettingsError, match="`keyring set others root`"):
        Passwords(None, "others").of(BMC, None)
    with pytest.raises(SettingsError, match="the password of root for the BMC of db1 is nowhere: set OPS_CLINIC_BMC"):
        Passwords().of(BMC, None)
    with pytest.raises(SettingsError, match="chmod 600"):
        Passwords(file_with(tmp_path / "open", "x", 0o644)).of(BMC, None)


def test_a_real_keyring_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a desktop there is none that opens itself: then that is said in a line."""
    keyring = pytest.importorskip("keyring")
    from keyring.backends.fail import Keyring

    monkeypatch.setenv("HOME", str(tmp_path))
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(SettingsError, match=r"^oob\.keyring: bmcs: the keyring cannot be read: "):
            Passwords(None, "bmcs").of(BMC, None)
    finally:
        keyring.set_keyring(before)


def test_secrets_show_nowhere() -> None:
    assert "geheim" not in repr(Passwords(shared=Secret("geheim")))
