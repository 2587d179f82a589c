"""`inv remove-account` on a lab: nobody gets in any more, and nothing is lost."""

from __future__ import annotations

from runbooks.lab import Lab
from runbooks.lab.inventory import REGISTRY
from runbooks.registry import Registry
from tests.surface.helpers import Inv

HOSTS = ("lab01", "lab02")


def test_all_access_goes_and_the_home_stays(lab: Lab, inv: Inv) -> None:
    assert all(lab.login(host, "bob") for host in HOSTS)
    files = lab.run("lab01", ["find", "/home/bob", "-type", "f"]).stdout
    planned = inv("remove-account", "bob", "--dry-run")
    assert planned.status == 0, planned.err
    assert "runs sleep" in planned.out, "what the account runs is told"

    done = inv("remove-account", "bob", "--end-sessions", "--task", "T11", "--yes", "--json")
    assert done.status == 0, done.err + done.out
    assert not any(lab.login(host, "bob") for host in HOSTS)
    assert lab.run("lab01", ["pgrep", "-u", "2002"], check=False).stdout == b""
    assert lab.run("lab01", ["find", "/home/bob", "-type", "f"]).stdout == files
    shown = lab.run("puppet01", ["git", "-C", "/srv/git/puppet.git", "show", f"production:{REGISTRY}"])
    registry = Registry.from_bytes(shown.stdout)
    assert (registry.user("bob").ensure, registry.user("bob").ssh_keys) == ("absent", ())
    assert registry.groups_of("bob") == ("absent",)
    assert registry.validate() == []

    again = inv("remove-account", "bob", "--yes")
    assert again.status == 0, again.err
    assert "Nothing to do" in again.out + again.err
