"""`inv check-access` on a lab: absent people whom a host still lets in."""

from __future__ import annotations

from pathlib import Path

from runbooks.lab import Lab
from tests.surface.helpers import Inv


def test_who_was_left_behind(lab: Lab, inv: Inv, tmp_path: Path) -> None:
    clean = inv("check-access", "--json")
    assert clean.status == 0, clean.err + clean.out
    assert clean.json["remarks"] == []
    key = Path(f"{lab.layout.person_key('frank')}.pub").read_text()
    lab.run("lab02", ["sh", "-c", "cat >/etc/ssh/userkeys/mallory"], input=key.encode())
    lab.run("lab01", ["useradd", "-M", "-u", "1099", "mallory"])
    try:
        page = tmp_path / "access.html"
        found = inv("check-access", "--json", "--html", str(page))
        assert found.status == 8, found.err + found.out
        assert [(one["kind"], one["subject"], one["message"]) for one in found.json["remarks"]] == [
            ("left behind", "mallory", "is absent in the registry, and has a key on lab02: /etc/ssh/userkeys/mallory"),
            ("left behind", "mallory", "is absent in the registry, and has an account on lab01"),
        ]
        assert "has an account on lab01" in page.read_text()
        told = inv("check-access")
        assert told.status == 8
        assert "left behind (2)" in told.out
        assert "3 host(s): 2 found" in told.out
    finally:
        lab.run("lab02", ["rm", "/etc/ssh/userkeys/mallory"])
        lab.run("lab01", ["userdel", "mallory"])
