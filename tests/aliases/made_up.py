"""Made-up alias files in all styles, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = (
    "abuse",
    "noc",
    "ops",
    "press",
    "postmaster",
    "root",
    "security",
    "web-team",
    "legal.eu",
    "donate+de",
    "x",
    "yy",
)
ADDRESSES = (
    "ann@example.org",
    "Bob@Example.com",
    "carol",
    "d.e-f+g@sub.example.org",
    "zoe@example.net",
    "h_i@example.com",
)
ODD = (
    '"Doe, Jane" <jane@example.org>', "Bob (on leave) <bob@example.org>", "kim@example.org (T12)", ":fail: gone, away",
    ":blackhole:", "|/usr/bin/vacation", '"|/bin/filter a, b"', "/var/mail/archive", ":include:/etc/list", "\\carol",
    '"x y"@example.org', "ann@example.org # T9", "<no@bracket", "a@b..c", ":unknown:", "(nobody)", "# rest", "",
    '"|/bin/x \\"a, b\\" c\\d\\"', '"/var/mail/a\\b"', "|/bin/x \\d",
    "jos\u00e9@example.org", "@a.example,@b.example:c@example.org", "a b", "über", "y@[192.0.2.1]", "<y@[192.0.2.1]>",
)  # fmt: skip
KEYS = (*NAMES, "OPS", "Press", '"web master"', '"q\\"k\\x41"', '"open', "jos\u00e9", "", "a@b")
HEADS = (": ", ":", ":\t", " : ", "\t", ":          ", ":\n  ", ": \t ")
SEPARATORS = (", ", ",", " , ", ",\n  ", ",\n\t", "\n  , ", ",,")
BETWEEN = ("", "", "", "\n", "# T100 (bob)\n", "#\n", "\n# Section\n\n", "   \n", " \t\n# x\n", "  lost@example.org\n")
COMMON_HEADS, COMMON_SEPARATORS, COMMON_BETWEEN = HEADS[:3], SEPARATORS[:5], BETWEEN[:6]


@st.composite
def wild(draw: st.DrawFn) -> bytes:
    """A file in which everything may stand."""
    lines = []
    for _ in range(draw(st.integers(0, 8))):
        lines.append(draw(st.sampled_from(BETWEEN)))
        targets = draw(st.lists(st.sampled_from((*ADDRESSES, *ODD)), max_size=4))
        separator = draw(st.sampled_from(SEPARATORS))
        lines.append(draw(st.sampled_from(KEYS)) + draw(st.sampled_from(HEADS)) + separator.join(targets) + "\n")
    text = "".join(lines) + draw(st.sampled_from(BETWEEN))
    return _ended(draw, text.encode())


@st.composite
def plain(draw: st.DrawFn) -> bytes:
    """A file of aliases in one style, names once each, with comments."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=8))
    if draw(st.booleans()):
        names.sort()
    head, separator = draw(st.sampled_from(COMMON_HEADS)), draw(st.sampled_from(COMMON_SEPARATORS))
    width = draw(st.sampled_from((0, 0, 14)))
    lines = [draw(st.sampled_from(("", "# The aliases.\n\n", "# The aliases.\n")))]
    for name in names:
        targets = draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=4, unique=True))
        start = f"{name}: ".ljust(width) if width else name + head
        lines += (start, separator.join(targets), "\n", draw(st.sampled_from(COMMON_BETWEEN)))
    return _ended(draw, "".join(lines).encode())


def _ended(draw: st.DrawFn, data: bytes) -> bytes:
    if draw(st.booleans()):
        data = data.replace(b"\n", b"\r\n")
    return data.removesuffix(b"\n").removesuffix(b"\r") if draw(st.booleans()) else data
