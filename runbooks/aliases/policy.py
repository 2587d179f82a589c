"""Which aliases are for roles and groups, and which are somebody's own: those are handled by others.

A name is looked for in what the account registry knows of people: account names, mail addresses, and the usual forms of
real names. Roles that the policy lists win over all of that: somebody may have the account ``ops``. Source of the
common roles: RFC 2142.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import Protocol

from runbooks.registry.kinds import AccountRegistry
from runbooks.settings.sections import Aliases

_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


class Somebody(Protocol):
    """What the registry knows of a person."""

    @property
    def name(self) -> str:
        """The account's name."""
        ...

    @property
    def realname(self) -> str | None:
        """First name first."""
        ...

    @property
    def email(self) -> str | None:
        """The mail address."""
        ...


def is_role(name: str, policy: Aliases) -> bool:
    """Whether a name is listed; also one with dots, a part of which is listed in full, such as ``press.de``."""
    parts = name.lower().split(".")
    return any(fnmatchcase(name.lower(), role) or role in parts for role in policy.roles)


def people_of(registry: AccountRegistry) -> list[Somebody]:
    """Everybody who has an account or had one: no system accounts."""
    return [*(user for user in registry.users() if not user.system), *registry.ldap_only_users()]


def judge(name: str, domain: str, targets: Sequence[str], policy: Aliases, people: Iterable[Somebody]) -> str:
    """Why an alias is refused as somebody's own, or nothing. ``targets`` are those that it shall lead to."""
    # What stands behind a plus is a detail of whoever stands before it (RFC 5233).
    whose = name.lower().partition("+")[0]
    if policy.policy == "any" or is_role(name, policy) or is_role(whose, policy):
        return ""
    why = next(_reasons(whose, domain.lower(), targets, policy, list(people)), "")
    if not why:
        return ""
    return (
        f"{name}@{domain} is a personal alias: {why}: {policy.handled_by} handles those; "
        "if it is a role's all the same, the roles in the settings must list it"
    )


def _reasons(
    name: str, domain: str, targets: Sequence[str], policy: Aliases, people: Sequence[Somebody]
) -> Iterator[str]:
    for somebody in people:
        if what := _what_of(name, somebody):
            yield f"{name} is {what} of {_called(somebody)}"
    if any(re.fullmatch(pattern, _plain(name)) for pattern in policy.personal):
        yield f"{name} looks like a person's name"
    if len(targets) == 1:
        for somebody in people:
            if _is_address_of(targets[0], domain, somebody) and _resembles(name, somebody):
                yield f"it leads to {_called(somebody)} alone, and is named alike"


def _called(somebody: Somebody) -> str:
    return f"{somebody.realname} ({somebody.name})" if somebody.realname else somebody.name


def _what_of(name: str, somebody: Somebody) -> str:
    """What a name is of somebody: an account, an address, a form of the real name; else nothing."""
    if name == somebody.name.lower():
        return "the account"
    if name == (somebody.email or "").lower().partition("@")[0]:
        return "the mail address"
    # A second jdoe is jdoe2; separators are a matter of taste.
    return "the name" if _bare(name).rstrip("0123456789") in _forms(somebody.realname or "") else ""


def _forms(realname: str) -> set[str]:
    """The names that somebody's mail address may have, without separators."""
    return set(chain.from_iterable(_forms_of(words) for words in _spellings(realname)))


def _spellings(realname: str) -> list[list[str]]:
    """The words of a real name in small ASCII letters, German umlauts both ways."""
    # What stands in parentheses is about somebody: a nickname, an employer.
    lower = re.sub(r"\([^()]*\)", " ", unicodedata.normalize("NFC", realname).lower())
    spelled = {" ".join(map(_bare, re.split(r"[\s,]+", text))) for text in (lower, lower.translate(_GERMAN))}
    return [words for text in sorted(spelled) if (words := text.split())]


def _forms_of(words: Sequence[str]) -> Iterator[str]:
    first = words[0]
    yield first
    # The last word, or all behind the first: van Dyke is both.
    for last in {words[-1], "".join(words[1:])} - {""} if len(words) > 1 else ():
        yield from (last, first + last, last + first, first[0] + last, first + last[0], last + first[0])
    if len(words) > 2:
        yield "".join(words)
        yield "".join(word[0] for word in words[:-1]) + words[-1]


def _is_address_of(target: str, domain: str, somebody: Somebody) -> bool:
    target, email = target.lower(), (somebody.email or "").lower()
    local, _, where = target.partition("@")
    ours = {"", domain, email.partition("@")[2]}
    return target == email or (where in ours and local in (somebody.name.lower(), email.partition("@")[0]))


def _resembles(name: str, somebody: Somebody) -> bool:
    """Whether a name may well be made from somebody's: its initials, the beginning of a word of it, or nothing but
    words and initials of it."""
    bare = _bare(name).rstrip("0123456789")
    spellings = [*_spellings(somebody.realname or ""), [_bare(somebody.name)]]
    spellings.append(
        [_bare(word) for word in re.split(r"[._-]", (somebody.email or "").lower().partition("@")[0]) if word]
    )
    for words in spellings:
        pieces = "|".join(re.escape(piece) for word in words if word for piece in (word, word[0]))
        begins = len(bare) > 2 and any(word.startswith(bare) for word in words)
        if bare and (begins or (len(bare) > 1 and pieces and re.fullmatch(f"(?:{pieces})+", bare))):
            return True
    return False


def _plain(text: str) -> str:
    """In small ASCII letters, as far as there is one that is meant."""
    split = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    return "".join(letter for letter in split if not unicodedata.combining(letter))


def _bare(text: str) -> str:
    """Without what may stand between the words of a name."""
    return re.sub(r"[^a-z0-9]", "", _plain(text))
