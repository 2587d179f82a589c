"""The demo's proofs can fail, and its exit status says so."""

from __future__ import annotations

import pytest

from runbooks.errors import RunbookError
from runbooks.lab import Lab, demo, demo_mail


def test_a_door_that_is_not_as_promised_is_named(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """carol is one of root's in this lab, and the only one: she stands in for her colleague, too."""
    monkeypatch.setattr(demo, "COLLEAGUE", demo.VICTIM)
    demo.give_keys(lab)
    demo.prove_doors(lab, open_to_thief=True)
    with pytest.raises(RunbookError, match="not as promised on lab01, lab02"):
        demo.prove_doors(lab, open_to_thief=False)
    assert "lab01: stolen key: logs in" in capsys.readouterr().out
    lab.run("lab02", ["rm", f"/home/{demo.VICTIM}/.ssh/authorized_keys"])
    with pytest.raises(RunbookError, match=r"not as promised on lab02$"):
        demo.prove_doors(lab, open_to_thief=True)
    lab.run("lab01", ["rm", f"/home/{demo.VICTIM}/.ssh/authorized_keys"])


def test_a_home_that_is_not_the_same_is_named(lab: Lab) -> None:
    before = {host: lab.fingerprint(host, "/home/bob") for host in lab.hosts}
    with pytest.raises(RunbookError, match="not as promised on lab01, lab02"):
        demo.prove(lab, before)


def test_mail_that_is_not_as_promised_is_named() -> None:
    demo_mail._expect("open", {"ann@example.org": True}, everybody=True)
    with pytest.raises(RunbookError, match=r"not as promised open: ann@example.org got"):
        demo_mail._expect("open", {"ann@example.org": True, "bob@example.org": False}, everybody=True)
    with pytest.raises(RunbookError, match=r"not as promised closed: bob@example.org got"):
        demo_mail._expect("closed", {"ann@example.org": False, "bob@example.org": True}, everybody=False)


def test_its_exit_status_is_that_of_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(_hosts: int) -> None:
        raise RunbookError("demo: not as promised on lab02")

    monkeypatch.setattr(demo, "demo", failing)
    monkeypatch.setattr("sys.argv", ["demo"])
    assert demo.main() == RunbookError.exit_status != 0
    assert "demo: not as promised on lab02" in capsys.readouterr().err
