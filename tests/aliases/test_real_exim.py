"""Alias files read by us and by the real exim: the same keys, the same data, the same targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from runbooks.aliases.file import AliasFile
from runbooks.aliases.targets import Kind, Target
from tests.aliases.exim import Exim
from tests.aliases.made_up import KEYS, ODD, wild

CHECKED = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
BYTES = (b"a", b"B", b":", b" ", b"\t", b"\n", b"\n", b"\r\n", b"#", b'"', b"\\", b",", b"\v", b"\xe4", b"1")
ANYTHING = st.lists(st.sampled_from(BYTES), max_size=60).map(b"".join)


@pytest.fixture
def exim(tmp_path: Path) -> Exim:
    return Exim(tmp_path)


def same_values(exim: Exim, data: bytes) -> None:
    file = AliasFile.parse(data)
    keys = [key.encode() for key in KEYS if key] + [
        entry.key.encode("utf-8", "surrogateescape") for entry in file.entries
    ]
    keys = list(dict.fromkeys(key for key in keys if key))
    found = exim.values(data, keys)
    ours = [file.entry(key.decode("utf-8", "surrogateescape")) for key in keys]
    assert dict(zip(keys, found, strict=True)) == {
        key: entry.value if entry else None for key, entry in zip(keys, ours, strict=True)
    }


@CHECKED
@given(data=wild())
def test_files_of_all_styles(exim: Exim, data: bytes) -> None:
    same_values(exim, data)


@CHECKED
@given(data=ANYTHING)
def test_files_of_anything(exim: Exim, data: bytes) -> None:
    same_values(exim, data)


SAID = {
    "a comment ends an entry": b"ops: ann,\n# T1\n bob\n",
    "an empty line ends an entry": b"ops: ann,\n\n bob\n",
    "blanks are an empty line": b"ops: ann,\n \t\n bob\n",
    "a line longer than exim's buffer": b"ops: "
    + b", ".join(b"somebody-%d@example.org" % n for n in range(400))
    + b"\n x\n",
    "a comment longer than exim's buffer": b"ops: ann\n#" + b"x" * 9000 + b"\nnoc: bob\n",
    "bytes that are no UTF-8": b"f\xfcr: \xe4\xf6\n",
    "no line end": b"ops: ann,\n bob  ",
    "blanks and no line end": b"ops: ann\n  ",
    "a form feed continues": b"ops: ann,\n\fbob\n",
    "the first counts": b"OPS: ann\nops: bob\n",
}


@pytest.mark.parametrize("case", SAID)
def test_what_bites(exim: Exim, case: str) -> None:
    same_values(exim, SAID[case])


def test_a_nul_makes_exim_take_two_lines_for_one(exim: Exim) -> None:
    """And so such a file is not read here."""
    assert exim.values(b"ops: a\0b\nnoc: c\n", [b"ops", b"noc"]) == [b"anoc: c", None]


def route(target: Target) -> str:
    if target.kind is Kind.ADDRESS:
        domain = "in.example" if target.own else "q.example"
        return target.address if target.domain else f"{target.address}@{domain}"
    return f"a@in.example -> {target.text}"


def same_routes(exim: Exim, value: str) -> None:
    data = f"a: {value}\n".encode()
    entry = AliasFile.parse(data).entries[0]
    found = exim.routes(data, ["a"])[0]
    last = entry.targets[-1] if entry.targets else None
    bad = next((target for target in entry.targets if target.kind in (Kind.BAD, Kind.INCLUDE)), None)
    if bad:
        assert "cannot be resolved" in found[0], found
        assert bad.error in found[0]
    elif last is None:
        assert found == ["a@in.example"]
    elif last.kind in (Kind.FAIL, Kind.DEFER):
        text = last.text.split(":", 2)[2].strip()
        assert found[0].startswith(
            "a@in.example " + ("is undeliv" if last.kind is Kind.FAIL else "cannot be resolved")
        ), found
        assert not text or found[0].endswith(text)
    elif last.kind is Kind.BLACKHOLE:
        assert found == ["mail to a@in.example is discarded"]
    else:
        assert {line.split("   [dup")[0] for line in found} == {route(target) for target in entry.targets}


@pytest.mark.parametrize("value", ODD)
def test_odd_targets(exim: Exim, value: str) -> None:
    same_routes(exim, value)


VALUES = st.lists(
    st.sampled_from([*"ab@.,<>()\\\"'# :;|/[]-_=", "x@y.org", ", ", '", "', "\u00e9", "<@x.org:", "y@["]),
    min_size=1,
    max_size=12,
)


@settings(CHECKED, max_examples=300)
@given(value=VALUES.map("".join))
def test_any_targets(exim: Exim, value: str) -> None:
    # Where a backslash ends up before an @, or a domain is a quote in brackets, exim misreads its own result later on.
    found = AliasFile.parse(f"a: {value}\n".encode()).entries[0].targets
    assume("\\@" not in value and not re.search(r'\[[^\]]*["@]', value))
    assume(not any(target.address.endswith("\\") for target in found))
    same_routes(exim, value)
