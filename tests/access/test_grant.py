"""`inv grant-ldap` on a lab: the settings that a lab leaves lead to its directory, and its newcomers can be let in."""

from __future__ import annotations

from runbooks.lab import Lab
from tests.surface.helpers import Inv

NINA = ("--realname", "Nina Novak", "--email", "nina@example.org")


def test_a_newcomer_is_let_in_and_out_again(lab: Lab, inv: Inv) -> None:
    granted = inv("grant-ldap", "nina", "--group", "wmf", *NINA, "--task", "T12", "--yes", "--json")
    assert granted.status == 0, granted.err + granted.out
    assert "nina" in lab.directory.members("wmf")
    assert "  nina:\n    ensure: present\n" in lab.show()
    listed = inv("ldap-groups", "nina")
    assert (listed.status, listed.out.split()[-1]) == (0, "wmf")

    undone = inv("undo", granted.json["run"]["id"], "--yes")
    assert undone.status == 0, undone.err + undone.out
    assert "nina" not in lab.directory.members("wmf")
    assert "  nina:" not in lab.show()


def test_a_dead_directory_is_named_and_nothing_is_changed(lab: Lab, inv: Inv, unchanged: None) -> None:  # noqa: ARG001
    lab.kill("ldap")
    try:
        # ldap3 leaves a socket that was refused to the garbage collector, with a warning.
        ended = inv("grant-ldap", "nina", "--group", "wmf", *NINA, "--yes", env={"PYTHONWARNINGS": ""})
        ended.refuses(3, "@ldap: unreachable", "refused")
    finally:
        lab.start("ldap")
