"""The disk that hosts start from: a base tree, and over it the lab's own layer.

As root the base is a skeleton: a few files of /etc, fresh /var and /home, and /usr bound read-only from this machine,
so nothing is downloaded and none of the machine's own files are seen. Without root it is a small Debian, made once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from runbooks.errors import Blocked
from runbooks.lab.layout import FILES, Layout
from runbooks.lab.machine import HOST_PACKAGES, Machine, find, say

# From this machine's /etc: what programs need, nothing that tells of the machine.
_ETC = (
    "adduser.conf", "alternatives", "bash.bashrc", "debian_version", "deluser.conf", "host.conf", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "libaudit.conf", "locale.alias", "login.defs", "magic", "mime.types",
    "nsswitch.conf", "os-release", "perl", "profile", "protocols", "python3", "python3.11", "rpc", "security",
    "services", "shells", "skel", "ssh/moduli", "sudo.conf", "terminfo", "timezone", "xattr.conf",
    "default/useradd",
)  # fmt: skip
_SYSTEM_USERS = {"nobody", "_apt", "sshd", "puppet", "messagebus", "Debian-exim"}
_SYSTEM_GROUPS = {"nogroup", "crontab", "_ssh", "puppet", "messagebus", "Debian-exim"}
_FOLDERS = {
    "dev": 0o755, "etc/cron.d": 0o755, "etc/puppet/code": 0o755, "etc/ssh": 0o755, "etc/ssl/certs": 0o755,
    "etc/sudoers.d": 0o750, "home": 0o755, "mnt": 0o755, "opt": 0o755, "proc": 0o755, "root": 0o700, "run": 0o755,
    "srv": 0o755, "sys/block": 0o755, "tmp": 0o1777, "usr/local/bin": 0o755, "usr/local/sbin": 0o755,
    "var/backups": 0o755,
    "var/cache/puppet/state": 0o755, "var/lib/dpkg": 0o755, "var/lib/puppet/environments": 0o755,
    "var/lib/sudo": 0o711, "var/log/puppet": 0o755, "var/mail": 0o2775, "var/spool/cron/crontabs": 0o1730,
    "var/tmp": 0o1777,
}  # fmt: skip
_OPERATOR_UID = 920


def make_base(layout: Layout, machine: Machine) -> None:
    """Make the base tree below the lab's directory."""
    if machine.rootless:
        _unpack_debian(layout, machine)
    else:
        _make_skeleton(layout.base)


def _make_skeleton(base: Path) -> None:
    for folder, mode in _FOLDERS.items():
        (base / folder).mkdir(parents=True, exist_ok=True)
        (base / folder).chmod(mode)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if Path("/", name).is_symlink():
            (base / name).symlink_to(f"usr/{name}")
    (base / "var/run").symlink_to("/run")
    (base / "var/lock").symlink_to("/run/lock")
    for name in _ETC:
        source, target = Path("/etc", name), base / "etc" / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    if Path("/etc/ssl/openssl.cnf").exists():
        shutil.copy2("/etc/ssl/openssl.cnf", base / "etc/ssl/openssl.cnf")
    (base / "etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")
    (base / "var/lib/dpkg/status").touch()
    _make_accounts(base / "etc")
    for folder, group in {"var/mail": "mail", "var/spool/cron/crontabs": "crontab"}.items():
        os.chown(base / folder, 0, _gid(base / "etc/group", group))
        (base / folder).chmod(_FOLDERS[folder])


def _gid(table: Path, group: str) -> int:
    rows = (line.split(":") for line in table.read_text().splitlines())
    return next(int(row[2]) for row in rows if row[0] == group)


def _make_accounts(etc: Path) -> None:
    """System accounts with this machine's numbers, since set-gid programs come from it; nobody's password."""
    users = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines() if line.count(":") == 6]
    users = [user for user in users if int(user[2]) < 100 or user[0] in _SYSTEM_USERS]
    groups = [line.split(":") for line in Path("/etc/group").read_text().splitlines() if line.count(":") == 3]
    groups = [group for group in groups if int(group[2]) < 100 or group[0] in _SYSTEM_GROUPS]
    _table(etc / "passwd", [":".join([u[0], "x", *u[2:]]) for u in users], 0o644)
    _table(etc / "shadow", [f"{u[0]}:*:19000:0:99999:7:::" for u in users], 0o640)
    _table(etc / "group", [f"{g[0]}:x:{g[2]}:" for g in groups], 0o644)
    _table(etc / "gshadow", [f"{g[0]}:*::" for g in groups], 0o640)
    _table(etc / "subuid", [], 0o644)
    _table(etc / "subgid", [], 0o644)


def _table(path: Path, lines: list[str], mode: int) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(mode)


def _unpack_debian(layout: Layout, machine: Machine) -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ops-clinic"
    archive = cache / "lab-bookworm.tar"
    if not archive.exists():
        if not find("mmdebstrap"):
            raise Blocked("lab: missing here: mmdebstrap; ask root for: apt-get install mmdebstrap")
        say(f"making the hosts' Debian, once, in {archive} (about a minute)")
        cache.mkdir(parents=True, exist_ok=True)
        _debootstrap(archive)
    layout.base.mkdir(parents=True, exist_ok=True)
    machine.call(
        ["tar", "-C", str(layout.base), "--numeric-owner", "--xattrs", "--exclude=./dev/*", "-xf", str(archive)]
    )
    machine.call(
        [
            "sh",
            "-c",
            'mkdir -p "$1/mnt" "$1/srv" "$1/var/userarchive" && : >"$1/etc/subuid" && : >"$1/etc/subgid" '
            '&& rm -f "$1/etc/resolv.conf" "$1"/etc/ssh/ssh_host_*',
            "-",
            str(layout.base),
        ]
    )


def _debootstrap(archive: Path) -> None:
    fresh = archive.with_suffix(".new.tar")
    argv = ["mmdebstrap", "--mode=unshare", "--variant=minbase", f"--include={','.join(HOST_PACKAGES)}", "bookworm"]
    done = subprocess.run([*argv, str(fresh)], capture_output=True, text=True, check=False)
    if done.returncode:
        fresh.unlink(missing_ok=True)
        raise Blocked(f"lab: mmdebstrap: {(done.stderr.strip().splitlines() or ['failed'])[-1]}; is the network there?")
    fresh.rename(archive)


def make_layer(layout: Layout) -> None:
    """The lab's own files over the base: sshd and PAM settings, init, the puppet stand-in, sudo."""
    shutil.copytree(FILES / "layer", layout.layer, dirs_exist_ok=True)
    for path in [layout.layer, *layout.layer.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.parent.name == "sbin" else 0o644)
    etc = layout.layer / "etc"
    (etc / "sudoers").write_text(
        'Defaults env_reset\nDefaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n'
        "root ALL=(ALL:ALL) ALL\nclinic ALL=(ALL:ALL) NOPASSWD: ALL\n@includedir /etc/sudoers.d\n"
    )
    (etc / "sudoers").chmod(0o440)
    (etc / "environment").write_text("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n")
    (etc / "crontab").write_text("# Nothing of the system's own runs here but puppet: see lab-init.\n")


def add_operator(layout: Layout, machine: Machine) -> None:
    """The account ``clinic``, whom the tool may connect as, and root: both with the tool's key."""
    etc = layout.base / "etc"
    tables = {
        "passwd": f"clinic:x:{_OPERATOR_UID}:{_OPERATOR_UID}:Clinic duty:/var/lib/clinic:/bin/bash",
        "shadow": "clinic:*:19000:0:99999:7:::",
        "group": f"clinic:x:{_OPERATOR_UID}:",
        "gshadow": "clinic:*::",
    }
    for table, line in tables.items():
        machine.call(["sh", "-c", 'cat >>"$1"', "-", str(etc / table)], stdin=f"{line}\n".encode())
    script = (
        'cd "$1"; for home in root var/lib/clinic; do mkdir -p $home/.ssh; cat "$2" >$home/.ssh/authorized_keys; '
        "chmod 700 $home $home/.ssh; chmod 600 $home/.ssh/authorized_keys; done; "
        f"chown -R {_OPERATOR_UID}:{_OPERATOR_UID} var/lib/clinic; touch root/.hushlogin var/lib/clinic/.hushlogin"
    )
    machine.call(["sh", "-ec", script, "-", str(layout.base), str(layout.tool_key.with_suffix(".pub"))])
