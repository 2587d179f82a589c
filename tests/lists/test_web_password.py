"""Web log-ins beside Mailman 3: a real Django with allauth, as Postorius has it, on a lab host, over ssh."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runbooks.errors import Blocked, CommandFailed
from runbooks.lab import Lab, Person
from runbooks.lab.machine import install
from runbooks.lists.changes import WebPasswordSet
from runbooks.lists.drivers import open_lists
from runbooks.lists.mailman3 import Mailman3Writer
from runbooks.lists.model import ListTarget
from runbooks.model import Finding, Json, Status
from runbooks.secret import Fresh, Secret
from runbooks.settings.sections import ListDomain
from runbooks.systems.host import HostReader, HostTarget
from runbooks.systems.reads import Read
from runbooks.transport.route import SshSettings
from runbooks.transport.shell import Shell
from runbooks.transport.ssh import SshTransport
from tests.labs import small_lab

HOST, RUN = "lab01", "20261126-030000-aaaaaa"
LENA, ULI, MAX, EVE = "lena@example.net", "uli@example.net", "max@example.net", "eve@example.net"
WEB = "/srv/web"
_SETTINGS = f"""
SECRET_KEY = "of a test"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "{WEB}/db.sqlite3"}}}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
AUTH_PASSWORD_VALIDATORS = [
    {{"NAME": f"django.contrib.auth.password_validation.{{name}}Validator"}}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]
"""
_ALLAUTH = """
from plain import *
INSTALLED_APPS += ["django.contrib.sites", "allauth", "allauth.account"]
SITE_ID = 1
"""
_STRICT = """
from allauthed import *
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 60}}
]
"""
# Name, address, and whether allauth has it confirmed; None where allauth has never seen the account.
_PEOPLE = """
import django
django.setup()
from django.contrib.auth.models import User
from allauth.account.models import EmailAddress
def make(name, address, *addresses, is_active=True):
    made = User.objects.create_user(name, address, "old-" + name, is_active=is_active)
    for number, (other, verified) in enumerate(addresses):
        EmailAddress.objects.create(user=made, email=other, verified=verified, primary=not number)
make("lena", "lena@example.net", ("lena@example.net", True), ("second@example.net", True))
make("uli", "uli@example.net", ("uli@example.net", False))
make("max", "max@example.net")
make("brien", "o'brien@example.net", ("o'brien@example.net", True))
make("twin1", "twin@example.net", ("twin@example.net", True))
make("twin2", "twin@example.net")
make("gone", "gone@example.net", ("gone@example.net", True), is_active=False)
# Called by somebody else's address, and with a claim on it.
make("eve@example.net", "mallory@example.net", ("mallory@example.net", True), ("eve@example.net", False))
make("eve", "eve@example.net", ("Eve@Example.net", True))
"""
# A witness of its own: as a log-in does.
_OPENS = """
import sys
import django
django.setup()
from django.contrib.auth import authenticate
sys.exit(authenticate(None, username=sys.argv[1], password=sys.stdin.readline().rstrip("\\n")) is None)
"""


def django(settings: str) -> tuple[str, ...]:
    """Python with that Django."""
    return "env", f"PYTHONPATH={WEB}", f"DJANGO_SETTINGS_MODULE={settings}", "/usr/bin/python3"


DOMAIN = ListDomain(
    "lists.example.org", url="http://127.0.0.1:1", host=HOST, web=(*django("allauthed"), "-m", "django")
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    try:
        top = Path("/usr/lib/python3/dist-packages")
        install(lambda: [f"python3-django{way}" for way in ("", "-allauth") if not (top / way[1:]).is_dir()])
    except (Blocked, OSError) as missing:
        pytest.skip(f"no Django here: {missing}")
    with small_lab(1, [Person("lena", 2001, home_files=1)]) as made:
        yield made


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[HostTarget]:
    """With a Django that has some accounts."""
    row = next(row for row in lab.status() if row.name == HOST)
    transport = SshTransport(SshSettings(lab.ssh_config))
    made = HostTarget(HOST, lambda: Shell(HOST, transport.open(HOST, row.address, row.port, None), 60))
    files = {"plain": _SETTINGS, "allauthed": _ALLAUTH, "strict": _STRICT, "people": _PEOPLE, "opens": _OPENS}
    with made.writer(RUN, 1, 5) as writer:
        writer.run("mkdir", "-p", WEB)
        for name, text in files.items():
            writer.run("tee", f"{WEB}/{name}.py", feed=text.encode())
        writer.run(*DOMAIN.web, "migrate")
        writer.run(*django("allauthed"), f"{WEB}/people.py")
    yield made
    made.close()


@pytest.fixture
def fresh() -> Fresh:
    return Fresh()


@pytest.fixture
def lists(host: HostTarget, fresh: Fresh) -> Callable[..., ListTarget]:
    """Lists whose settings differ from the usual ones by so much."""
    return lambda **settings: open_lists(replace(DOMAIN, **settings), Secret("rest"), lambda: host, fresh)


def change(target: ListTarget, address: str) -> list[Json]:
    """As a step does; the list server itself is not needed."""
    writer = Mailman3Writer(target, RUN, 1, 5.0)  # type: ignore[arg-type]
    try:
        WebPasswordSet(address).do(writer, {})
    finally:
        transcript = [dict(entry) for entry in writer.transcript]
    return transcript


def check(target: ListTarget, address: str) -> Finding:
    return WebPasswordSet(address).check(target.reader(RUN))  # type: ignore[arg-type]


def opens(host: HostTarget, name: str, password: str) -> bool:
    words = (*django("allauthed"), f"{WEB}/opens.py", name)
    return host.reader().ask(Read(words, lambda result: not result.status, (0, 1), None, Secret(password)))


@pytest.mark.parametrize(
    ("address", "name"),
    [("Second@example.net", "lena"), (MAX, "max"), (EVE, "eve"), ("o'brien@example.net", "brien")],
)
def test_the_account_of_an_address_gets_the_new_password_and_no_other_one(
    host: HostTarget, lists: Callable[..., ListTarget], fresh: Fresh, address: str, name: str
) -> None:
    target = lists()
    found = check(target, address)
    assert found.status is Status.TODO and not fresh.is_made
    assert found.preview[0].startswith(f"+password of the web log-in {name}: env PYTHONPATH=")
    secret = fresh.make().reveal()
    assert opens(host, name, f"old-{name}") and not opens(host, name, secret)
    assert check(target, address).status is Status.TODO
    transcript = change(target, address)
    assert check(target, address).status is Status.DONE
    assert fresh.taken == [address]
    assert opens(host, name, secret) and not opens(host, name, f"old-{name}")
    for other in ("uli", EVE, "twin1"):
        assert opens(host, other, f"old-{other}") and not opens(host, other, secret)
    assert [entry["status"] for entry in transcript] == [0]
    assert transcript[0]["command"].endswith("-m django shell -c 'exec(eval(input()))'")
    assert secret not in str(transcript)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("nobody@example.net", "no web account has the address nobody@example.net"),
        ("lena", "no web account has the address lena"),
        (ULI, "the web account uli has not confirmed that uli@example.net is its own"),
        ("twin@example.net", "2 web accounts have the address twin@example.net: twin1, twin2"),
        ("gone@example.net", "the web account gone is not active"),
    ],
)
def test_an_address_that_is_not_one_account_s(
    lists: Callable[..., ListTarget], fresh: Fresh, address: str, why: str
) -> None:
    target = lists()
    with pytest.raises(Blocked, match=f"^lab01: {re.escape(why)}$"):
        check(target, address)
    with pytest.raises(CommandFailed, match=f"^lab01: .* returned 1: {re.escape(why)}$"):
        change(target, address)
    assert fresh.taken == []


def test_a_django_without_allauth(host: HostTarget, lists: Callable[..., ListTarget]) -> None:
    target = lists(web=(*django("plain"), "-m", "django"))
    change(target, ULI)
    assert check(target, ULI).status is Status.DONE
    with pytest.raises(Blocked, match="no web account has the address second@"):
        check(target, "second@example.net")
    with host.writer(RUN, 1, 5) as writer:
        code = "from django.contrib.auth.models import User as U; u = U.objects.get(username='uli'); "
        writer.run(*DOMAIN.web, "shell", "-c", f"{code}u.set_password('old-uli'); u.save()")


def test_a_password_that_django_does_not_take(lists: Callable[..., ListTarget], fresh: Fresh) -> None:
    with pytest.raises(CommandFailed, match="This password is too short") as caught:
        change(lists(web=(*django("strict"), "-m", "django")), LENA)
    assert fresh.make().reveal() not in str(caught.value) and fresh.taken == []


def test_what_a_command_prints_of_the_password_is_hidden(lists: Callable[..., ListTarget], fresh: Fresh) -> None:
    secret = fresh.make().reveal()
    assert change(lists(web=("sh", "-c", "tail -n 1")), LENA)[0]["output"] == "***\n"
    with pytest.raises(CommandFailed, match=r"returned 3: \*\*\*$") as caught:
        change(lists(web=("sh", "-c", "cat; exit 3")), LENA)
    assert secret not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_the_password_stands_in_no_process_list(lists: Callable[..., ListTarget]) -> None:
    # Counted by the shell alone: a program that looks for it would have it among its own arguments.
    seen = """read -r code; read -r address; read -r new
    cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | {
        lines=0; found=0
        while read -r line; do lines=$((lines + 1)); case $line in *"$new"*) found=$((found + 1));; esac; done
        [ $lines -gt 20 ] && echo found $found; }"""
    assert change(lists(web=("sh", "-c", seen)), LENA)[0]["output"] == "found 0\n"


@pytest.mark.parametrize("words", [("sh", "-c", "exit 2"), ("no-such-command",), ("echo", "hello")])
def test_a_command_that_is_not_django_s(lists: Callable[..., ListTarget], fresh: Fresh, words: tuple[str, ...]) -> None:
    secret = fresh.make().reveal()
    with pytest.raises(Blocked, match=r"look at lists\.domains\.lists\.example\.org\.web$") as caught:
        check(lists(web=words), LENA)
    assert secret not in str(caught.value)


def test_an_address_is_no_program_and_no_option(lists: Callable[..., ListTarget]) -> None:
    for odd in ("--verbosity=3@example.net", "'; import os #@example.net", "$(id)@example.net"):
        with pytest.raises(Blocked, match=re.escape(f"no web account has the address {odd}")):
            check(lists(), odd)


def test_what_was_said_about_a_secret_is_not_remembered(host: HostTarget) -> None:
    reader = host.reader()
    reader.hold_still()
    words = ("sh", "-c", "read word; [ $word = right ]")
    asked = Read(words, lambda result: not result.status, (0, 1), None, Secret("right"))
    other = replace(asked, secret=Secret("wrong"))
    assert [reader.ask(one) for one in (asked, other, asked)] == [True, False, True]
    assert reader.seen() == {} and "secret=***" in repr(asked)
    with pytest.raises(TypeError, match="asked alone"):
        reader.ask_all([asked, Read(("true",), lambda _: True)])
    assert isinstance(reader, HostReader)
