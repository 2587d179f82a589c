"""The whole story on a lab of its own: a rename, and the proof that nothing of a home was lost; a stolen key revoked,
and the proof that it opens no door any more; a machine that hangs, and is in another boot after its power cycle; an
alias that each mail host has, and a mailing list that is closed and opened, seen by mail.

``python -m runbooks.lab.demo [--hosts N]``; it takes its lab down again, whatever happens.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runbooks.errors import Incomplete, RunbookError
from runbooks.lab import Lab, demo_mail

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".demo"
OLD, NEW = "alice", "alicia"
RENAME = ("rename-user", "--old", OLD, "--new", NEW, "--task", "T123", "--end-processes")
VICTIM, OTHER, COLLEAGUE = "carol", "carol-desktop", "frank"
"""Whose laptop is stolen; the key of her other machine; one of root's like her, who keeps access."""
QUICK = {"INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "2"}


def say(text: str) -> None:
    """A heading."""
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def inv(lab: Lab, *words: str, status: int = 0) -> None:
    """Run ``inv`` on the demo's fleet, as a person would. Raises RunbookError when it does not return ``status``."""
    print(f"$ inv {shlex.join(words)}", flush=True)
    environment = os.environ | QUICK | {"INVOKE_OPS_CLINIC_INVENTORY": str(lab.inventory)}
    ended = subprocess.run([sys.executable, "-m", "invoke", *words], cwd=ROOT, env=environment, check=False)
    if ended.returncode != status:
        raise RunbookError(f"demo: inv {words[0]} returned {ended.returncode}, not {status}")


def prove(lab: Lab, before: dict[str, dict[str, tuple[object, ...]]]) -> None:
    """Compare every entry of every home, and log in with the user's own key. Raises RunbookError."""
    wrong = []
    for host, was in before.items():
        now = lab.fingerprint(host, f"/home/{NEW}")
        same = now == was
        in_as_new, in_as_old = lab.login(host, NEW, key_of=OLD), lab.login(host, OLD, key_of=OLD)
        gone = not lab.fingerprint(host, f"/home/{OLD}")
        good = same and gone and in_as_new and not in_as_old
        print(
            f"  {host}: {len(now):,} entries compared (content, mode, owner, ACL, attributes, links, times): "
            f"{'identical' if same else 'DIFFERENT'}; log-in as {NEW}: {'yes' if in_as_new else 'NO'}, "
            f"as {OLD}: {'YES' if in_as_old else 'no'}"
        )
        wrong += [] if good else [host]
    if wrong:
        raise RunbookError(f"demo: not as promised on {', '.join(wrong)}")


def rename(lab: Lab) -> None:
    """Look, rename, prove."""
    say("What a rename would do; nothing can be changed by looking")
    inv(lab, *RENAME, "--dry-run")
    before = {host: lab.fingerprint(host, f"/home/{OLD}") for host in lab.hosts}
    say("The rename itself")
    inv(lab, *RENAME, "--yes")
    say("The proof, read on each host without the tool's help")
    prove(lab, before)


def give_keys(lab: Lab) -> str:
    """In her home the victim has the key of another machine, and the stolen one a second time, as no registry knows;
    the fingerprint of the stolen one."""
    stolen, other = lab.layout.person_key(VICTIM), lab.layout.person_key(OTHER)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "desktop", "-f", str(other)], check=True)
    kind, blob = Path(f"{stolen}.pub").read_text().split()[:2]
    lines = f"no-pty {kind} {blob} old laptop\n{Path(f'{other}.pub').read_text()}".encode()
    script = (
        f"umask 077; mkdir -p ~{VICTIM}/.ssh; cat >~{VICTIM}/.ssh/authorized_keys; chown -R {VICTIM}: ~{VICTIM}/.ssh"
    )
    for host in lab.hosts:
        lab.run(host, ["bash", "-ec", script], input=lines)
    shown = subprocess.run(["ssh-keygen", "-lf", f"{stolen}.pub"], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


def doors(lab: Lab, host: str) -> dict[str, bool]:
    """Which log-ins a host lets in: with the stolen key, and with those that have to go on working."""
    tried = {"stolen key": (VICTIM, VICTIM), "stolen key, as root": ("root", VICTIM),
             f"{VICTIM}'s other key": (VICTIM, OTHER), f"{COLLEAGUE}'s, as root": ("root", COLLEAGUE)}  # fmt: skip
    return {what: lab.login(host, user, key_of=key) for what, (user, key) in tried.items()}


def prove_doors(lab: Lab, *, open_to_thief: bool) -> None:
    """Log in to every host with each key. Raises RunbookError where one is let in that must not be, or the reverse."""
    wrong = []
    with ThreadPoolExecutor() as pool:
        found = dict(zip(lab.hosts, pool.map(lambda host: doors(lab, host), lab.hosts), strict=True))
    for host, seen in found.items():
        good = all(is_in == (open_to_thief or not what.startswith("stolen")) for what, is_in in seen.items())
        print(f"  {host}: " + "; ".join(f"{what}: {'logs in' if is_in else 'refused'}" for what, is_in in seen.items()))
        wrong += [] if good else [host]
    if wrong:
        raise RunbookError(f"demo: not as promised on {', '.join(wrong)}")


def revoke(lab: Lab) -> None:
    """A key is stolen and in use; it is revoked while a host is down, and on that one as soon as it is back."""
    say(f"{VICTIM}'s laptop is stolen, and the thief is in: its key opens every host, as {VICTIM} and as root")
    key, down = give_keys(lab), lab.hosts[-1]
    prove_doors(lab, open_to_thief=True)
    with subprocess.Popen([*lab.ssh(lab.hosts[0], VICTIM, VICTIM), "sleep", "600"], stdin=subprocess.DEVNULL) as thief:
        try:
            _revoke(lab, key, down)
            say("The proof: real log-ins to every host")
            prove_doors(lab, open_to_thief=False)
            print(f"  the thief's session on {lab.hosts[0]}: {'ended' if thief.poll() is not None else 'STILL OPEN'}")
            if thief.poll() is None:
                raise RunbookError("demo: the thief's session is still open")
        finally:
            thief.kill()


def _revoke(lab: Lab, key: str, down: str) -> None:
    words = ("revoke-key", VICTIM, "--key", key, "--end-sessions", "--task", "T124")
    say("What revoking it would do")
    inv(lab, *words, "--dry-run")
    say(f"The revocation; {down} has lost its power, which stops nobody: it is named, and left pending")
    lab.kill(down)
    inv(lab, *words, "--yes", status=Incomplete.exit_status)
    say(f"{down} is back, the key still in a home on it; a resume takes it up")
    lab.start(down)
    inv(lab, "resume", "--yes")


def boot_id(lab: Lab, host: str) -> str:
    """Which boot a host is in."""
    return lab.run(host, ["cat", "/proc/sys/kernel/random/boot_id"]).stdout.decode().strip()


def power(lab: Lab) -> None:
    """A machine hangs; through its BMC it is turned off and on. Raises RunbookError where it is in the same boot."""
    hung = lab.hosts[1]
    before = boot_id(lab, hung)
    say(f"{hung} hangs: it has power, and does not answer")
    lab.freeze(hung)
    inv(lab, "power-status", "lab*")
    say("Off, on, and a wait until it is back in another boot")
    inv(lab, "powercycle", hung, "--yes", "--task", "T125", "--reason", "hangs")
    after = boot_id(lab, hung)
    say(f"The proof, read on {hung} without the tool's help")
    print(f"  boot {before}, then {after}: {'another one' if after != before else 'THE SAME'}")
    if after == before:
        raise RunbookError(f"demo: {hung} was not restarted")


def demo(hosts: int) -> None:
    """All of it."""
    lab = Lab(PLACE)
    try:
        say(f"A fleet of {hosts} real hosts on this machine, each with its own sshd, accounts, homes and puppet")
        # Mail hosts need root.
        with_mail = os.geteuid() == 0
        lab.up(hosts, bmcs=True, mx=with_mail, lists=with_mail)
        rename(lab)
        revoke(lab)
        power(lab)
        if with_mail:
            demo_mail.alias(lab, inv, say)
            demo_mail.closed_list(lab, inv, say)
    finally:
        say("The lab is taken down")
        lab.down()


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=4)
    started = time.monotonic()
    try:
        demo(parser.parse_args().hosts)
    except RunbookError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_status
    print(f"\nDone in {time.monotonic() - started:.0f} s. Next: bin/inv lab.up, then bin/inv --list.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
