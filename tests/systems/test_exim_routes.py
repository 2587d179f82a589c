"""What exim says of a route: its own words for every kind of end, made on the spot, and read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from runbooks.errors import CommandFailed, UsageError
from runbooks.systems import reads
from runbooks.systems.exim_routes import End, Fate, Route, parse_routes
from runbooks.systems.host import HostReader, HostTarget
from runbooks.transport.local import LocalChannel
from runbooks.transport.shell import Shell

from .exim_routing import command

ALIASES = """
one: alice
two: bob@mx.test, alice@mx.test
again: bob, alice, BOB, bob
chain: two@example.org, one@example.org
Upper: alice
outside: x@example.net
mixed: bob, nobody, x@example.net, {top}/folder
all-gone: bob, :blackhole:, alice
noreply: :blackhole:
closed: :fail: gone, to "x" <y>: ask\\n> them
closed-chain: closed@example.org
waits: :defer: come later
pipe: "|/bin/true a b"
file: {top}/folder
loop: loop2@example.org
loop2: loop@example.org
malformed: <<>>
included: :include:{top}/no-such-list
nocolon alice
twice: alice
twice: bob
odd: "a b"@example.net, o'neil+x=1%2@example.net, "a -> |b"@example.net
"quoted key": alice
"""
Ends = tuple[str, ...]


@pytest.fixture
def reader() -> Iterator[HostReader]:
    target = HostTarget("h1", lambda: Shell("h1", LocalChannel(("/bin/sh",)), 20.0))
    yield target.reader()
    target.close()


@pytest.fixture
def exim(tmp_path: Path) -> tuple[str, ...]:
    made = command(tmp_path)
    (tmp_path / "aliases/example.org").write_text(ALIASES.format(top=tmp_path))
    (tmp_path / "aliases/example.info").symlink_to("example.org")
    (tmp_path / "aliases/example.com").symlink_to("nowhere")
    return made


def routes(reader: HostReader, exim: Sequence[str], *addresses: str) -> list[Route]:
    found = reader.ask(reads.mail_routes(exim, addresses))
    assert list(found) == list(addresses)
    return [found[address] for address in addresses]


ALICE, BOB = "alice@mx.test by people/file", "bob@mx.test by people/file"
NET = "x@example.net by outside/smtp at 192.0.2.10, 192.0.2.9"
LIKELY: dict[str, tuple[Fate, Ends, str]] = {
    "alice@mx.test": (Fate.ROUTED, (ALICE,), ""),
    "alice": (Fate.ROUTED, (ALICE,), ""),
    "one@example.org": (Fate.ROUTED, (ALICE,), ""),
    "one@EXAMPLE.info": (Fate.ROUTED, (ALICE,), ""),
    "uPPER@example.org": (Fate.ROUTED, (ALICE,), ""),
    "two@example.org": (Fate.ROUTED, (ALICE, BOB), ""),
    "chain@example.org": (Fate.ROUTED, (ALICE, BOB), ""),
    "nocolon@example.org": (Fate.ROUTED, (ALICE,), ""),
    "twice@example.org": (Fate.ROUTED, (ALICE,), ""),
    '"quoted key"@example.org': (Fate.ROUTED, (ALICE,), ""),
    "outside@example.org": (Fate.ROUTED, (NET,), ""),
    "x@example.net": (Fate.ROUTED, (NET,), ""),
    "noreply@example.org": (Fate.DISCARDED, ("discarded",), ""),
    "all-gone@example.org": (Fate.DISCARDED, ("discarded",), ""),
    "nobody@example.org": (
        Fate.UNDELIVERABLE,
        ("nobody@example.org: undeliverable: Unrouteable address",),
        "Unrouteable address",
    ),
    "-C/etc/shadow@example.org": (
        Fate.UNDELIVERABLE,
        ("-C/etc/shadow@example.org: undeliverable: Unrouteable address",),
        "Unrouteable address",
    ),
    "waits@example.org": (Fate.DEFERRED, ("waits@example.org cannot be resolved at this time",), "come later"),
    "old-desk@mx.test": (Fate.ROUTED, (ALICE,), ""),
}  # fmt: skip


def test_every_address_has_its_own_route_whatever_was_asked_before_it(
    reader: HostReader, exim: tuple[str, ...]
) -> None:
    for some in (list(LIKELY), list(reversed(LIKELY))):
        for route in routes(reader, exim, *some):
            assert (route.fate, route.shown, route.why) == LIKELY[route.address], route


def test_the_way_to_an_end(reader: HostReader, exim: tuple[str, ...]) -> None:
    direct, chain, again = routes(reader, exim, "alice@mx.test", "chain@example.org", "again@example.org")
    assert direct.ends == (End("alice@mx.test", Fate.ROUTED, "people", "file"),)
    assert not direct.is_by_alias
    assert {end.parents for end in chain.ends if end.address == "bob@mx.test"} == {
        ("two@example.org", "chain@example.org")
    }
    assert chain.is_by_alias
    assert "<-- two@example.org" in chain.text
    assert len(again.shown) == 3, "exim leaves the case of a local part alone"


def test_a_route_is_as_bad_as_its_worst_end(reader: HostReader, exim: tuple[str, ...], tmp_path: Path) -> None:
    (mixed,) = routes(reader, exim, "mixed@example.org")
    assert mixed.fate is Fate.UNDELIVERABLE
    assert set(mixed.shown) == {
        BOB, NET, f"{tmp_path}/folder by file", "nobody@mx.test: undeliverable: Unrouteable address",
    }  # fmt: skip
    closed, chain = routes(reader, exim, "closed@example.org", "closed-chain@example.org")
    assert closed.why == chain.why == 'gone, to "x" <y>: ask\\n> them'
    assert chain.ends[0].parents == ("closed-chain@example.org",)
    (loop,) = routes(reader, exim, "loop@example.org")
    assert (loop.fate, loop.ends[0].parents) == (Fate.UNDELIVERABLE, ("loop2@example.org", "loop@example.org"))


def test_what_exim_cannot_do_at_all(reader: HostReader, exim: tuple[str, ...]) -> None:
    pipe, malformed, included, dangling = routes(
        reader, exim, "pipe@example.org", "malformed@example.org", "included@example.org", "one@example.com"
    )
    assert (pipe.fate, pipe.ends[0].address) == (Fate.ERROR, "|/bin/true a b")
    assert "pipe_transport unset" in pipe.why
    assert [malformed.fate, included.fate, dangling.fate] == [Fate.DEFERRED] * 3
    assert "malformed local part" in malformed.why
    assert "failed to open included file" in included.why
    assert "No such file or directory" in dangling.why
    (syntax,) = routes(reader, exim, "a b@c")
    assert syntax.fate is Fate.ERROR
    assert syntax.why.startswith("syntax error: ")


def test_a_forbidden_file(reader: HostReader, tmp_path: Path) -> None:
    exim = command(tmp_path, "  forbid_file")
    (tmp_path / "aliases/example.org").write_text("file: /tmp/x y\n")
    (route,) = routes(reader, exim, "file@example.org")
    assert route.ends == (End("/tmp/x y", Fate.ERROR, parents=("file@example.org",), why="forbidden"),)


def test_odd_local_parts(reader: HostReader, exim: tuple[str, ...]) -> None:
    (odd,) = routes(reader, exim, "odd@example.org")
    assert {end.address for end in odd.ends} == {
        '"a b"@example.net', "o'neil+x=1%2@example.net", '"a -> |b"@example.net',
    }  # fmt: skip
    assert odd.fate is Fate.ROUTED


@pytest.mark.parametrize("address", ["", " ", "a@b\nc@d", "a@b\\", "a@b\0", "a@b\x1b[0m", "\n"])
def test_what_cannot_be_an_address_is_never_asked_about(address: str) -> None:
    with pytest.raises(UsageError, match="cannot be a mail address"):
        reads.mail_routes(("exim4",), ["x@example.org", address])


def test_no_address_is_no_question(reader: HostReader, exim: tuple[str, ...]) -> None:
    assert reader.ask(reads.mail_routes(exim, [])) == {}
    assert list(reader.ask(reads.mail_routes(exim, ["alice", "bob", "alice"]))) == ["alice", "bob"]


@pytest.mark.parametrize(("exim", "said"), [
    (("/usr/sbin/exim4", "-C", "/no/such/file"), "non-existent configuration file"),
    (("/no/such/exim4",), "not found"),
    (("/bin/cat", "-"), "answers for 2 addresses|invalid option"),
])  # fmt: skip
def test_what_is_no_answer(reader: HostReader, exim: tuple[str, ...], said: str, tmp_path: Path) -> None:
    if exim[0].endswith("sbin/exim4"):
        command(tmp_path)
    with pytest.raises(CommandFailed, match=said):
        reader.ask(reads.mail_routes(exim, ["a@example.org", "b@example.org"]))


@pytest.mark.parametrize("text", [
    "",
    "> ",
    "> mail to a is discarded\n",
    "> mail to a is discarded\n> > ",
    "> mail to a is discarded\n> mail to b is discarded\n> mail to c is discarded\n> \n",
    "exim: something\n> mail to a is discarded\n> mail to b is discarded\n> \n",
])  # fmt: skip
def test_answers_that_cannot_be_told_apart_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="answers for 2 addresses"):
        parse_routes(["a", "b"], text)


@pytest.mark.parametrize("odd", [
    "something else",
    "x@y\n  transport = file",
    "x@y\n    <-- a\n  host h [192.0.2.1]",
    "a -> |pipe",
    "a -> |pipe\n*** Error in setting up pipe, file, or autoreply:",
    "mail to a is discarded\n    <-- b",
    "",
])  # fmt: skip
def test_a_line_that_is_not_understood_is_an_error_of_its_address_alone(odd: str) -> None:
    found = parse_routes(["a", "b"], f"> {odd}\n> mail to b is discarded\n> \n")
    assert found["a"].fate is Fate.ERROR
    assert "not understood" in found["a"].why
    assert found["a"].text == odd
    assert found["b"].fate is Fate.DISCARDED


def test_words_that_this_exim_has_no_way_to_say_here() -> None:
    """From verify_address(): an automatic reply, a host that is out of use."""
    text = (
        "> r@x -> mail y@z\n  transport = reply\n"
        "> h@x\n  router = r, transport = unset\n  host b.example.net  [192.0.2.1] MX=10 ** unusable **\n"
        "  host a.example.net  [unknown]  MX=5 port=26\n> \n"
    )
    reply, host = parse_routes(["r@x", "h@x"], text).values()
    assert reply.ends == (End("mail y@z", Fate.ROUTED, transport="reply", parents=("r@x",)),)
    assert host.ends == (End("h@x", Fate.ROUTED, "r", "unset", ("a.example.net", "b.example.net")),)
