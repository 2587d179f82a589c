"""What a lab leaves for the tool: an inventory, settings, and how to reach the hosts by ssh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from runbooks.lab import directory_people
from runbooks.lab.bmc import hosts as bmcs
from runbooks.lab.layout import SERVER, Layout, State
from runbooks.lab.mail import hosts as mail
from runbooks.lab.mail import lists

_ROLES = ("web", "db", "web", "cache")
_VENDORS = ("dell", "hpe", "supermicro")
_MODELS = {"dell": "PowerEdge R450", "hpe": "ProLiant DL360 Gen10", "supermicro": "SYS-1029U"}
CHECKOUT = "/srv/puppet/production"
PRIVATE = "/srv/puppet/private"
ROOT_KEYS = "modules/secret/files/root-authorized-keys"
ORIGIN = f"ssh://{SERVER}/srv/git/puppet.git"
BRANCH = "production"
REGISTRY = "modules/admin/data/data.yaml"


def write_inventory(layout: Layout, state: State) -> None:
    """hosts.yaml, aliases.yaml and settings.yaml, and the ssh files that they name."""
    layout.inventory.mkdir(exist_ok=True)
    lab_hosts = [name for name in state.hosts if name != SERVER]
    rows = {name: _row(name, state) | bmcs.row(layout, state, name) for name in state.hosts}
    aliases = {"all": f"D{{{fold(lab_hosts)},{SERVER}}}", "puppetserver": "O{role:puppetserver}"}
    aliases |= {role: f"O{{role:{role}}}" for role in sorted({r for row in rows.values() for r in row["roles"]})}
    settings = {
        "ssh": {"config": str(layout.ssh_config), "user": "root"},
        "repository": {"url": ORIGIN, "branch": BRANCH, "registry": REGISTRY, "cache": f"{layout.top}/repository"},
        "puppet": {"server_checkout": CHECKOUT},
        "private": {"host": SERVER, "checkout": PRIVATE, "root_keys": ROOT_KEYS},
        "journal": f"sqlite:///{layout.top}/journal.db",
        **directory_people.settings(layout, state),
        **bmcs.settings(layout, state),
        **mail.settings(state),
        **lists.settings(layout, state),
    }
    _dump(layout.inventory / "hosts.yaml", {"hosts": rows})
    _dump(layout.inventory / "aliases.yaml", {"aliases": aliases})
    _dump(layout.inventory / "settings.yaml", settings)


def _dump(path: Path, content: dict[str, Any]) -> None:
    text = yaml.safe_dump(content, sort_keys=False, width=110)
    path.write_text(f"# Written by lab.up; gone with lab.down.\n{text}")


def _row(name: str, state: State) -> dict[str, Any]:
    where: dict[str, Any] = {"address": state.hosts[name], "port": state.port}
    if name == SERVER:
        return where | {
            "site": "east",
            "rack": "a1",
            "vendor": "dell",
            "model": _MODELS["dell"],
            "roles": ["puppetserver"],
        }
    i = int(name.removeprefix("lab")) - 1
    site = ("east", "west")[i % 2]
    return where | {
        "site": site,
        "rack": f"{site[0]}{i // 4 + 1}",
        "vendor": _VENDORS[i % len(_VENDORS)],
        "model": _MODELS[_VENDORS[i % len(_VENDORS)]],
        "roles": [_ROLES[i % len(_ROLES)], *([mail.ROLE] if name in state.mx else [])],
    }


def fold(names: list[str]) -> str:
    """lab01 … lab08 as lab[01-08]; the lab's hosts are always numbered without a gap."""
    first, last = names[0].removeprefix("lab"), names[-1].removeprefix("lab")
    return names[0] if first == last else f"lab[{first}-{last}]"


def write_ssh(layout: Layout, state: State) -> None:
    """ssh_config and known_hosts: the hosts' keys are known from the start, so a stranger at an address is refused."""
    lines = [
        "Host *",
        "  User root",
        f"  Port {state.port}",
        f"  IdentityFile {layout.tool_key}",
        "  IdentitiesOnly yes",
        f"  UserKnownHostsFile {layout.known_hosts}",
        "  GlobalKnownHostsFile /dev/null",
        "  StrictHostKeyChecking yes",
        "  PasswordAuthentication no",
        "  UpdateHostKeys no",
        "  LogLevel ERROR",
        # The post-quantum exchange costs a tenth of a second of CPU each time, and nobody listens in here.
        "  KexAlgorithms curve25519-sha256",
        "",
    ]
    known = []
    for name, address in state.hosts.items():
        lines += [f"Host {name} {address}", f"  HostName {address}", ""]
        key = (layout.host(name) / "own/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
        named = [name, address] if state.port == 22 else [f"[{name}]:{state.port}", f"[{address}]:{state.port}"]
        known.append(f"{','.join(named)} {' '.join(key)}")
    layout.ssh_config.write_text("\n".join(lines))
    layout.known_hosts.write_text("".join(f"{line}\n" for line in known))
