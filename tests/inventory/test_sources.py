"""The sources of hardware that settings name: opened in their order, asked together, and never left out in silence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoke import Config
from netbox_standin import TOKEN, Standin, serving

from runbooks.errors import InventoryError, LoginRefused, RunbookError, SettingsError, Unreachable
from runbooks.inventory.hardware import Hardware
from runbooks.inventory.racktables import RackTables
from runbooks.settings.sections import Netbox as NetboxSettings
from runbooks.settings.sections import RackTables as RackTablesSettings
from runbooks.site import Site, open_site

PROJECT = Path(__file__).parents[2]
HOSTS = """
hosts:
  lab01: {vendor: dell, serial: AB12, roles: [web], bmc: {address: 198.18.8.1}}
  lab02: {vendor: hpe}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("INVOKE_", "OPS_CLINIC_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts.yaml").write_text(HOSTS)
    return tmp_path


@pytest.fixture
def standin() -> Iterator[Standin]:
    with serving(Standin()) as found:
        yield found


def site(project: Path, **values: Any) -> Site:
    """A site with the committed invoke.yaml, and these sections over it, as ``inv`` would open it."""
    settings = yaml.safe_load((PROJECT / "invoke.yaml").read_text())
    for section, own in values.items():
        settings["ops_clinic"][section] |= own
    (project / "invoke.yaml").write_text(yaml.safe_dump(settings))
    config = Config(project_location=str(project), system_prefix=f"{project}/none-", user_prefix=f"{project}/none-")
    config.load_project()
    config.load_shell_env()
    return open_site(config, project)


def test_without_settings_the_inventory_is_asked(project: Path) -> None:
    found = site(project).hardware(["lab01"])
    assert found["lab01"].hardware == Hardware("dell", bmc="198.18.8.1", serial="AB12", roles=("web",))
    assert found["lab01"].told_by == dict.fromkeys(("vendor", "bmc", "serial", "roles"), "yaml")
    with pytest.raises(InventoryError, match="host lab99 is not in the inventory"):
        site(project).hardware(["lab01", "lab99"])


def test_sources_are_asked_in_the_order_of_the_settings(
    project: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_CLINIC_NETBOX_TOKEN", TOKEN)
    standin.device("lab01", vendor="Dell Inc.", serial="CD34", bmc="198.18.8.1/24", rack="A1", role="db")
    opened = site(project, hardware={"sources": "netbox, yaml"}, netbox={"url": f"{standin.url}/"})
    assert "OPS_CLINIC_NETBOX_TOKEN" in os.environ
    for _ in range(2):  # the token has left the environment, and is still known
        found = opened.hardware(["lab01", "lab02"])
        assert "OPS_CLINIC_NETBOX_TOKEN" not in os.environ
    assert found["lab01"].hardware.vendor == "Dell Inc." and found["lab01"].hardware.roles == ("db", "web")
    assert found["lab01"].contradictions == ("serial: netbox says CD34, yaml says AB12",)
    assert found["lab02"].told_by == {"vendor": "yaml"}


def test_a_host_that_another_has_in_netbox_is_told(project: Path, standin: Standin) -> None:
    (project / "token").write_text(f"{TOKEN}\n")
    (project / "token").chmod(0o600)
    standin.device("lab02", vendor="HPE", bmc="198.18.8.1/24")
    netbox = {"url": standin.url, "token_file": "token"}
    opened = site(project, hardware={"sources": "yaml, netbox"}, netbox=netbox)
    line = "bmc: 198.18.8.1: yaml says it is that of lab01, netbox says it is that of lab02"
    found = opened.hardware(["lab01", "lab02"])
    assert [found[host].contradictions for host in ("lab01", "lab02")] == [(line,), (line,)]


def test_one_that_is_down_is_named_with_the_way_to_go_on(
    project: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_CLINIC_NETBOX_TOKEN", TOKEN)
    standin.trouble = "502"
    values = {"hardware": {"sources": "yaml, netbox"}, "netbox": {"url": standin.url}}
    with pytest.raises(Unreachable) as caught:
        site(project, **values).hardware(["lab01"])
    way = "INVOKE_OPS_CLINIC_HARDWARE_SOURCES=yaml"
    assert str(caught.value).endswith(f"; to go on without it, and without its contradictions: {way} inv ...")
    assert caught.value.target == "netbox" and caught.value.exit_status == 3 and "\n" not in str(caught.value)
    monkeypatch.setenv(*way.split("="))
    assert site(project, **values).hardware(["lab01"])["lab01"].hardware.serial == "AB12"


def test_the_way_to_go_on_leads_to_the_inventory_where_nothing_else_is_left(
    project: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_CLINIC_NETBOX_TOKEN", "geheim")
    with pytest.raises(LoginRefused, match=r"the token is not taken: .*_SOURCES=yaml inv \.\.\.$") as caught:
        site(project, hardware={"sources": "netbox"}, netbox={"url": standin.url}).hardware(["lab01"])
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("text", ["racktables,netbox", " racktables , netbox "])
def test_sources_are_chosen_in_the_environment(project: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_OPS_CLINIC_HARDWARE_SOURCES", text)
    assert site(project).settings.hardware.sources == ("racktables", "netbox")


def test_racktables_gets_its_settings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_CLINIC_RACKTABLES_PASSWORD", "geheim")
    monkeypatch.setenv("INVOKE_OPS_CLINIC_RACKTABLES_PORT", "3307")
    own = {"host": "db", "user": "ops", "bmc": ["lom"], "timeout_s": 3}
    (source,) = site(project, hardware={"sources": "racktables"}, racktables=own).hardware_sources
    assert isinstance(source, RackTables)
    assert (source.host, source.user, source.port, source.bmc, source.timeout_s) == ("db", "ops", 3307, ("lom",), 3)
    assert source.password.reveal() == "geheim" and "geheim" not in repr(source)
    assert sorted(source.fleet) == ["lab01", "lab02"]


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no such source": ({"hardware": {"sources": "netbux"}}, "hardware.sources must be yaml or netbox or racktables"),
    "a list": (
        {"hardware": {"sources": ["yaml"]}},
        "hardware.sources must be words with commas, each once (yaml, netb",
    ),
    "empty": ({"hardware": {"sources": ""}}, "hardware.sources must be yaml or netbox or racktables, not ''"),
    "twice": ({"hardware": {"sources": "yaml,yaml"}}, "hardware.sources must be words with commas, each once"),
    "unknown key": ({"hardware": {"source": ["yaml"]}}, "hardware.source is no setting (did you mean hardware.sources"),
    "no url": ({"netbox": {}}, "netbox.url is not set: say in invoke.yaml where Netbox is, or take netbox out of hard"),
    "no token": (
        {"netbox": {"url": "https://nb"}},
        "the token of netbox is nowhere: set OPS_CLINIC_NETBOX_TOKEN or",
    ),
    "token in url": ({"netbox": {"url": "https://a:geheim@nb"}}, "netbox.url must be https://HOST, without a user or"),
    "no web url": ({"netbox": {"url": "nb"}}, "netbox.url must be https://HOST"),
    "token as text": ({"netbox": {"token": "geheim"}}, "netbox.token is no setting (did you mean netbox.token_file"),
    "token_file": ({"netbox": {"url": "https://nb", "token_file": "none"}}, "none: the secret cannot be read: No such"),
    "open file": (
        {"netbox": {"url": "https://nb", "token_file": "open"}},
        "others than its owner can use it: chmod",
    ),
    "empty file": ({"netbox": {"url": "https://nb", "token_file": "empty"}}, "empty: its first line is empty"),
    "ca": ({"netbox": {"url": "https://nb", "ca": "none.pem"}}, "none.pem: no such file"),
    "timeout": ({"netbox": {"timeout_s": 0}}, "netbox.timeout_s must be from 1 to 86400, not 0"),
    "bmc": ({"netbox": {"bmc": ["ipmi"]}}, "netbox.bmc must be oob_ip or mgmt_address or mgmt_name, not 'ipmi'"),
    "no host": (
        {"racktables": {}},
        "racktables.host is not set: say in invoke.yaml where the database of Rack",
    ),
    "no user": ({"racktables": {"host": "db"}}, "racktables.user is not set: say in invoke.yaml who we are there"),
    "no password": (
        {"racktables": {"host": "db", "user": "ops"}},
        "the password of racktables is nowhere: set OPS",
    ),
    "port": ({"racktables": {"port": 70000}}, "racktables.port must be from 1 to 65535, not 70000"),
    "interfaces": ({"racktables": {"bmc": [7]}}, "racktables.bmc must be text, not 7"),
    "rt ca": ({"racktables": {"host": "db", "user": "ops", "ca": "none.pem"}}, "none.pem: no such file"),
    "password": (
        {"racktables": {"password": "geheim"}},
        "racktables.password is no setting (did you mean racktables.",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_settings_is_one_line(project: Path, name: str) -> None:
    values, message = FAULTS[name]
    (project / "open").write_text("geheim\n")
    (project / "open").chmod(0o644)
    (project / "empty").touch(0o600)
    own = values if "hardware" in values else {"hardware": {"sources": ",".join(values)}} | values
    with pytest.raises(SettingsError) as caught:
        site(project, **own).hardware(["lab01"])
    text = str(caught.value)
    assert message in text and "\n" not in text and "geheim" not in text
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("text", ["yml", "", "yaml,", "yaml netbox", "yaml,yaml"])
def test_a_fault_in_the_environment_is_one_line(project: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_OPS_CLINIC_HARDWARE_SOURCES", text)
    with pytest.raises(SettingsError, match=r"^environment \(INVOKE_OPS_CLINIC_\.\.\.\): hardware.sources "):
        site(project)


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        ("lab01: {bmc: {password: geheim}}", "hosts.yaml:2: host lab01: bmc: password looks like a secret"),
        ("lab01: {bmc: {addres: 198.18.8.1}}", "hosts.yaml:2: host lab01: bmc: addres is no key (did you mean address"),
    ],
)
def test_a_fault_in_the_inventory_is_told_when_hardware_is_looked_up(project: Path, hosts: str, message: str) -> None:
    (project / "inventory" / "hosts.yaml").write_text(f"hosts:\n  {hosts}\n")
    with pytest.raises(InventoryError) as caught:
        site(project).hardware(["lab01"])
    assert message in str(caught.value) and "geheim" not in str(caught.value)


def test_what_is_unset_in_one_source_asks_no_other(project: Path, standin: Standin) -> None:
    (project / "token").touch(0o600)
    netbox = {"url": standin.url, "token_file": "token"}
    with pytest.raises(RunbookError):
        site(project, hardware={"sources": "netbox,racktables"}, netbox=netbox).hardware(["lab01"])
    assert standin.asked == []


def test_defaults_are_those_of_the_sources() -> None:
    assert NetboxSettings().bmc == ("oob_ip",)
    assert {"ilo", "idrac", "mgmt", "oob"} <= set(RackTablesSettings().bmc)
