"""Bad input through the real `inv`, against a real directory and a real repository: one clear line each, the right exit
status, and nothing is changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbooks.lab.directory import GROUPS, PEOPLE, TOOL, DirectoryServer
from runbooks.registry import Registry
from runbooks.secret import Secret
from runbooks.site import LDAP_PASSWORD
from runbooks.systems.ldap import Directory, LdapTarget
from tests.surface.helpers import ROOT, Ended
from tests.systems.repositories import DATA, REGISTRY, Remote, git

from .conftest import LISTS, MORE
from .test_accounts import key_file


@dataclass
class Desk:
    """What somebody at the keyboard has: settings, key files, and the systems behind."""

    top: Path
    server: DirectoryServer
    remote: Remote
    again: subprocess.Popen[str]

    def settings(self, changes: Mapping[str, Any]) -> Path:
        values: dict[str, Any] = {
            "inventory": str(self.top / "inventory"),
            "journal": f"sqlite:///{self.top}/journal.db",
            "repository": {"url": str(self.remote.bare), "cache": str(self.top / "cache")},
            "ldap": {"url": self.server.url, "ca": str(self.server.ca), "bind_dn": TOOL, "people": PEOPLE,
                     "groups": GROUPS, "domains": ["example.org"], "answer_timeout_s": 30},
        }  # fmt: skip
        for key, value in changes.items():
            section, _, name = key.partition(".")
            values[section][name] = str(value).format(top=self.top) if value else value
        path = self.top / "settings.yaml"
        path.write_text(yaml.safe_dump({"ops_clinic": values}))
        return path

    def inv(self, argv: Sequence[str], changes: Mapping[str, Any], environment: Mapping[str, str]) -> Ended:
        words = ["-f", str(self.settings(changes)), *(word.replace("{top}", str(self.top)) for word in argv)]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("INVOKE_") and k != "SUDO_USER"}
        env = kept | {LDAP_PASSWORD: self.server.password.reveal()} | environment
        assert self.again.stdin
        assert self.again.stdout
        self.again.stdin.write(json.dumps({"argv": words, "env": env}) + "\n")
        self.again.stdin.flush()
        return Ended(*json.loads(self.again.stdout.readline()))

    def world(self) -> object:
        """All that could have been changed."""
        password = Secret(self.server.password.reveal())
        directory = Directory(self.server.url, TOOL, password, PEOPLE, ca=self.server.ca, groups=GROUPS)
        reader = LdapTarget(directory).reader()
        return git("for-each-ref", at=self.remote.bare), reader.members("wmf"), reader.members("nda")


@pytest.fixture(scope="module")
def desk(server: DirectoryServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    top = tmp_path_factory.mktemp("desk")
    held, shared = (key_file(top, name).read_text().strip() for name in ("held", "shared"))
    text = REGISTRY.replace("users:", LISTS, 1) + MORE
    text = text.replace("Alice\n    ssh_keys: []", f"Alice\n    ssh_keys: ['{held}', '{shared}']", 1)
    text = text.replace("Bob\n    ssh_keys: []", f"Bob\n    ssh_keys: ['{shared}']", 1)
    remote = Remote.make(top, text)
    remote.push({"broken.yaml": "users: [\n"}, "No registry", branch="broken")
    (top / "inventory").mkdir()
    (top / "inventory/hosts.yaml").write_text(
        "hosts:\n  h1: {address: 127.0.0.1, port: 9}\naliases: {puppetserver: 'D{h1}'}\n"
    )
    key_files(top)
    (top / "open").write_text("secret\n")
    (top / "open").chmod(0o644)
    in_ldap = key_file(top, "inldap").read_text().strip()
    server.modify(f"dn: uid=zoe,{PEOPLE}\nchangetype: modify\nreplace: sshPublicKey\nsshPublicKey: {in_ldap}\n")
    command = [sys.executable, "-m", "tests.procedures.again"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as again:
        yield Desk(top, server, remote, again)
    server.modify(f"dn: uid=zoe,{PEOPLE}\nchangetype: modify\ndelete: sshPublicKey\n")


def key_files(top: Path) -> None:
    """What people hand in."""
    good = key_file(top, "good").read_text().strip()
    key_file(top, "rsa", "-t", "rsa", "-b", "1024")
    key_file(top, "ecdsa", "-t", "ecdsa")
    (top / "folder.pub").mkdir()
    texts = {
        "empty": "",
        "two": f"{good}\n{good}\n",
        "wrapped": f"{good[:40]}\n{good[40:]}\n",
        "cut": f"{good[:60]}\n",
        "options": f'from="*" {good}\n',
        "nul": f"{good}\0\n",
        "bidi": f"{good} \u202e\n",
        "long": f"{good} {'x' * 100_000}\n",
        "dsa": "ssh-dss AAAAB3NzaC1kc3MAAAAB/wAAAAEBAAAAAQEAAAABAQ== d\n",
    }
    for name, text in texts.items():
        (top / f"{name}.pub").write_text(text)
    (top / "binary.pub").write_bytes(b"\xff\xfe\x00\x01")


CREATE = ("create-user", "nova", "--key", "{top}/good.pub", "--realname", "Nova", "--email", "nova@example.org",
          "--groups", "other", "--moved", "2026-01-05", "--task", "T7")  # fmt: skip
JOIN = ("join-group", "bob", "--groups", "other", "--moved", "2026-01-05", "--task", "T7")
GRANT = ("grant-ldap", "alice", "--group", "wmf", "--email", "alice@example.org")
EVERY = {
    "create-user": CREATE[2:],
    "promote-user": ("--key", "{top}/good.pub", "--moved", "2026-01-05", "--task", "T7"),
    "add-key": ("--key", "{top}/good.pub"),
    "replace-key": ("--key", "{top}/good.pub"),
    "join-group": JOIN[2:],
    "leave-group": ("--groups", "ops"),
    "revoke-key": (),
    "remove-account": (),
    "grant-ldap": GRANT[2:],
    "revoke-ldap": ("--group", "wmf"),
    "extend-access": ("--until", "2099-01-01", "--contact", "bob"),
}
"""Every command that is about one account, with the rest of a good command line."""


@dataclass
class Case:
    argv: tuple[str, ...]
    status: int
    why: str
    changes: Mapping[str, Any] | None = None
    environment: Mapping[str, str] | None = None


def key(name: str, status: int, why: str) -> Case:
    return Case(("add-key", "zoe", "--key", "{top}/" + name), status, why)


def new(*more: str, why: str, status: int = 2) -> Case:
    """A new account, with other options, or more."""
    given = dict(zip(CREATE[2::2], CREATE[3::2], strict=True)) | dict(zip(more[::2], more[1::2], strict=True))
    return Case((*CREATE[:2], *(word for pair in given.items() for word in pair)), status, why)


def named(word: str, why: str, status: int = 2, only: Sequence[str] = tuple(EVERY)) -> dict[str, Case]:
    """A name, to every command."""
    return {f"{one} {word!r}": Case((one, word, *EVERY[one]), status, why) for one in only}


CASES: dict[str, Case] = {
    # names
    **named("ali*", "'ali*' is no account name"),
    **named("alice)(uid=*", "is no account name", only=["create-user", "grant-ldap", "revoke-ldap"]),
    **named("a\nb", "'a\\nb' is no account name", only=["add-key", "grant-ldap", "remove-account"]),
    **named("-x", "'-x' is no account name", only=["add-key", "revoke-ldap", "remove-account", "join-group"]),
    **named("\u0430lice", "is no account name", only=["create-user", "revoke-key"]),
    **named("a" * 5000, "characters", only=["create-user"]),
    **named("", "'' is no account name", only=["create-user", "remove-account"]),
    **named("root", "'root' is the name of a system account"),
    "ldap-groups with a filter": Case(("ldap-groups", "*)(uid=alice"), 2, "is no account name"),
    # people
    **named("ghost", "ghost is not in users", only=["add-key", "replace-key", "join-group", "revoke-key"]),
    **named("ghost", "ghost is not in ops", only=["leave-group"]),
    **named("ghost", "ghost is not in the registry", only=["remove-account", "grant-ldap", "extend-access"]),
    **named("ghost", "ghost has no UID in LDAP", 3, only=["promote-user"]),
    **named("ghost", "ghost is not in LDAP, nor among the members of wmf", only=["revoke-ldap"]),
    "nobody to list": Case(("ldap-groups", "ghost"), 2, "ghost is not in LDAP"),
    "no UID in LDAP": Case(("create-user", "ghost", *CREATE[2:]), 3, "ghost has no UID in LDAP"),
    "there already": Case(("create-user", "alice", *CREATE[2:]), 2, "alice is already in users"),
    "absent": Case(("grant-ldap", "old", "--group", "wmf"), 3, "old is absent in the registry"),
    "longer for the absent": Case(("extend-access", "old", *EVERY["extend-access"]), 2, "is absent"),
    **{
        f"{one} for oneself": Case((one, "alice", *EVERY[one]), 2, "'alice' is you", environment={"SUDO_USER": "alice"})
        for one in EVERY
    },
    # keys
    "no key": Case(("add-key", "zoe"), 2, "give --key"),
    "no such file": key("none.pub", 2, "none.pub: No such file"),
    "a directory": key("folder.pub", 2, "folder.pub: Is a directory"),
    "an empty file": key("empty.pub", 2, "0 keys: one is wanted"),
    "two keys": key("two.pub", 2, "2 keys: one is wanted"),
    "a key on two lines": key("wrapped.pub", 2, "2 keys: one is wanted"),
    "half a key": key("cut.pub", 2, "the key is cut short"),
    "a private key": key("good", 2, "a PRIVATE key, which must not leave its owner"),
    "options": key("options.pub", 2, "comes with options in front"),
    "RSA 1024": key("rsa.pub", 2, "an RSA key of 1024 bits"),
    "ECDSA": key("ecdsa.pub", 2, "a key of type ecdsa-sha2-nistp256: make an ed25519 key"),
    "DSA": key("dsa.pub", 2, "--key"),
    "no text": key("binary.pub", 2, "is no text"),
    "a NUL": key("nul.pub", 2, "not one line of text"),
    "hidden text": key("bidi.pub", 2, "not one line of text"),
    "a very long line": key("long.pub", 2, "not one line of text"),
    "no home": Case(("add-key", "zoe", "--key", "~nobodyhere/x.pub"), 2, "home"),
    "somebody else's": key("held.pub", 3, "alice has it (line"),
    "one for elsewhere": key("inldap.pub", 3, "is zoe's in LDAP"),
    "no such key to revoke": Case(("revoke-key", "alice", "--key", "SHA256:none"), 2, "has no key SHA256:none"),
    "no key to revoke": Case(("revoke-key", "alice", "--key", "rubbish"), 2, "the key 'rubbish'"),
    "no such old key": Case(("replace-key", "alice", "--key", "{top}/good.pub", "--old", "x"), 2, "has no key 'x'"),
    # days
    "a day that is over": new("--expires", "2020-01-01", "--contact", "bob", why="2020-01-01 is over"),
    "a day that is none": new("--expires", "2099-02-30", "--contact", "bob", why="'2099-02-30' is no date"),
    "nobody to be asked": new("--expires", "2099-01-01", why="--expires and --contact come together"),
    "no later day": Case(("extend-access", "alice"), 2, "give --until and --contact"),
    "moved in the future": new("--moved", "2099-01-01", why="2099-01-01 is still to come"),
    # groups
    "no group": Case((*JOIN[:3], "", *JOIN[4:]), 2, "give --groups"),
    "no such group": Case((*JOIN[:3], "nope", *JOIN[4:]), 3, "nope is no group"),
    "a group twice": Case((*JOIN[:3], "other,other", *JOIN[4:]), 2, "other is named twice"),
    "those who are gone": Case((*JOIN[:3], "absent", *JOIN[4:]), 3, "is for those who are gone"),
    "leave no group": Case(("leave-group", "bob"), 2, "give --groups"),
    "leave another's": Case(("leave-group", "bob", "--groups", "other"), 2, "bob is not in other"),
    "no LDAP group": Case(("grant-ldap", "alice"), 2, "the group is wmf or nda"),
    "any LDAP group": Case(("grant-ldap", "alice", "--group", "*"), 2, "'*': the group is wmf or nda"),
    "out of no group": Case(("revoke-ldap", "alice"), 2, "give --group"),
    "out of any": Case(("revoke-ldap", "alice", "--group", "*)(cn=wmf"), 3, "LDAP has no group *)(cn=wmf"),
    # words
    "two lines for a name": new("--realname", "Nova\nuid: 0", why="realname: 'Nova\\nuid: 0' is not one line of text"),
    "a name that steers": new("--realname", "\x1b[31m", why="is not one line of text"),
    "a very long name": new("--realname", "x" * 300, why="--realname is too long"),
    "no address": new("--email", "nova", why="--email 'nova' is no mail address"),
    "a spaced address": new("--email", "nova @example.org", why="is no mail address"),
    "two lines of address": new("--email", "n@example.org\nuid: 0", why="is no mail address"),
    "two lines of contact": new("--expires", "2099-01-01", "--contact", "a\nb", why="expiry_contact: 'a\\nb'"),
    "no task": new("--task", "7", why="'7' is no task"),
    "a task and more": new("--task", "T7\nx", why="'T7\\nx' is no task"),
    "no ticket": new("--task", "", why="give --task"),
    # systems
    "no LDAP": Case(GRANT, 3, "Connection refused", {"ldap.url": "ldap://127.0.0.1:9"}),
    "no LDAP for a UID": Case(CREATE, 3, "Connection refused", {"ldap.url": "ldap://127.0.0.1:9"}),
    "no directory": Case(CREATE, 2, "ldap.url is not set", {"ldap.url": None}),
    "no password": Case(GRANT, 2, "the password of ldap is nowhere", None, {LDAP_PASSWORD: ""}),
    "a wrong password": Case(GRANT, 3, "invalidCredentials", None, {LDAP_PASSWORD: "wrong"}),
    "an open password": Case(GRANT, 2, "chmod 600", {"ldap.password_file": "{top}/open"}, {LDAP_PASSWORD: ""}),
    "no certificates": Case(("ldap-groups", "alice"), 3, "no certificate", {"ldap.ca": "/etc/hostname"}),
    "no repository": Case(JOIN, 3, "does not appear to be a git", {"repository.url": "{top}/nowhere"}),
    "no git server": Case(JOIN, 3, "@git: unreachable", {"repository.url": "git://127.0.0.1:9/x"}),
    "no such branch": Case(JOIN, 3, "has no branch nope", {"repository.branch": "nope"}),
    "no registry": Case(JOIN, 2, "no.yaml is not in the repository", {"repository.registry": "no.yaml"}),
    "a broken registry": Case(
        JOIN, 2, "line ", {"repository.branch": "broken", "repository.registry": "broken.yaml"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_clear_line(desk: Desk, case: str) -> None:
    told = CASES[case]
    before = desk.world()
    argv = told.argv if told.argv[0] == "ldap-groups" else (*told.argv, "--yes")
    desk.inv(argv, told.changes or {}, told.environment or {}).refuses(told.status, told.why)
    assert desk.world() == before
    runs = desk.inv(("runs", "--json"), {}, {}) if (desk.top / "journal.db").exists() else None
    assert runs is None or runs.json["runs"] == []


def test_odd_words_are_written_as_text(desk: Desk) -> None:
    """What YAML would take for something else is quoted; the plan shows it, though its host cannot be reached."""
    odd = ["yes", "- x", "@here", "a: b # c", "'q\" \\", "Zoë Ångström 日本", "{x}", "*y", "2020-01-01", "null"]
    for word in odd:
        done = desk.inv((*new("--realname", word, why="").argv, "--dry-run", "--json"), {}, {})
        assert done.status == 3, done.err
        step = next(one for one in done.json["plan"]["steps"] if one["name"].startswith("Prepare the registry patch"))
        diff = "\n".join(step["findings"]["@git"]["preview"])
        after = Registry(patched(desk.remote, diff))
        assert after.user("nova").realname == word
        assert after.validate() == []


def patched(remote: Remote, diff: str) -> str:
    """The registry with a diff applied by git."""
    git("checkout", "-q", "-f", "production", at=remote.clone)
    git("apply", "-", at=remote.clone, feed=f"{diff}\n".encode())
    text = (remote.clone / DATA).read_text(encoding="utf-8")
    git("checkout", "-q", "-f", "production", at=remote.clone)
    return text


def test_a_key_of_two_people_goes_for_both(desk: Desk) -> None:
    for argv in (("revoke-key", "bob"), ("remove-account", "bob")):
        done = desk.inv((*argv, "--dry-run"), {}, {})
        assert "alice has the key SHA256:" in done.out
        told = " ".join(done.out.split())
        assert "too: it goes there as well; tell alice" in told
        as_json = desk.inv((*argv, "--dry-run", "--json"), {}, {}).json
        step = next(one for one in as_json["plan"]["steps"] if one["name"].startswith("Prepare the registry patch"))
        after = Registry(patched(desk.remote, "\n".join(step["findings"]["@git"]["preview"])))
        assert (len(after.user("alice").ssh_keys), after.user("bob").ssh_keys) == (1, ())
