"""How a host's BMC stands in the YAML inventory, and the one line that each fault gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import InventoryError
from runbooks.inventory import Inventory

PRINT = "ab" * 32
COLONS = ":".join(["AB"] * 32)
SSH = "SHA256:" + "a" * 43


def test_every_key_is_read(write: Any) -> None:
    directory = write(
        hosts=f"""
hosts:
  lab01:
    bmc:
      address: lab01.mgmt
      drivers: [redfish, ipmi]
      port: 8443
      user: ADMIN
      ca: tls/bmc.pem
      fingerprint: {SSH}
      password_file: /etc/ops-clinic/bmc.secret
      console: ipmitool -I lanplus -H lab01.mgmt sol activate
"""
    )
    assert Inventory.load(directory)["lab01"].bmc == {
        "address": "lab01.mgmt",
        "drivers": ("redfish", "ipmi"),
        "port": 8443,
        "user": "ADMIN",
        "ca": str(directory / "tls" / "bmc.pem"),
        "fingerprint": (SSH,),
        "password_file": "/etc/ops-clinic/bmc.secret",
        "console": "ipmitool -I lanplus -H lab01.mgmt sol activate",
    }


@pytest.mark.parametrize("text", [PRINT, PRINT.upper(), COLONS, SSH, SSH + "="])
def test_a_fingerprint_is_hexadecimal_or_as_ssh_writes_it(load: Any, text: str) -> None:
    assert load(hosts=f"hosts: {{a: {{bmc: {{fingerprint: '{text}'}}}}}}")["a"].bmc == {"fingerprint": (text,)}


def test_a_certificates_fingerprint_and_a_host_keys_stand_side_by_side(load: Any) -> None:
    text = f"hosts: {{a: {{bmc: {{fingerprint: ['{PRINT}', '{SSH}']}}}}}}"
    assert load(hosts=text)["a"].bmc == {"fingerprint": (PRINT, SSH)}


def test_a_range_of_hosts_shares_how_their_bmcs_are_reached(load: Any) -> None:
    inventory = load(hosts="hosts: {'lab[01-02]': {model: R450, bmc: {driver: redfish, user: ops}}}")
    assert [dict(host.bmc) for host in inventory.hosts.values()] == [{"driver": "redfish", "user": "ops"}] * 2


def test_bmcs_behind_one_address_differ_in_their_port(load: Any) -> None:
    text = "hosts: {a: {bmc: {address: 198.18.8.1, port: 1}}, b: {bmc: {address: 198.18.8.1, port: 2}}}"
    assert [host.bmc["port"] for host in load(hosts=text).hosts.values()] == [1, 2]


FAULTS = {
    "unknown key": (
        "adress: 198.18.8.11",
        "adress is no key (did you mean address or drivers?): address, driver,",
    ),
    "nothing like it": ("retries: 3", "retries is no key: address, driver, drivers, port, user, ca, fingerprint,"),
    "driver as a list": ("driver: [redfish]", "bmc: driver must be text, not a list"),
    "drivers as text": ("drivers: redfish", "bmc: drivers must be a list ([a, b]), not text"),
    "no drivers": ("drivers: []", "bmc: drivers is empty: name a driver or take the line out"),
    "one twice": ("drivers: [ipmi, ipmi]", "bmc: drivers names something twice"),
    "both": ("driver: ipmi, drivers: [ipmi]", "bmc: driver and drivers are both there: write drivers alone"),
    "an option": ("driver: -x", "bmc: driver must be one word that doesn't begin with '-', not -x"),
    "address": ("address: 300.1.1.1", "bmc: address: 300.1.1.1 is neither an IP address nor a host name"),
    "network": ("address: 198.18.8.1/24", "bmc: address: 198.18.8.1/24 is neither an IP address nor a host name"),
    "url": ("address: 'https://x'", "bmc: address: https://x is neither an IP address nor a host name"),
    "number": ("address: 198.18", "YAML reads 198.18 as a number: quote it"),
    "port": ("port: 0", "bmc: port must be from 1 to 65535, not 0"),
    "port as text": ("port: '443'", "bmc: port must be a whole number, not text"),
    "user": ("user: -l", "bmc: user must be one word that doesn't begin with '-', not -l"),
    "two users": ("user: ops root", "bmc: user must be one word that doesn't begin with '-', not ops root"),
    "user as a number": ("user: 7", "bmc: user must be text, but YAML reads 7 as a number: quote it"),
    "fingerprint": ("fingerprint: abcd", "bmc: fingerprint must be of SHA-256: 64 hexadecimal digits, or SHA256:...,"),
    "md5": ("fingerprint: 'MD5:ab'", "bmc: fingerprint must be of SHA-256"),
    "ca": ("ca: [a.pem]", "bmc: ca must be text, not a list"),
    "ca of nobody": ("ca: ~nobody-is-called-so/a.pem", "bmc: ca: ~nobody-is-called-so/a.pem:"),
    "no path": ("password_file: null", "bmc: password_file has no value: write one or take the line out"),
    "console": ("console: {a: b}", "bmc: console must be text, not a mapping"),
    "twice": ("port: 1, port: 2", "bmc: port stands twice, first on line 2"),
    "password": ("password: geheim", "bmc: password looks like a secret, which has no place in the inventory: it goes"),
    "pass": ("pass: geheim", "a file of mode 600 (password_file: PATH) or the keyring"),
    "pw": ("pw: geheim", "pw looks like a secret"),
    "passwords file": ("passwords_file: geheim", "passwords_file looks like a secret"),
    "secret": ("ipmi_secret: geheim", "ipmi_secret looks like a secret"),
    "token": ("Token: geheim", "Token looks like a secret"),
}


def fault(directory: Path) -> str:
    with pytest.raises(InventoryError) as caught:
        Inventory.load(directory)
    text = str(caught.value)
    assert "\n" not in text and "geheim" not in text
    return text


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line_with_file_and_line(write: Any, name: str) -> None:
    text, message = FAULTS[name]
    directory = write(hosts=f"hosts:\n  lab01: {{bmc: {{{text}}}}}\n")
    told = fault(directory)
    assert told.startswith(f"{directory / 'hosts.yaml'}:2: host lab01: ") or "stands twice" in told or "quote" in told
    assert told.startswith(f"{directory / 'hosts.yaml'}:2: ")
    assert message in told


SHARED = {
    "address": ("{address: 198.18.8.1}", "{address: 198.18.8.1}", "(198.18.8.1, "),
    "name": ("{address: Lab.mgmt}", "{address: lab.mgmt.}", "is neither an IP address nor a host name"),
    "name as it is": ("{address: lab.mgmt}", "{address: lab.mgmt}", "(lab.mgmt, "),
    "ipv6": ("{address: '2001:db8:0::1'}", "{address: '2001:DB8::1'}", "(2001:db8::1, "),
    "port": ("{address: 198.18.8.1, port: 7}", "{address: 198.18.8.1, port: 7}", "(198.18.8.1 port 7, "),
    "port, and none": ("{address: 198.18.8.1, port: 7}", "{address: 198.18.8.1}", "(198.18.8.1, "),
    "no port, and one": ("{address: 198.18.8.1}", "{address: 198.18.8.1, port: 7}", "(198.18.8.1 port 7, "),
}


@pytest.mark.parametrize("name", SHARED)
def test_a_bmc_is_that_of_one_host(write: Any, name: str) -> None:
    one, other, message = SHARED[name]
    directory = write(a=f"hosts:\n  lab01: {{bmc: {one}}}\n", b=f"hosts:\n\n  lab02: {{bmc: {other}}}\n")
    told = fault(directory)
    assert told.startswith(f"{directory / 'b.yaml'}:3: host lab02") and message in told
    assert name == "name" or told.endswith(f"{directory / 'a.yaml'}:2): one machine, one BMC")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("serial: AB12", "a range of hosts can't share one serial: write the hosts singly"),
        ("asset_tag: T17", "a range of hosts can't share one asset_tag: write the hosts singly"),
        ("bmc: {address: 198.18.8.1}", "a range of hosts can't share one bmc address: write the hosts singly"),
        ("serial: 12", "serial must be text, but YAML reads 12 as a number: quote it"),
        ("model: [R450]", "model must be text, not a list"),
        ("asset_tag: ''", "asset_tag must be one line of text, not empty"),
    ],
)
def test_what_is_one_machines_alone(write: Any, field: str, message: str) -> None:
    directory = write(hosts=f"hosts:\n  lab[01-02]: {{{field}}}\n")
    told = fault(directory)
    assert told.startswith(f"{directory / 'hosts.yaml'}:2: host lab[01-02]: ") and message in told
