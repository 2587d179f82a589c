"""Settings: who goes over whom, where paths start, and the one line that each fault gives."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoke import Config

from runbooks import settings as settings_module
from runbooks.errors import SettingsError
from runbooks.settings import Settings, load
from runbooks.settings.keys import KEYS
from runbooks.settings.layer import Layer
from runbooks.site import open_site

PROJECT = Path(__file__).parents[1]
HOSTS = "hosts: {lab01: {}}\n"


def of(values: Any, root: Path = Path("/project"), textual: bool = False) -> Settings:
    return Settings.of(Layer(values, "invoke.yaml", root, textual), root=root)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the committed invoke.yaml and a small inventory; nothing of this machine's settings."""
    for name in [name for name in os.environ if name.startswith("INVOKE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "invoke.yaml").write_text((PROJECT / "invoke.yaml").read_text())
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts.yaml").write_text(HOSTS)
    return tmp_path


def config_of(project: Path, runtime: Path | None = None) -> Config:
    """Load Invoke's configuration as its own program does."""
    config = Config(project_location=str(project), runtime_path=str(runtime) if runtime else None,
                    system_prefix=str(project / "no-system-"), user_prefix=str(project / "no-user-"))  # fmt: skip
    config.load_project()
    config.load_runtime()
    config.load_shell_env()
    return config


def test_the_committed_file_lists_every_key_with_the_default_of_the_code() -> None:
    values = yaml.safe_load((PROJECT / "invoke.yaml").read_text())["ops_clinic"]
    listed = {f"{key}.{name}" for key, inner in values.items() if isinstance(inner, dict) for name in inner}
    listed |= {key for key, inner in values.items() if not isinstance(inner, dict)}
    assert listed == set(KEYS)  # Invoke takes from the environment only what stands in the file
    assert of(values) == of({})


def test_the_numbers_that_the_committed_file_tells_are_the_defaults() -> None:
    told, section = {}, ""
    for line in (PROJECT / "invoke.yaml").read_text().splitlines():
        if heading := re.fullmatch(r"  (\w+):", line):
            section = heading[1]
        if number := re.fullmatch(r"( +)(\w+): null  # (\d+)", line):
            told[f"{section}.{number[2]}" if len(number[1]) > 2 else number[2]] = int(number[3])
    assert len(told) == 25
    for key, value in told.items():
        found: object = of({})
        for name in key.split("."):
            found = getattr(found, name)
        assert found == value, key


def test_every_key_has_a_field() -> None:
    fields = set()
    for field in dataclasses.fields(Settings):
        inner = getattr(settings_module, str(field.type), None)
        if dataclasses.is_dataclass(inner):
            fields |= {f"{field.name}.{name.name}" for name in dataclasses.fields(inner)}
        else:
            fields.add(field.name)
    assert fields == set(KEYS)


def test_what_goes_over_what(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "inventory" / "settings.yaml").write_text("ask_above: 7\nlease: {expires_s: 70}\nbatch_size: 7%\n")
    runtime = project / "night.yaml"
    runtime.write_text("ops_clinic: {batch_size: '3'}\n")
    monkeypatch.setenv("INVOKE_OPS_CLINIC_LEASE_EXPIRES_S", "90")
    monkeypatch.setenv("INVOKE_OPS_CLINIC_BATCH_SIZE", "5%")
    settings = load(config_of(project, runtime), project)
    assert settings.ssh.connect_timeout_s == 10  # invoke.yaml
    assert settings.ask_above == 7  # settings.yaml
    assert settings.lease.expires_s == 90  # environment
    assert settings.batch_size == "3"  # -f


def test_the_environment_wins_even_with_the_value_of_invoke_yaml(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "inventory" / "settings.yaml").write_text("ask_above: 7\n")
    monkeypatch.setenv("INVOKE_OPS_CLINIC_ASK_ABOVE", "50")
    assert load(config_of(project), project).ask_above == 50


def test_null_leaves_what_was_there(project: Path) -> None:
    (project / "inventory" / "settings.yaml").write_text("ask_above: null\nssh:\n")
    assert load(config_of(project), project).ask_above == 50


def test_values_from_the_environment_are_read_as_text(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_OPS_CLINIC_SSH_USER", "operator")
    monkeypatch.setenv("INVOKE_OPS_CLINIC_SSH_SUDO", "no")
    monkeypatch.setenv("INVOKE_OPS_CLINIC_INVENTORY", str(project / "inventory"))
    settings = load(config_of(project), project)
    assert (settings.ssh.user, settings.ssh.sudo, settings.inventory) == ("operator", False, project / "inventory")


def test_the_inventory_in_a_running_lab_is_the_default(project: Path) -> None:
    assert load(config_of(project), project).inventory == project / "inventory"
    lab = project / ".lab" / "inventory"
    lab.mkdir(parents=True)
    (lab / "hosts.yaml").write_text("hosts: {lab99: {}}\n")
    assert load(config_of(project), project).inventory == lab
    assert list(open_site(config_of(project), project).inventory.hosts) == ["lab99"]


def test_relative_paths_start_where_they_are_written(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    (elsewhere / "fleet").mkdir()
    (elsewhere / "fleet" / "hosts.yaml").write_text(HOSTS)
    (elsewhere / "fleet" / "settings.yaml").write_text(
        "ssh: {config: ssh_config}\nrepository: {url: ../puppet.git, cache: clone}\njournal: sqlite:///runs.db\n"
        "puppetdb: {host: puppetdb01, ssl_client_cert: me.pem}\n"
    )
    text = (project / "invoke.yaml").read_text()
    text = text.replace("cache: /var/cache/ops-clinic/repository", "cache: var/clone")
    (project / "invoke.yaml").write_text(text)
    monkeypatch.setenv("INVOKE_OPS_CLINIC_INVENTORY", "fleet")
    site = open_site(config_of(project), project)
    settings = site.settings
    fleet = elsewhere / "fleet"
    assert settings.inventory == fleet
    assert settings.ssh.config == fleet / "ssh_config"
    assert settings.repository.url == str(elsewhere / "puppet.git")
    assert settings.repository.cache == fleet / "clone"
    assert settings.journal == f"sqlite:///{fleet}/runs.db"
    assert site.inventory.puppetdb["ssl_client_cert"] == str(fleet / "me.pem")
    (fleet / "settings.yaml").unlink()
    assert load(config_of(project), project).repository.cache == project / "var" / "clone"


def test_puppetdb_reaches_the_inventory_from_any_layer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_site(config_of(project), project).inventory.puppetdb == {}
    monkeypatch.setenv("INVOKE_OPS_CLINIC_PUPPETDB_HOST", "puppetdb01")
    assert open_site(config_of(project), project).inventory.puppetdb == {
        "host": "puppetdb01", "port": 443, "scheme": "https", "timeout": 30, "ssl_verify": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ssh", "sudo"),
    [({}, False), ({"user": "root"}, False), ({"user": "op"}, True), ({"user": "op", "sudo": False}, False),
     ({"sudo": True}, True)],
)  # fmt: skip
def test_sudo_is_on_unless_the_user_is_root(ssh: dict[str, Any], sudo: bool) -> None:
    assert of({"ssh": ssh}).ssh.sudo is sudo


def test_list_domains_are_read_one_level_deeper() -> None:
    core = {"url": "http://localhost:8001/", "password_file": "mm", "timeout_s": 5}
    old = {"driver": "mailman2", "host": "lists01", "bin": "/opt/mailman/bin", "url": None}
    first, second = of({"lists": {"domains": {"lists.example.org": core, "old.example.org": old}}}).lists.domains
    assert (first.name, first.driver) == ("lists.example.org", "mailman3")
    assert (first.url, first.user) == ("http://localhost:8001", "restadmin")
    assert first.password_file is not None and first.password_file.is_absolute() and first.timeout_s == 5
    assert (second.driver, second.host, second.bin) == ("mailman2", "lists01", "/opt/mailman/bin")


def test_repr_shows_no_password() -> None:
    settings = of({"journal": "postgresql+psycopg://a:geheim@db/x", "repository": {"url": "https://a:geheim@git/x"}})
    assert "geheim" not in repr(settings)
    assert settings.journal == "postgresql+psycopg://a:geheim@db/x"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ssh": {"usr": "x"}}, "ssh.usr is no setting (did you mean ssh.user"),
        ({"shs": {"user": "x"}}, "shs is no setting (did you mean ssh"),
        ({"puppet.agent": ["x"]}, "puppet.agent is no setting at this level: write puppet: and agent: below it"),
        ({"ssh": "x"}, "ssh must be a mapping"),
        ("x", "ops_clinic must be a mapping"),
        ({"ssh": {"user": "-l"}}, "ssh.user must be one line of text that doesn't begin with '-'"),
        ({"ssh": {"user": "Root!"}}, "ssh.user Root! is no login name"),
        ({"ssh": {"user": 7}}, "ssh.user must be text, not 7"),
        ({"ssh": {"sudo": "yes"}}, "ssh.sudo must be true or false, not 'yes'"),
        ({"ssh": {"connect_timeout_s": 0}}, "ssh.connect_timeout_s must be from 1 to 86400, not 0"),
        ({"ssh": {"connect_timeout_s": "10"}}, "ssh.connect_timeout_s must be a whole number, not '10'"),
        ({"ssh": {"connect_timeout_s": True}}, "must be a whole number, not True"),
        ({"ssh": {"connect_timeout_s": 1.5}}, "must be a whole number, not 1.5"),
        ({"ssh": {"max_connections": 10_001}}, "ssh.max_connections must be from 1 to 10000"),
        ({"ssh": {"config": "~nosuchuser/x"}}, "ssh.config ~nosuchuser/x: "),
        ({"repository": {"url": "--upload-pack=x"}}, "repository.url must be one line"),
        ({"repository": {"branch": "a\nb"}}, "repository.branch must be one line"),
        ({"repository": {"branch": ""}}, "repository.branch must be one line"),
        ({"puppet": {"agent": "puppet agent"}}, "puppet.agent must be a list of words, not 'puppet agent'"),
        ({"puppet": {"agent": []}}, "puppet.agent must be a list of words"),
        ({"puppet": {"agent": ["puppet", 7]}}, "puppet.agent must be a list of words; 7 is none: quote it"),
        ({"puppet": {"agent": ["--test"]}}, "puppet.agent must be one line"),
        ({"puppet": {"state_dirs": ["var/x"]}}, "puppet.state_dirs is a path on the hosts and must begin with '/'"),
        ({"puppet": {"wait_s": -1}}, "puppet.wait_s must be from 0"),
        ({"corporate": {"url": "http://x"}}, "corporate.url must be ldap://HOST"),
        ({"corporate": {"mail": "mail"}}, "corporate.mail must be a list of words"),
        ({"corporate": {"mail": ["mail)(uid=*"]}}, "corporate.mail must be a list of LDAP attributes"),
        ({"corporate": {"gone": "status=left"}}, "corporate.gone must be an LDAP filter in parentheses"),
        (
            {"alertmanager": {"url": "https://ops:geheim@alerts"}},
            "must be https://HOST, without a user",
        ),
        ({"alertmanager": {"label": "instance=~"}}, "alertmanager.label must be the name of a label"),
        ({"lists": {"domains": ["x"]}}, "lists.domains must be a mapping of domains, not ['x']"),
        ({"lists": {"domains": {"Lists.Example.org": {}}}}, "lists.domains.Lists.Example.org is no domain in small"),
        ({"lists": {"domains": {"lists": {}}}}, "lists.domains.lists is no domain"),
        ({"lists": {"domains": {"a.org": "x"}}}, "lists.domains.a.org must be a mapping"),
        ({"lists": {"domains": {"a.org": {"hots": "x"}}}}, "lists.domains.a.org.hots is no setting (did you mean host"),
        ({"lists": {"domains": {"a.org": {"driver": "majordomo"}}}}, "a.org.driver must be mailman3 or mailman2, not"),
        ({"lists": {"domains": {"a.org": {}}}}, "lists.domains.a.org.url is not set: say"),
        ({"lists": {"domains": {"a.org": {"url": "ftp://x"}}}}, "lists.domains.a.org.url must be https://HOST"),
        ({"lists": {"domains": {"a.org": {"driver": "mailman2"}}}}, "lists.domains.a.org.host is not set: say"),
        (
            {"lists": {"domains": {"a.org": {"url": "http://x", "web": ["mailman-web"]}}}},
            "lists.domains.a.org.host is not set: say",
        ),
        ({"lists": {"name_pattern": "[a-"}}, "lists.name_pattern is no regular expression: "),
        ({"aliases": {"policy": "all"}}, "aliases.policy must be role or any, not 'all'"),
        ({"aliases": {"personal": ["("]}}, "aliases.personal is no regular expression: "),
        ({"aliases": {"host_directory": "aliases"}}, "aliases.host_directory is a path on the hosts"),
        ({"puppetdb": {"port": 0}}, "puppetdb.port must be from 1 to 65535"),
        ({"puppetdb": {"scheme": "ftp"}}, "puppetdb.scheme must be https or http, not 'ftp'"),
        ({"puppetdb": {"ssl_verify": 7}}, "puppetdb.ssl_verify must be text"),
        ({"journal": "mysql://x/y"}, "journal must be sqlite:///FILE or postgresql://"),
        ({"journal": "sqlite://"}, "journal must be sqlite:///FILE"),
        ({"batch_size": 0}, "batch_size must be a number of hosts (10) or a percentage (5%), not 0"),
        ({"batch_size": "101%"}, "batch_size must be"),
        ({"batch_size": True}, "batch_size must be"),
        ({"ask_above": -1}, "ask_above must be from 0"),
        ({"lease": {"expires_s": 10, "heartbeat_s": 6}}, "lease.heartbeat_s (6) must be at most half of"),
    ],
)
def test_a_fault_is_one_line_with_file_and_key(values: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        of(values)
    assert str(caught.value).startswith("invoke.yaml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    "url", ["mysql://a:geheim@x/y", "postgresql+psycopg2://a:geheim@x/y", "postgresql://a:geheim@x/y\tz", "-geheim"]
)
def test_a_rejected_journal_is_not_repeated_since_it_may_hold_a_password(url: str) -> None:
    with pytest.raises(SettingsError, match="journal must be sqlite:///FILE or postgresql://") as caught:
        of({"journal": url})
    assert "geheim" not in str(caught.value)


def test_a_fault_in_the_inventory_names_its_file(project: Path) -> None:
    file = project / "inventory" / "settings.yaml"
    file.write_text("ssh: {usr: x}\n")
    with pytest.raises(SettingsError, match=f"^{re.escape(str(file))}: ssh.usr is no setting"):
        load(config_of(project), project)


def test_a_fault_in_the_environment_or_in_invoke_yaml_names_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "invoke.yaml").write_text("ops_clinic: {ask_above: 10, batch_sise: 3}\n")
    with pytest.raises(SettingsError, match=r"/invoke.yaml: batch_sise is no setting \(did you mean batch_size\?\)"):
        load(config_of(project), project)
    (project / "invoke.yaml").write_text("ops_clinic: {ask_above: 10}\n")
    monkeypatch.setenv("INVOKE_OPS_CLINIC_ASK_ABOVE", "-1")
    with pytest.raises(SettingsError, match=r"^environment \(INVOKE_OPS_CLINIC_...\): ask_above must be from 0"):
        load(config_of(project), project)


def test_the_inventory_cannot_say_where_the_inventory_is(project: Path) -> None:
    (project / "inventory" / "settings.yaml").write_text("inventory: other\n")
    with pytest.raises(SettingsError, match="inventory can't be set by the inventory itself"):
        load(config_of(project), project)
