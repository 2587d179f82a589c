"""Which file holds a domain's aliases: files, links in the repository and on the hosts, manifests."""

from __future__ import annotations

import pytest

from runbooks.aliases.domains import DomainKind, Domains
from runbooks.errors import UsageError

DIRECTORY = "modules/privateexim/files"
MANIFESTS = {
    "manifests/mail.pp": """\
# example.info is gone
class exim::aliases::private {
  exim::alias_link { ['example.net', 'example.de']: target => 'example.org' }
  file { '/etc/exim4/aliases/voyage.example':
    ensure  => file,
    content => template('privateexim/voyage.example.erb'),
  }
  $relay = 'mx.example.biz'
}
"""
}
OURS = Domains(
    DIRECTORY,
    {"example.org": None, "example.com": None, "example.edu": "example.com", "README": None},
    {
        "example.org": None, "example.com": None, "example.edu": "/etc/exim4/aliases/example.com",
        "example.net": "example.org", "example.de": "/etc/exim4/aliases/./example.net", "voyage.example": None,
        "old.example": None,
    },
    manifests=MANIFESTS,
)  # fmt: skip


def test_an_own_file() -> None:
    found = OURS.find("example.org")
    assert (found.kind, found.path, str(found), found.problem) == (
        DomainKind.OWN,
        f"{DIRECTORY}/example.org",
        "example.org",
        "",
    )
    assert found.together == ("example.de", "example.net", "example.org")
    assert [str(one) for one in found.mentions] == ["manifests/mail.pp:3"]


def test_a_link_in_the_repository() -> None:
    found = OURS.find("example.edu")
    assert (found.kind, found.path, found.problem) == (DomainKind.LINK, f"{DIRECTORY}/example.com", "")
    assert found.together == ("example.com", "example.edu")


def test_links_that_puppet_makes() -> None:
    found = OURS.find("example.de")
    assert (found.kind, found.path) == (DomainKind.LINK, f"{DIRECTORY}/example.org")
    assert str(found) == "example.de → example.net → example.org"
    assert found.problem == ""


def test_a_file_that_a_manifest_makes() -> None:
    found = OURS.find("voyage.example")
    assert (found.kind, found.path) == (DomainKind.MANIFEST, "")
    assert [(one.line, one.text) for one in found.mentions] == [(4, "file { '/etc/exim4/aliases/voyage.example':")]
    assert "not in the repository: manifests/mail.pp:4 may say what makes it" in found.problem


def test_a_file_that_nobody_knows() -> None:
    assert OURS.find("old.example").problem.endswith("nobody knows what made it")


def test_one_that_only_a_manifest_names() -> None:
    """As before puppet's first run on the hosts, or where they were not asked."""
    found = Domains(DIRECTORY, {"example.org": None}, manifests=MANIFESTS).find("example.de")
    assert (found.kind, found.path, found.chain) == (DomainKind.MANIFEST, "", ("example.de",))
    assert found.problem == "example.de has no alias file: manifests/mail.pp:3 may say what it is"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("exmaple.org", r"exmaple.org is no mail domain of ours \(did you mean example.org"),
        ("example.info", "is no mail domain of ours"),
        ("example.biz", "is no mail domain of ours"),
        ("README", "capital letters"),
        ("-x", "is no host name"),
        ("exämple.org", "has letters beyond ASCII: write xn--exmple-cua.org"),
        ("", "is no host name"),
    ],
)
def test_none_of_ours(name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        OURS.find(name)


A, B = "a.example", "b.example"
BROKEN = {
    "nowhere": ({A: B}, {}, "the link leads nowhere: a.example → b.example, and there is no b.example"),
    "a circle": ({A: B, B: A}, {}, "circle: a.example → b.example → a.example"),
    "itself": ({A: A}, {}, "circle: a.example → a.example"),
    "into a circle": ({A: B, B: B}, {}, "circle: a.example → b.example → b.example"),
    "out": ({A: "../x/b.example"}, {}, "out of the directory: a.example → ../x/b.example"),
    "out, absolute": ({}, {A: "/etc/aliases"}, "out of the directory: a.example → /etc/aliases"),
    "other on the hosts": ({A: None, B: None}, {A: B}, "have a link to b.example for a"),
    "own on the hosts": ({A: B, B: None}, {A: None}, "have a file of its own for a"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken(case: str) -> None:
    files, deployed, why = BROKEN[case]
    domains = Domains(DIRECTORY, files, deployed)
    assert why in domains.find("a.example").problem
    assert "a.example" in [domain.name for domain in domains.problems()]


def test_links_into_the_hosts_directory_lie_in_the_repository_too() -> None:
    domains = Domains(DIRECTORY, {"a.example": "/etc/exim4/aliases/b.example", "b.example": None})
    assert domains.find("a.example").path == f"{DIRECTORY}/b.example"
