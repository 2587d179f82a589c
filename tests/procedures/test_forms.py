"""The forms of what operators give: what is taken, and the one line for what is not."""

from __future__ import annotations

import pytest

from runbooks.errors import UsageError
from runbooks.inventory.names import in_ascii
from runbooks.procedures.forms import addresses, check_address


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.org",
        "o'brien@example.org",
        "D'Arcy-O'Neil+ops@example.org",
        "ann@xn--exmple-cua.org",
        "é@example.org",
    ],
)
def test_an_address(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("ann", ""), ("'ann@example.org", ""), ("'ann@example.org'", ""), ("ann@example.org'", ""),
        ("a b@example.org", ""),
        ("ann@exämple.org", "ann@xn--exmple-cua.org"), ("O'Brien@EXÄMPLE.org", "O'Brien@xn--exmple-cua.org"),
        ("ann@b@exämple.org", ""), ("a b@exämple.org", ""), ("ann@straße.example", ""), ("ann@a..ö", ""),
    ],
)  # fmt: skip
def test_no_address(text: str, better: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_address(text, "--email")
    assert str(caught.value) == f"--email {text!r} is no mail address: write it as {better or 'name@example.org'}"


def test_addresses_are_in_small_letters_and_each_is_there_once() -> None:
    assert addresses(["O'Brien@example.org", "ann@example.org"], "--owners") == (
        "o'brien@example.org",
        "ann@example.org",
    )
    with pytest.raises(UsageError, match="is named twice"):
        addresses(["ann@example.org", "Ann@Example.org"], "--owners")


@pytest.mark.parametrize(
    ("domain", "written"),
    [
        ("exämple.org", "xn--exmple-cua.org"), ("exa\u0308mple.org", "xn--exmple-cua.org"),
        ("example.org", "example.org"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        # The two standards differ: strasse.example, or xn--strae-oqa.example.
        ("straße.example", ""), ("ς.example", ""),
        ("é_x.example", ""), ("ö.", ""), ("ö" * 64 + ".example", ""), ("", ""),
    ],
)  # fmt: skip
def test_the_form_of_a_domain_that_mail_has(domain: str, written: str) -> None:
    assert in_ascii(domain) == written
