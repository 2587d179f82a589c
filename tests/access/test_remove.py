"""`inv remove-account` on a lab: nobody gets in any more, and nothing is lost."""

from __future__ import annotations

from runbooks.lab import Lab
from runbooks.lab.inventory import REGISTRY
from runbooks.registry import Registry
from tests.surface.helpers import QUICK, Inv
from tests.waiting import eventually

HOSTS = ("lab01", "lab02")


def test_all_access_goes_and_the_home_stays(lab: Lab, inv: Inv) -> None:
    assert all(lab.login(host, "bob") for host in HOSTS)
    files = lab.run("lab01", ["find", "/home/bob", "-type", "f"]).stdout
    assert "bob" in lab.directory.members("wmf") & lab.directory.members("logstash-access")
    lab.start_process("lab01", "bob")
    planned = inv("remove-account", "bob", "--dry-run")
    assert planned.status == 0, planned.err
    assert "runs sleep" in planned.out, "what the account runs is told"

    done = inv("remove-account", "bob", "--end-sessions", "--task", "T11", "--yes", "--json")
    assert done.status == 0, done.err + done.out
    assert not any(lab.login(host, "bob") for host in HOSTS)
    assert "bob" not in lab.directory.members("wmf") | lab.directory.members("logstash-access")
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


ARCHIVE = "/var/lib/ops-clinic/archive"
PACKS = QUICK | {"INVOKE_OPS_CLINIC_ACCESS_ARCHIVE": ARCHIVE}


def test_a_home_is_packed_before_the_account_goes(lab: Lab, inv: Inv) -> None:
    inv("remove-account", "dave", "--without", "lab02", "--yes").refuses(
        2, "--without leaves a host out where homes are"
    )
    lab.run("lab02", ["sh", "-c", "mkdir /home/dave/mnt; mount -t tmpfs tmpfs /home/dave/mnt"])
    tip = lab.run("puppet01", ["git", "-C", "/srv/git/puppet.git", "rev-parse", "production"]).stdout
    blocked = inv("remove-account", "dave", "--yes", env=PACKS)
    blocked.refuses(3, "lab02: blocked: /home/dave/mnt is mounted inside /home/dave: unmount that first")
    lab.run("lab02", ["umount", "/home/dave/mnt"])

    lab.kill("lab02")
    try:
        inv("remove-account", "dave", "--yes", env=PACKS).refuses(3, "Pack the home into", "lab02: unreachable")
        planned = inv("remove-account", "dave", "--dry-run", env=PACKS)
        assert "`inv revoke-key dave` does not wait for it" in " ".join(planned.out.split())
    finally:
        lab.start("lab02")
    eventually(lambda: lab.login("lab02", "dave"))
    assert lab.run("puppet01", ["git", "-C", "/srv/git/puppet.git", "rev-parse", "production"]).stdout == tip

    home = lab.fingerprint("lab01", "/home/dave")
    done = inv("remove-account", "dave", "--without", "lab02", "--task", "T13", "--yes", "--json", env=PACKS)
    assert done.status == 0, done.err + done.out
    names = [step["name"] for step in done.json["plan"]["steps"]]
    assert names.index(f"Pack the home into {ARCHIVE}") == names.index("Merge the registry patch") - 1
    assert lab.fingerprint("lab01", "/home/dave") == home
    file = f"dave-2004-{done.json['run']['id']}.tar.gz"
    assert lab.run("lab01", ["ls", ARCHIVE]).stdout.decode().split() == [file]
    assert lab.run("lab02", ["ls", ARCHIVE], check=False).stdout == b""
    undone = inv("undo", done.json["run"]["id"], "--yes", env=PACKS)
    assert undone.status == 0, undone.err + undone.out
    assert "an archive stays" in " ".join(undone.out.split())
    assert lab.run("lab01", ["ls", ARCHIVE]).stdout.decode().split() == [file]
    assert lab.login("lab01", "dave")
