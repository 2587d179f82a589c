"""The real `inv` as a process, and eyes on a lab that do not depend on what is tested."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbooks.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
# Log-in records, which any ssh session writes, whatever it does.
RECORDS = {"var/log/wtmp", "var/log/btmp", "var/log/lastlog", "var/run/utmp", "var/log/sshd.log"}
QUICK = {"INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "8"}


@dataclass
class Ended:
    """What came of one command line."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which has to be one JSON document and nothing else."""
        document = json.loads(self.out)
        assert document["exit"] == self.status
        return document

    def refuses(self, status: int, *words: str) -> None:
        """One line on standard error says so; no traceback, and nothing that looks like one."""
        assert self.status == status, self.err + self.out
        lines = [line for line in self.err.splitlines() if not line.startswith("lab:")]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("inv: ")
        assert "Traceback" not in self.err + self.out
        for word in words:
            assert word in lines[0]


@dataclass
class Inv:
    """Runs `inv` on a lab."""

    lab: Lab
    env: dict[str, str] = field(default_factory=dict)

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("INVOKE_") and k != "SUDO_USER"}
        ours = {"INVOKE_OPS_CLINIC_INVENTORY": str(self.lab.inventory), "PYTHONWARNINGS": "error::ResourceWarning"}
        return kept | ours | self.env | more

    def __call__(self, *argv: str, env: dict[str, str] | None = None, timeout: float = 240) -> Ended:
        done = subprocess.run(
            command(*argv),
            cwd=ROOT,
            env=self.environment(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *argv: str, env: dict[str, str] | None = None, **kwargs: Any) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            command(*argv), cwd=ROOT, env=self.environment(env or {}), text=True, **{**pipes, **kwargs}
        )

    def rename(self, old: str, new: str, *options: str, **kwargs: Any) -> Ended:
        return self("rename-user", "--old", old, "--new", new, *options, **kwargs)

    def on_terminal(
        self, *argv: str, answer: bytes | None = None, send: int = 0, env: dict[str, str] | None = None
    ) -> Ended:
        """With a terminal as standard input; the question is answered, or a signal sent while it waits."""
        ours, theirs = pty.openpty()
        process = self.start(*argv, stdin=theirs, env=env)
        os.close(theirs)
        assert process.stderr
        err = ""
        while not err.endswith(("[y/N] ", "to go on ")):
            letter = process.stderr.read(1)
            assert letter, err
            err += letter
        if answer is not None:
            os.write(ours, answer)
        if send:
            process.send_signal(send)
        out, rest = process.communicate(timeout=240)
        os.close(ours)
        return Ended(process.returncode, out, err + rest)


def command(*argv: str) -> list[str]:
    return [sys.executable, "-m", "invoke", *argv]


def finish(process: subprocess.Popen[str], timeout: float = 240) -> Ended:
    out, err = process.communicate(timeout=timeout)
    return Ended(process.returncode, out, err)


def world(lab: Lab) -> dict[str, object]:
    """All that a command could have changed."""
    seen: dict[str, object] = {"runs": runs(lab), "refs": refs(lab)}
    for host in (*lab.hosts, "puppet01"):
        seen |= {f"{host}:{path}": entry for path, entry in tree(lab.upper(host))}
    return seen


def tree(top: Path) -> Iterator[tuple[str, object]]:
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = Path(folder, name)
            relative = str(path.relative_to(top))
            if relative not in RECORDS:
                yield relative, entry(path)


def entry(path: Path) -> object:
    seen = path.lstat()
    content: object = None
    if stat.S_ISLNK(seen.st_mode):
        content = path.readlink()
    elif stat.S_ISREG(seen.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    attributes = [
        (name, os.getxattr(path, name, follow_symlinks=False)) for name in os.listxattr(path, follow_symlinks=False)
    ]
    return seen.st_mode, seen.st_uid, seen.st_gid, seen.st_ino, seen.st_mtime_ns, content, tuple(sorted(attributes))


def refs(lab: Lab) -> str:
    return lab.run("puppet01", ["git", "-C", "/srv/git/puppet.git", "for-each-ref"]).stdout.decode()


def runs(lab: Lab) -> list[Any]:
    path = lab.layout.top / "journal.db"
    if not path.exists():
        return []
    with sqlite3.connect(path) as db:
        try:
            return [*db.execute("select id, status from runs order by id"), *db.execute("select * from owners")]
        except sqlite3.OperationalError:
            return []


# what a rename may not lose


def said(lab: Lab, host: str, *argv: str) -> str:
    return lab.run(host, argv, check=False).stdout.decode()


def account(lab: Lab, host: str, name: str) -> dict[str, object]:
    """All that a host holds of an account, each name and path of it written NAME, so that two can be compared."""
    facts: dict[str, object] = {"home": lab.fingerprint(host, f"/home/{name}")}
    for table in ("passwd", "shadow", "subuid", "subgid"):
        lines = said(lab, host, "grep", f"^{name}:", f"/etc/{table}")
        facts[table] = lines.replace(f"/home/{name}:", "/home/NAME:").replace(f"{name}:", "NAME:", 1)
    facts["groups"] = sorted(
        line.split(":")[0] for line in said(lab, host, "cat", "/etc/group").splitlines()
        if name in line.rpartition(":")[2].split(",")
    )  # fmt: skip
    for place in ("/var/mail", "/var/spool/cron/crontabs", "/var/lib/systemd/linger"):
        facts[place] = said(lab, host, "sh", "-c", f"stat -c '%i %u %a' {place}/{name}; cat {place}/{name}")
    return facts


def disabled(lab: Lab, host: str) -> str:
    """Why puppet is disabled on a host, empty where it isn't."""
    text = said(lab, host, "cat", "/var/cache/puppet/state/agent_disabled.lock")
    return str(json.loads(text)["disabled_message"]) if text else ""


# obstacles


@dataclass
class Userdel:
    """What userdel does on a host, for a while: it stands before the real one in root's path."""

    lab: Lab
    host: str

    def replace(self, script: str) -> None:
        text = f"#!/bin/sh\n{script}\n".encode()
        self.lab.run(self.host, ["sh", "-c", "cat >/usr/local/sbin/userdel.new; chmod 755 /usr/local/sbin/userdel.new; "
                                 "mv /usr/local/sbin/userdel.new /usr/local/sbin/userdel"], input=text)  # fmt: skip

    def hold(self) -> None:
        """It waits until it is let go, and then does its work."""
        self.lab.run(self.host, ["touch", "/run/hold"])
        self.replace('touch /run/held; while [ -e /run/hold ]; do sleep 0.05; done; exec /usr/sbin/userdel "$@"')

    def is_held(self) -> bool:
        return self.lab.run(self.host, ["test", "-e", "/run/held"], check=False).returncode == 0

    def let_go(self) -> None:
        self.lab.run(self.host, ["rm", "-f", "/run/hold", "/run/held"])

    def restore(self) -> None:
        self.let_go()
        self.lab.run(self.host, ["rm", "-f", "/usr/local/sbin/userdel"])
