"""The words of a manifest: where they begin and end, and what a string says."""

from __future__ import annotations

import pytest

from runbooks.registry.manifest.tokens import Source

TEXTS = {
    r"""'it\'s \n \\' """: [("string", r"it's \n " + "\\")],
    r""""a \"b\" \$c \t|\s|\d" """: [("string", 'a "b" $c \t| |' + r"\d")],
    '"a $b" "${a["x}"]} } \\"{" "$" "5$"': [("string", None), ("string", None), ("string", "$"), ("string", "5$")],
    "$a::b # it's { \n /* \" } \n */ x::y-z": [("variable", None), ("word", "x::y-z")],
    "a:b=>c": [("word", "a"), ("mark", None), ("word", "b"), ("mark", None), ("word", "c")],
    "if $x =~ /a'{\\/b/ { }": [("word", "if"), ("variable", None), ("mark", None), ("regex", None)]
    + [("mark", None)] * 2,
    "$x / 2 / 'a'": [("variable", None), ("mark", None), ("word", "2"), ("mark", None), ("string", "a")],
    "node /x'y/ '/': z": [("word", "node"), ("regex", None), ("string", "/"), ("mark", None), ("word", "z")],
    "# a\r 'b\n'c'\r\n": [("string", "c")],
}


@pytest.mark.parametrize("text", TEXTS)
def test_words(text: str) -> None:
    source = Source(text)
    assert [(token.kind, token.value) for token in source.tokens] == TEXTS[text]
    assert all(text[token.start : token.end] == token.text for token in source.tokens)


def test_lines_are_those_of_an_editor() -> None:
    source = Source("a\r\n'b\nc' d\n")
    assert [(token.text, source.line(token.start)) for token in source.tokens] == [("a", 1), ("'b\nc'", 2), ("d", 3)]
