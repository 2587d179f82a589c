"""Hardware from Netbox, with a stand-in for it: what is read, and the one line that each trouble gives."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
from netbox_standin import TOKEN, Standin, serving

from runbooks.errors import InventoryError, LoginRefused, RunbookError, SettingsError, Unreachable
from runbooks.inventory.hardware import Hardware
from runbooks.inventory.netbox import Netbox
from runbooks.lab import certificates
from runbooks.secret import Secret

FULL = {"rack": "A1", "serial": "AB12", "asset_tag": "T1", "bmc": "198.18.8.1/24", "role": "db-core"}


@pytest.fixture(params=["3.7", "4.1"])
def standin(request: pytest.FixtureRequest) -> Iterator[Standin]:
    with serving(Standin(request.param)) as found:
        yield found


def of(standin: Standin, **values: Any) -> Netbox:
    return Netbox(**{"url": standin.url, "token": Secret(TOKEN), "timeout_s": 10.0} | values)


def test_a_device_tells_all(standin: Standin) -> None:
    standin.device("lab01", vendor="Dell Inc.", **FULL)
    standin.device("lab02")
    assert of(standin).look_up(["lab01", "lab02", "lab03"]) == {
        "lab01": Hardware("Dell Inc.", "PowerEdge R450", "198.18.8.1", "A1", "T1", "AB12", ("db-core",)),
        "lab02": Hardware("Dell", "PowerEdge R450", roles=("db",)),
    }


def test_an_old_netbox_has_a_device_role_and_no_oob_ip() -> None:
    with serving(Standin("3.4")) as standin:
        standin.device("lab01", oob=False, **FULL)
        found = of(standin).look_up(["lab01"])["lab01"]
        assert (found.roles, found.bmc) == (("db-core",), "")
        assert of(standin, bmc=("oob_ip", "mgmt_address")).look_up(["lab01"])["lab01"].bmc == "198.18.8.1"


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [
        ("lab01", "LAB01"),
        ("lab01", "lab01.example.org"),
        ("lab01.example.org", "lab01"),
        ("lab01", "Lab01.Example.org"),
    ],
)
def test_a_name_is_found_with_and_without_its_domain(standin: Standin, asked: str, recorded: str) -> None:
    standin.device(recorded, serial="AB12")
    standin.device("lab010.example.org")
    standin.device("lab02")
    assert {host: hardware.serial for host, hardware in of(standin).look_up([asked]).items()} == {asked: "AB12"}


def test_filters_that_netbox_does_not_know_change_nothing(standin: Standin) -> None:
    standin.unknown_filters = frozenset(["name__ie", "name__isw", "device_id", "mgmt_only", "interface_id", "address"])
    mine = standin.device("lab01.example.org", oob=False, **FULL)
    standin.address(mine, "198.18.7.1/24", mgmt_only=False)
    other = standin.device("lab02", bmc="198.18.8.2/24", oob=False)
    standin.address(other, "198.18.7.2/24", mgmt_only=False)
    found = of(standin, bmc=("mgmt_address",)).look_up(["lab01"])
    assert {host: hardware.bmc for host, hardware in found.items()} == {"lab01": "198.18.8.1"}


@pytest.mark.parametrize("names", [("lab01", "lab01.example.org"), ("lab01.east", "lab01.west"), ("lab01", "lab01")])
def test_two_devices_that_may_be_one_host_are_refused(standin: Standin, names: tuple[str, str]) -> None:
    standin.device(names[0], bmc="198.18.8.1/24")
    standin.device(names[1], bmc="198.18.8.2/24", site="west", status="decommissioning")
    with pytest.raises(InventoryError) as caught:
        of(standin).look_up(["lab01"])
    assert str(caught.value) == (
        f"netbox: lab01 may be device 1 ({names[0]}, east, active) or device 2 ({names[1]}, west, decommissioning): "
        "give each its whole name there"
    )


def test_a_short_name_is_nobodys_where_two_hosts_share_it(standin: Standin) -> None:
    standin.device("lab01", bmc="198.18.8.1/24")
    assert not of(standin, fleet=["lab01.east", "lab01.west"]).look_up(["lab01.east"])


def test_many_hosts_take_few_requests_and_all_pages(standin: Standin) -> None:
    standin.page = 20
    hosts = [f"lab{n:03}" for n in range(1, 121)]
    for n, host in enumerate(hosts, 1):
        standin.device(host if n % 2 else f"{host}.example.org", bmc=f"198.18.{n // 100}.{n}/24", oob=n % 3 > 0)
    found = of(standin, bmc=("oob_ip", "mgmt_address")).look_up(hosts)
    assert [found[host].bmc for host in hosts] == [f"198.18.{n // 100}.{n}" for n in range(1, 121)]
    assert all(len(path) < 4000 for path in standin.asked)
    assert any("offset=20" in path for path in standin.asked)
    assert len(standin.asked) <= 24


PLACES = {
    "oob_ip": (("oob_ip",), True, "198.18.8.1"),
    "no oob_ip": (("oob_ip",), False, ""),
    "address": (("oob_ip", "mgmt_address"), False, "198.18.8.1"),
    "name": (("mgmt_name",), True, "lab01.mgmt"),
    "name first": (("mgmt_name", "oob_ip"), True, "lab01.mgmt"),
    "oob_ip first": (("oob_ip", "mgmt_name"), True, "198.18.8.1"),
}


@pytest.mark.parametrize("name", PLACES)
def test_where_the_bmcs_address_is_looked_for(standin: Standin, name: str) -> None:
    places, oob, bmc = PLACES[name]
    device = standin.device("lab01", bmc="198.18.8.1/24", dns_name="lab01.mgmt", oob=oob)
    standin.address(device, "198.18.7.1/24", "lab01", mgmt_only=False)
    assert of(standin, bmc=places).look_up(["lab01"])["lab01"].bmc == bmc


def test_a_name_that_is_missing_is_looked_for_in_the_next_place(standin: Standin) -> None:
    standin.device("lab01", bmc="198.18.8.1/24", oob=False)
    assert of(standin, bmc=("mgmt_name", "mgmt_address")).look_up(["lab01"])["lab01"].bmc == "198.18.8.1"


def test_of_several_management_addresses_the_primary_counts(standin: Standin) -> None:
    device = standin.device("lab01", bmc="198.18.8.1/24", oob=False)
    second = standin.address(device, "198.18.8.2/24")
    with pytest.raises(InventoryError) as caught:
        of(standin, bmc=("mgmt_address",)).look_up(["lab01"])
    text = "netbox: lab01 has several addresses for management: 198.18.8.1/24, 198.18.8.2/24: set its oob_ip there"
    assert str(caught.value) == text
    device["primary_ip"] = standin.brief("ipam/ip-addresses", second["id"], address=second["address"])
    assert of(standin, bmc=("mgmt_address",)).look_up(["lab01"])["lab01"].bmc == "198.18.8.2"


@pytest.mark.parametrize("asked", [["lab01"], ["lab02"], ["lab01", "lab02"]])
def test_a_bmc_that_two_devices_have_is_refused_whoever_is_asked_for(standin: Standin, asked: list[str]) -> None:
    standin.device("lab01", bmc="198.18.8.1/24")
    standin.device("lab02", bmc="198.18.8.1/16")
    with pytest.raises(InventoryError, match=r"^netbox: lab0. and lab0. have the same BMC, 198.18.8.1: correct"):
        of(standin).look_up(asked)


@pytest.mark.parametrize("asked", [["lab01"], ["lab02"], ["lab01", "lab02"]])
def test_a_name_that_two_bmcs_have_is_refused_whoever_is_asked_for(standin: Standin, asked: list[str]) -> None:
    standin.device("lab01", bmc="198.18.8.1/24", dns_name="lab01.mgmt")
    standin.device("lab02", bmc="198.18.8.2/24", dns_name="Lab01.mgmt")
    with pytest.raises(InventoryError, match=r"^netbox: lab0. and lab0. have the same BMC, lab01.mgmt: correct"):
        of(standin, bmc=("mgmt_name",)).look_up(asked)


def test_nothing_of_the_token_is_shown_and_netrc_does_not_go_over_it(
    standin: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    standin.device("lab01")
    assert TOKEN not in repr(of(standin))
    assert list(of(standin).look_up(["lab01"])) == ["lab01"]


TROUBLE = {
    "html": (InventoryError, "does not answer as Netbox does: The server returned invalid (non-json) data"),
    "500": (Unreachable, "answers 500: "),
    "502": (Unreachable, "answers 502: "),
    "permission": (SettingsError, "netbox: the token may not view devices, interfaces and IP addresses: "),
    "400": (InventoryError, ": 400: "),
    "redirects": (InventoryError, "sends us elsewhere: "),
    "list": (InventoryError, "does not answer as Netbox does: "),
    "no id": (InventoryError, "does not answer as Netbox does: "),
    "elsewhere": (InventoryError, "sends us elsewhere: "),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_is_one_line(standin: Standin, trouble: str) -> None:
    kind, message = TROUBLE[trouble]
    for n in range(5):
        standin.device(f"lab01.{n}")
    standin.trouble = trouble
    with pytest.raises(RunbookError) as caught:
        of(standin).look_up(["lab01"])
    text = str(caught.value)
    assert type(caught.value) is kind and message in text and "\n" not in text and TOKEN not in text
    assert text.startswith("netbox: ") and (standin.url in text or trouble == "permission")


def test_a_token_that_is_not_taken(standin: Standin) -> None:
    with pytest.raises(LoginRefused, match=r"the token is not taken: .*Invalid token"):
        of(standin, token=Secret("geheim")).look_up(["lab01"])


def test_a_wrong_url(standin: Standin) -> None:
    with pytest.raises(SettingsError, match=r"/elsewhere has no Netbox: set netbox.url to where its front page is$"):
        of(standin, url=f"{standin.url}/elsewhere").look_up(["lab01"])


def test_silence_is_bounded(standin: Standin) -> None:
    standin.trouble = "hangs"
    begun = time.monotonic()
    with pytest.raises(Unreachable, match=r"^netbox: unreachable: http://.*: no answer in time \(netbox.timeout_s\)$"):
        of(standin, timeout_s=0.2).look_up(["lab01"])
    assert time.monotonic() - begun < 20


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        Netbox(f"http://127.0.0.1:{port}", Secret(TOKEN)).look_up(["lab01"])
    assert str(caught.value).endswith("[Errno 111] Connection refused") and "0x" not in str(caught.value)


def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates.make(tmp_path, "127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with serving(Standin(), tmp_path) as standin:
        standin.device("lab01", serial="AB12")
        assert of(standin, ca=tmp_path / "ca.pem").look_up(["lab01"])["lab01"].serial == "AB12"
        with pytest.raises(Unreachable, match="certificate verify failed"):
            of(standin).look_up(["lab01"])
        with pytest.raises(Unreachable, match=r"(?i)not valid for|match"):
            of(standin, ca=tmp_path / "ca.pem", url=standin.url.replace("127.0.0.1", "localhost")).look_up(["lab01"])
        with pytest.raises(Unreachable, match="certificate"):
            of(standin, ca=Path(__file__)).look_up(["lab01"])
