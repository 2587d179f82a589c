"""The whole story on a lab of its own: a dry run, the rename, and the proof that nothing of a home was lost.

``python -m runbooks.lab.demo [--hosts N]``; it takes its lab down again, whatever happens.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from runbooks.errors import RunbookError
from runbooks.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".demo"
OLD, NEW = "alice", "alicia"
RENAME = ("rename-user", "--old", OLD, "--new", NEW, "--task", "T123", "--end-processes")


def say(text: str) -> None:
    """A heading."""
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def inv(lab: Lab, *words: str) -> None:
    """Run ``inv`` on the demo's fleet, as a person would. Raises RunbookError when it does not return 0."""
    print(f"$ inv {shlex.join(words)}", flush=True)
    environment = os.environ | {"INVOKE_OPS_CLINIC_INVENTORY": str(lab.inventory)}
    ended = subprocess.run([sys.executable, "-m", "invoke", *words], cwd=ROOT, env=environment, check=False)
    if ended.returncode:
        raise RunbookError(f"demo: inv {words[0]} returned {ended.returncode}")


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


def demo(hosts: int) -> None:
    """All of it."""
    lab = Lab(PLACE)
    try:
        say(f"A fleet of {hosts} real hosts on this machine, each with its own sshd, accounts, homes and puppet")
        lab.up(hosts)
        say("What a rename would do; nothing can be changed by looking")
        inv(lab, *RENAME, "--dry-run")
        before = {host: lab.fingerprint(host, f"/home/{OLD}") for host in lab.hosts}
        say("The rename itself")
        inv(lab, *RENAME, "--yes")
        say("The proof, read on each host without the tool's help")
        prove(lab, before)
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
