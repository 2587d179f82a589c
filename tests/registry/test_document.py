"""Reading: where nodes stand in the text, and what is refused before anything is looked up."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbooks.errors import RegistryError
from runbooks.registry import Registry, document
from runbooks.registry.document import children, compose
from runbooks.registry.synthetic import synthetic

from .small import SMALL, small

LOADERS = [yaml.SafeLoader, document.LOADER]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("prefix", ["", "\ufeff", "# é 😀\n", "\ufeff---\r\n", "x: 'a\u2028  b\x85 c'\n"])
def test_spans_are_the_nodes_own_text(monkeypatch: pytest.MonkeyPatch, loader: object, prefix: str) -> None:
    """Both parsers count characters, not bytes; a byte-order mark is not counted by one of them."""
    monkeypatch.setattr(document, "LOADER", loader)
    pieces = ["Zoë", "'😀 bob'", "&a bob", '"李\\n"', "[a, é, 'b']", "{k: ö}"]
    read = compose(prefix + "\r\n".join(f"k{number}: {piece}" for number, piece in enumerate(pieces)))
    values = [value for slot, value in children(read.root) if slot % 2][-len(pieces) :]
    assert [read.text[read.start(value) : read.end(value)] for value in values] == pieces
    assert read.line(values[-1]) == read.text.count("\n") + 1


def test_both_parsers_agree_on_the_marks_of_a_whole_registry() -> None:
    text = synthetic(60, 12, 20)

    def marks(node: yaml.Node) -> list[tuple[int, int]]:
        return [
            (node.start_mark.index, node.end_mark.index),
            *(mark for _, child in children(node) for mark in marks(child)),
        ]

    pure, fast = (yaml.compose(text, Loader=loader) for loader in LOADERS)
    assert marks(pure) == marks(fast)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the registry is empty"),
        ("# nothing\n", "the registry is empty"),
        ("---\n- a\n", "line 2: the registry is no mapping"),
        ("~\n", "line 1: the registry is no mapping"),
        (SMALL + "---\na: b\n", "line 24: a second document begins"),
        (small(("    uid: 1001", "\tuid: 1001")), r"line 13: the YAML is broken.*(tab|\\t)"),
        (small(("    uid: 1001", "   uid: 1001")), "line 13: the YAML is broken"),
        (small(("[gone]", "[gone")), "line 5: the YAML is broken"),
        (small(("[gone]", "[*gone]")), "line 4: the YAML is broken.*undefined alias"),
        (small(("  bobby:", "  bob:")), "line 16: 'bob' is already a key at line 11"),
        (small(("  bobby:", "  'bob':")), "line 16: 'bob' is already a key at line 11"),
        (small(("gid: 500", "uid: 500")), "line 14: 'uid' is already a key at line 13"),
        (small(("gid: 500", "<<: {gid: 500}")), "line 14: a merge key"),
        (small(("  ops:", "  ? [a]\n  :")), "line 7: a list or mapping stands as a key"),
        (small(("[bob, bobby]", "[!person bob]")), "line 9: the tag !person"),
        (small(("[bob, bobby]", "&s [bob, *s]")), "line 9: the anchor holds an alias of itself"),
        (small(("uid: 1001", "uid: 1001 # \x07")), r"line 13: the character '\\x07'"),
        (small(("uid: 1001", "uid: 1001 # \ud800")), r"line 13: the character '\\ud800'"),
        (small(("uid: 1001", "uid: 1001\rgid: 5")), r"line 13: the character '\\r'"),
        (small(("[bob, bobby]", "[" * 3000 + "]" * 3000)), "nested too deeply|line 9: .* maximum nesting depth"),
        ("groups: []\n", "line 1: groups is no mapping"),
        ("groups: {}\nusers: 5\n", "line 2: users is no mapping"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message) as caught:
        Registry(text)
    assert "\n" not in str(caught.value)


def test_aliases_that_expand_without_end_are_refused() -> None:
    lines = [
        "a: &a [x,x,x,x,x,x,x,x,x,x]",
        *(f"{c}: &{c} [{','.join(['*' + p] * 10)}]" for p, c in zip("abcdef", "bcdefg", strict=True)),
    ]
    with pytest.raises(RegistryError, match="the aliases expand to too many values"):
        Registry("\n".join(lines))


def test_bytes() -> None:
    text = "\ufeff" + SMALL.replace("\n", "\r\n")
    assert Registry.from_bytes(text.encode()).text == text
    with pytest.raises(RegistryError, match="line 2: the registry is not UTF-8"):
        Registry.from_bytes(b"a: b\nc: \xff\n")


@given(st.text(alphabet=" -:[]{}&*!|>'\"#%@`,?\n\r\tab0\u2028\ufeff", max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        assert Registry(text).text == text
    except RegistryError as error:
        assert "\n" not in str(error)
