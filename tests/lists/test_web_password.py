"""Web log-ins beside Mailman 3: a real Django on a lab host, over ssh, and its own command for passwords."""

from __future__ import annotations

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
from runbooks.model import Json, Status
from runbooks.secret import Fresh, Secret
from runbooks.settings_sections import ListDomain
from runbooks.systems.host import HostReader, HostTarget
from runbooks.systems.reads import Read, takes_secret
from runbooks.transport.route import SshSettings
from runbooks.transport.shell import Shell
from runbooks.transport.ssh import SshTransport
from tests.labs import small_lab

HOST, RUN = "lab01", "20261126-030000-aaaaaa"
LENA, ULI = "lena@example.net", "uli@example.net"
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
_STRICT = """
from settings import *
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 60}}
]
"""
_CHECK = """
import sys
import django
django.setup()
from django.contrib.auth.models import User
found = User.objects.filter(username=sys.argv[1]).first()
sys.exit(not (found and found.check_password(sys.stdin.readline().rstrip("\\n"))))
"""
_PEOPLE = """
import sys
import django
django.setup()
from django.contrib.auth.models import User
for name in sys.argv[1:]:
    User.objects.create_user(name, name, "old-" + name)
"""
PYTHON = ("env", f"PYTHONPATH={WEB}", "DJANGO_SETTINGS_MODULE=settings", "/usr/bin/python3")
DOMAIN = ListDomain(
    "lists.example.org",
    url="http://127.0.0.1:1",
    host=HOST,
    web_password=(*PYTHON, "-m", "django", "changepassword", "{address}"),
    web_check=(*PYTHON, f"{WEB}/check.py", "{address}"),
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    try:
        install(lambda: [] if Path("/usr/lib/python3/dist-packages/django").is_dir() else ["python3-django"])
    except (Blocked, OSError) as missing:
        pytest.skip(f"no Django here: {missing}")
    with small_lab(1, [Person("lena", 2001, home_files=1)]) as made:
        yield made


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[HostTarget]:
    """With a Django that has two accounts."""
    row = next(row for row in lab.status() if row.name == HOST)
    transport = SshTransport(SshSettings(lab.ssh_config))
    made = HostTarget(HOST, lambda: Shell(HOST, transport.open(HOST, row.address, row.port, None), 60))
    files = {"settings": _SETTINGS, "strict": _STRICT, "check": _CHECK, "people": _PEOPLE}
    with made.writer(RUN, 1, 5) as writer:
        writer.run("mkdir", "-p", WEB)
        for name, text in files.items():
            writer.run("tee", f"{WEB}/{name}.py", feed=text.encode())
        writer.run(*PYTHON, "-m", "django", "migrate")
        writer.run(*PYTHON, f"{WEB}/people.py", LENA, ULI)
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


def opens(host: HostTarget, address: str, password: str) -> bool:
    words = tuple(word.replace("{address}", address) for word in DOMAIN.web_check)
    return host.reader().ask(takes_secret(words, Secret(password)))


def test_an_account_gets_the_new_password_and_no_other_one(
    host: HostTarget, lists: Callable[..., ListTarget], fresh: Fresh
) -> None:
    target, step = lists(), WebPasswordSet(LENA)
    reader = target.reader(RUN)
    assert step.check(reader).status is Status.TODO and not fresh.is_made  # type: ignore[arg-type]
    secret = fresh.make().reveal()
    assert opens(host, LENA, f"old-{LENA}") and not opens(host, LENA, secret)
    transcript = change(target, LENA)
    assert step.verify(reader, {}).status is Status.DONE  # type: ignore[arg-type]
    assert fresh.taken == [LENA]
    assert opens(host, LENA, secret) and not opens(host, LENA, f"old-{LENA}")
    assert opens(host, ULI, f"old-{ULI}") and not opens(host, ULI, secret)
    assert [entry["status"] for entry in transcript] == [0]
    assert transcript[0]["command"].endswith(f"-m django changepassword {LENA}")
    assert secret not in str(transcript)


def test_an_account_that_django_does_not_know(lists: Callable[..., ListTarget]) -> None:
    target = lists()
    with pytest.raises(
        CommandFailed, match=r"lab01: .* returned 1: CommandError: user 'max@example.net' does not exist"
    ):
        change(target, "max@example.net")
    assert target.reader(RUN).has_web_password("max@example.net") is False  # type: ignore[attr-defined]


def test_a_password_that_django_does_not_take(host: HostTarget, lists: Callable[..., ListTarget], fresh: Fresh) -> None:
    words = tuple(word.replace("=settings", "=strict") for word in DOMAIN.web_password)
    with pytest.raises(CommandFailed, match="returned 1") as caught:
        change(lists(web_password=words), ULI)
    assert fresh.make().reveal() not in str(caught.value)
    assert opens(host, ULI, f"old-{ULI}")


def test_what_a_command_prints_of_the_password_is_hidden(lists: Callable[..., ListTarget], fresh: Fresh) -> None:
    secret = fresh.make().reveal()
    assert change(lists(web_password=("cat",)), LENA)[0]["output"] == "***\n***\n"
    with pytest.raises(CommandFailed, match=r"returned 3: \*\*\*$") as caught:
        change(lists(web_password=("sh", "-c", "cat; exit 3")), LENA)
    assert secret not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_the_password_stands_in_no_process_list(lists: Callable[..., ListTarget]) -> None:
    # Counted by the shell alone: a program that looks for it would have it among its own arguments.
    seen = """read -r new; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | {
        lines=0; found=0
        while read -r line; do lines=$((lines + 1)); case $line in *"$new"*) found=$((found + 1));; esac; done
        [ $lines -gt 20 ] && echo found $found; }"""
    assert change(lists(web_password=("sh", "-c", seen)), LENA)[0]["output"] == "found 0\n"


def test_where_nothing_is_set_up_it_cannot_be_asked(lists: Callable[..., ListTarget], fresh: Fresh) -> None:
    fresh.make()
    reader = lists(web_check=()).reader(RUN)
    assert reader.has_web_password(LENA) is None  # type: ignore[attr-defined]
    assert "was not looked at" in WebPasswordSet(LENA).verify(reader, {}).note  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [("sh", "-c", "exit 2"), ("no-such-command", "{address}")])
def test_a_check_that_says_neither_yes_nor_no(
    lists: Callable[..., ListTarget], fresh: Fresh, words: tuple[str, ...]
) -> None:
    secret = fresh.make().reveal()
    with pytest.raises(Blocked, match=r"look at lists\.domains\.lists\.example\.org\.web_check") as caught:
        lists(web_check=words).reader(RUN).has_web_password(LENA)  # type: ignore[attr-defined]
    assert secret not in str(caught.value)


def test_an_address_is_never_an_option(lists: Callable[..., ListTarget], fresh: Fresh) -> None:
    with pytest.raises(CommandFailed, match="begins with a dash"):
        change(lists(), "--verbosity=3@example.net")
    assert fresh.taken == []


def test_what_was_said_about_a_secret_is_not_remembered(host: HostTarget) -> None:
    reader = host.reader()
    reader.hold_still()
    asked = takes_secret(("sh", "-c", "read word; [ $word = right ]"), Secret("right"))
    other = replace(asked, secret=Secret("wrong"))
    assert [reader.ask(one) for one in (asked, other, asked)] == [True, False, True]
    assert reader.seen() == {} and "secret=***" in repr(asked)
    with pytest.raises(TypeError, match="asked alone"):
        reader.ask_all([asked, Read(("true",), lambda _: True)])
    assert isinstance(reader, HostReader)
