"""Edited manifests before Puppet itself: it parses each, and its catalogue holds the keys that the registry says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runbooks.registry.manifest import Manifest
from runbooks.registry.manifest.tokens import Source
from tests.registry.manifests import OLD, STYLES, Made, Person, key_line

NEW = {"uid": 3000, "realname": "Nova \\ 'N' \"O\" $x", "groups": ["roots"]}
KEYS = [key_line(78, 'nova\'s $desk \\ "x"'), key_line(79, "alice@laptop")]
EDITS: tuple[Callable[[Manifest], Manifest], ...] = (
    lambda it: it,
    lambda it: it.absent("alice"),
    lambda it: it.clear_keys("alice"),
    lambda it: it.add_key("alice", KEYS[0]),
    lambda it: it.add_key("bob", KEYS[0]),
    lambda it: it.join("alice", ["mortals"]).leave("erin", ["roots"]),
    lambda it: it.add_user("nova", **NEW, ssh_keys=KEYS),
    lambda it: it.add_user("nova", **NEW, gid=600),
)
# The types are Puppet's own no more: as defines, they take what the manifest gives them.
TYPES = """
define ssh_authorized_key($ensure, $user, $type, $key) { }
include groups::wikidev
include admins::roots
include admins::mortals
"""


def puppet(top: Path, *argv: str) -> str:
    done = subprocess.run(
        ["puppet", *argv, "--color=false", f"--vardir={top}/var", f"--confdir={top}/conf"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def made(style: int) -> Manifest:
    people = [
        Person("alice", 1001, ((1, True), (2, False))),
        Person("bob", 1002),
        Person("erin", 1003, ((3, True),), True),
    ]
    groups = {"roots": ("alice", "erin"), "mortals": ("bob",)}
    return Manifest(Made(tuple(people), groups).text(STYLES[style]))


PARSE = "ARGV.each { |file| Puppet::Pops::Parser::EvaluatingParser.singleton.parse_file(file) }"


def test_puppet_parses_every_edit_in_every_style(tmp_path: Path) -> None:
    files = []
    for kind, before in enumerate((Manifest(OLD), *map(made, range(len(STYLES))))):
        for number, edit in enumerate(EDITS):
            files.append(tmp_path / f"{kind}-{number}.pp")
            files[-1].write_bytes(edit(before).text.encode())
    # The parser of `puppet parser validate`, which would take them all for one manifest.
    done = subprocess.run(["ruby", "-rpuppet", "-e", PARSE, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


LEX = """
lexer = Puppet::Pops::Parser::Lexer2.new
lexer.lex_file(ARGV[0])
lexer.fullscan.each { |name, token| puts "#{token.offset} #{token.length}" if token }
"""


def test_its_words_are_those_of_puppets_lexer(tmp_path: Path) -> None:
    place = tmp_path / "admins.pp"
    place.write_text(OLD)
    found = subprocess.run(["ruby", "-rpuppet", "-e", LEX, place], capture_output=True, text=True, check=True).stdout
    theirs = {tuple(map(int, line.split())) for line in found.splitlines()}
    ours = {(token.start, len(token.text)): token.text for token in Source(OLD).tokens}
    # A string in which something is computed is one word here, and three there.
    assert {ours[place] for place in ours.keys() - theirs} == {'"${username}"'}
    assert len(theirs - ours.keys()) == 3


def catalogue(manifest: Manifest, top: Path) -> tuple[set[tuple[str, str]], set[str]]:
    """Whose keys a host with every group has, as user and base64; whose accounts it makes."""
    place = top / "site.pp"
    place.write_text(manifest.text + TYPES)
    out = puppet(top, "catalog", "compile", "host", "--manifest", str(place), "--modulepath", str(top / "none"))
    resources = json.loads(out[out.index("{\n") :])["resources"]
    keys = [one["parameters"] for one in resources if one["type"] == "Ssh_authorized_key"]
    accounts = {one["parameters"]["username"] for one in resources if one["type"] == "Unixaccount"}
    return {(key["user"], key["key"]) for key in keys if key["ensure"] == "present"}, accounts


@pytest.mark.parametrize("after", [False, True])
def test_puppet_deploys_the_keys_that_the_registry_says(tmp_path: Path, after: bool) -> None:
    manifest = Manifest(OLD)
    if after:
        manifest = manifest.absent("alice").add_key("erin", key_line(77)).remove_key("erin", key_line(5))
        manifest = manifest.add_key("bob", KEYS[1]).add_user("nova", **NEW, ssh_keys=KEYS[:1])
    keys, accounts = catalogue(manifest, tmp_path)
    # On hosts without $svnkey; those with a computed switch are included as well.
    said = {(user.name, key.split()[1]) for user in manifest.users() for key in user.ssh_keys if "bob@svn" not in key}
    assert keys == said
    assert accounts == {user.name for user in manifest.users()} - {"mover"}
    assert len(keys) == (3 if after else 2)
