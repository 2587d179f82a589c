"""New keys and new accounts, in the form of one that the file has: its blanks, its quotes, its order.

Comments are not copied, and of a key only what each of them needs: not ``options``, not ``target``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runbooks.errors import RegistryError
from runbooks.registry.keys import parse_key
from runbooks.registry.manifest.people import Account, plain_guard
from runbooks.registry.manifest.reading import Reading
from runbooks.registry.manifest.spelling import gap, indent, line_behind, respelled
from runbooks.registry.manifest.statements import ACCOUNT, KEY, Block, Resource
from runbooks.registry.splice import Edit, splice

_COPIED = ("ensure", "user", "type", "key", "require")


@dataclass(frozen=True)
class NewKey:
    """A key under the title that it gets in the file."""

    title: str
    type: str
    blob: str

    @property
    def text(self) -> str:
        """As it will be read."""
        return f"{self.type} {self.blob} {self.title}"


def new_keys(reading: Reading, name: str, lines: Sequence[str]) -> list[NewKey]:
    """Keys with titles that nothing in the file has yet: their comments, numbered where those are taken."""
    taken = {token.value for token in reading.source.tokens}
    found = []
    for line in lines:
        key = parse_key(line)
        wanted = key.comment or name
        numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + len(lines) + 3))
        title = next(one for one in (wanted, *numbered) if one not in taken)
        taken.add(title)
        found.append(NewKey(title, key.type, key.blob))
    return found


def model_of(reading: Reading) -> Account:
    """The account that a new one is made like: the last plain one, if there is one whose keys stay under puppet when
    it is disabled. Raises RegistryError."""
    plain = [one for one in reading.accounts.values() if one.user.present and is_plain(reading, one)]
    best = [one for one in plain if "$enabled" not in _condition(reading, one.body.blocks[0])]
    if not plain:
        raise RegistryError("no account in the manifest is plain enough to make another like it: write it by hand")
    return (best or plain)[-1]


def _condition(reading: Reading, block: Block) -> set[str]:
    return {token.text for token in reading.source.tokens[block.first : block.opens]}


def is_plain(reading: Reading, account: Account) -> bool:
    """Whether a class holds an account and its keys, and nothing besides."""
    body, source = account.body, reading.source
    resources = {kind: [one for one in body.resources if one.kind == kind] for kind in (ACCOUNT, KEY)}
    keys = [one for one in resources[KEY] if one.entries]
    assigned = [one.name for one in body.assignments]
    return (
        not account.faults
        and {"username", "realname", "uid"} <= set(assigned) <= {"username", "realname", "uid", "enabled"}
        and all(one.value is not None and not one.conditional for one in body.assignments)
        and len(body.resources) == len(resources[ACCOUNT]) + len(resources[KEY])
        and len(resources[ACCOUNT]) == 1
        and _is_plain_account(reading, resources[ACCOUNT][0])
        and not body.includes
        and len(body.blocks) == 1
        and plain_guard(source, body.blocks[0])
        and bool(keys)
        and all(one.blocks == (body.blocks[0],) and _stands_alone(reading, one) for one in keys)
    )


def _is_plain_account(reading: Reading, resource: Resource) -> bool:
    tokens = reading.source.tokens
    if len(resource.entries) != 1 or tokens[resource.entries[0].begins].text != "$realname":
        return False
    given = {
        name: [token.text for token in tokens[one.begins : one.ends]]
        for name, one in resource.entries[0].attributes.items()
    }
    return given == {name: [f"${name}"] for name in ("username", "uid", "gid")}


def _stands_alone(reading: Reading, resource: Resource) -> bool:
    """Whether a resource has its lines for itself."""
    source = reading.source
    try:
        line_behind(source, source.tokens[resource.closes].end, "the key")
    except RegistryError:
        return False
    return indent(source, source.tokens[resource.first].start) is not None


def key_text(reading: Reading, resource: Resource, name: str, key: NewKey) -> str:
    """The lines of a resource with a key, like those of another resource, whose last entry it follows."""
    source, tokens, entry = reading.source, reading.source.tokens, resource.entries[-1]
    opens, title = tokens[resource.opens], tokens[entry.begins]
    parts = [indent(source, tokens[resource.first].start) or "", source.text[tokens[resource.first].start : opens.end]]
    parts.append(gap(source, opens.end, tokens[resource.entries[0].begins].start))
    parts.append(respelled(title, key.title) + source.text[tokens[entry.ends - 1].end : tokens[entry.ends].end])
    values = {"ensure": "present", "type": key.type, "key": key.blob}
    copied = [one for attribute, one in entry.attributes.items() if attribute in _COPIED]
    for attribute in copied:
        first, value = tokens[attribute.first], tokens[attribute.begins]
        parts.append(gap(source, tokens[attribute.first - 1].end, first.start))
        written = source.text[value.start : tokens[attribute.ends - 1].end]
        if first.text in values:
            written = respelled(value, values[first.text])
        elif first.text == "user" and value.text != "$username":
            written = respelled(value, name)
        parts.append(source.text[first.start : value.start] + written + ("," if attribute is not copied[-1] else ""))
    marks = "".join(token.text for token in tokens[entry.last + 1 : resource.closes])[:1]
    behind = tokens[resource.closes - 1].end
    return "".join((*parts, marks, gap(source, behind, tokens[resource.closes].start), "}"))


def block_text(reading: Reading, model: Account, name: str, keys: Sequence[NewKey]) -> str:
    """The lines of the block with the keys of an account, like the model's; keys take the place of the model's."""
    begin, end = _lines(reading, model.body.blocks[0].first, model.body.blocks[0].closes)
    return _rewritten(reading, begin, end, [_keys_edit(reading, model, name, keys)])


def account_text(reading: Reading, model: Account, name: str, values: dict[str, str], keys: Sequence[NewKey]) -> str:
    """The lines of an account's class, like the model's. ``values`` are those of its variables; a ``gid`` among them is
    written behind the ``uid``."""
    source, tokens = reading.source, reading.source.tokens
    begin, end = _lines(reading, model.owner.first, model.owner.closes)
    named = tokens[model.owner.first + 1]
    edits = [Edit(named.start, named.end, named.text.replace(model.owner.short, name))]
    for one in model.body.assignments:
        assert one.value is not None
        value = tokens[one.value]
        said = values[one.name] if one.name != "enabled" else "true"
        edits.append(Edit(value.start, value.end, respelled(value, said)))
        if one.name == "uid" and "gid" in values:
            behind = line_behind(source, value.end, "$uid")
            head = source.text[source.line_start(value.start) : value.start].replace("$uid", "$gid")
            edits.append(Edit(behind, behind, source.line_break + head + respelled(value, values["gid"])))
    block = model.body.blocks[0]
    if keys:
        edits.append(_keys_edit(reading, model, name, keys))
    else:
        edits.append(Edit(tokens[block.first - 1].end, tokens[block.closes].end, ""))
    return _rewritten(reading, begin, end, edits)


def _lines(reading: Reading, first: int, closes: int) -> tuple[int, int]:
    """The offsets of whole lines, from one token to another. Raises RegistryError."""
    source, tokens = reading.source, reading.source.tokens
    start = source.line_start(tokens[first].start)
    if indent(source, tokens[first].start) is None:
        start = tokens[first].start
    return start, tokens[closes].end


def _keys_edit(reading: Reading, model: Account, name: str, keys: Sequence[NewKey]) -> Edit:
    source, tokens = reading.source, reading.source.tokens
    resources = [one for one in model.body.resources if one.kind == KEY and one.entries]
    texts = [key_text(reading, resources[-1], name, key) for key in keys]
    start = source.line_start(tokens[resources[0].first].start)
    return Edit(start, tokens[resources[-1].closes].end, source.line_break.join(texts))


def _rewritten(reading: Reading, begin: int, end: int, edits: Sequence[Edit]) -> str:
    """A part of the text with edits made and comments left out."""
    comments = [edit for edit in _uncommented(reading, begin, end) if not any(_overlap(edit, one) for one in edits)]
    shifted = [Edit(edit.start - begin, edit.end - begin, edit.text) for edit in (*edits, *comments)]
    return splice(reading.source.text[begin:end], shifted)


def _overlap(one: Edit, other: Edit) -> bool:
    return one.start < other.end and other.start < one.end


def _uncommented(reading: Reading, begin: int, end: int) -> Iterator[Edit]:
    source = reading.source
    for start, stop in source.comments:
        if not begin <= start < end:
            continue
        line, behind = source.line_start(start), source.line_end(stop)
        before = source.text[line:start]
        if not before.strip() and not source.text[stop:behind].strip():
            yield Edit(max(line, begin), min(behind + len(source.line_break), end), "")
        else:
            yield Edit(line + len(before.rstrip()), stop, "")
