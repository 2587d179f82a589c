"""A new password in a file: written once, for its owner alone, and taken up by whoever resumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runbooks.cli.handing import go_on, hand_over, nowhere
from runbooks.errors import UsageError
from runbooks.secret import Fresh, Secret


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "password"


def test_what_was_handed_over_is_taken_up(place: Path) -> None:
    secret = Fresh().make()
    hand_over(str(place), "ann@example.org", secret)
    assert place.stat().st_mode & 0o777 == 0o600 and place.read_text() == f"{secret.reveal()}\n"
    assert "is there already" in nowhere(str(place))
    later = Fresh()
    later.hand = lambda _whom, _secret: pytest.fail("handed over a second time")
    go_on(later, str(place))
    with later.given("ann@example.org") as again:
        assert again.reveal() == secret.reveal()


def test_a_file_that_was_only_begun_is_written_anew(place: Path) -> None:
    place.touch(mode=0o600)
    fresh = Fresh()
    go_on(fresh, str(place))
    assert not fresh.is_made and nowhere(str(place)) == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda place: None,  # noqa: ARG005
        lambda place: (place.write_text("a" * 22), place.chmod(0o644)),
        lambda place: (place.write_text("my notes"), place.chmod(0o600)),
        lambda place: (place.write_bytes(b"\xff" * 22), place.chmod(0o600)),
        lambda place: (place.with_name("other").write_text("a" * 22), place.symlink_to(place.with_name("other"))),
        lambda place: place.mkdir(),
    ],
    ids=["nothing", "open to all", "other words", "no text", "a link", "a directory"],
)
def test_what_is_no_password_of_ours_is_left_alone(place: Path, make: Callable[[Path], object]) -> None:
    make(place)
    there = place.exists()
    fresh = Fresh()
    go_on(fresh, str(place))
    assert not fresh.is_made and place.exists() == there


def test_where_it_cannot_be_written_that_is_said(place: Path) -> None:
    with pytest.raises(UsageError, match="nobody has the new password: set another"):
        hand_over(str(place / "nowhere"), "ann@example.org", Secret("a"))
