"""The demo's part on mail: an alias for a group, which every mail host then has; a mailing list that is closed,
delivers to nobody and tells nobody, and is as before when it is opened again."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage

from runbooks.errors import RunbookError
from runbooks.lab import Lab
from runbooks.lab.mail import LISTS

ALIAS, TARGETS = "cats-team@example.org", ("bob", "frank")
LIST = f"cats@{LISTS}"
Inv = Callable[..., None]
Say = Callable[[str], None]


def alias(lab: Lab, inv: Inv, say: Say) -> None:
    """An alias is made. Raises RunbookError where a mail host does not have it."""
    say("A group gets an address; what that would do, on the private repository and on each mail host")
    words = ("alias-add", ALIAS, "--to", ",".join(TARGETS), "--task", "T126")
    inv(lab, *words, "--dry-run")
    say("The alias itself: committed, brought by puppet, and every other address held against before")
    inv(lab, *words, "--yes")
    say("The proof, asked of exim on each mail host without the tool's help")
    wrong = []
    for host in lab.hosts[:2]:
        said = lab.run(host, ["exim4", "-bt", ALIAS], check=False).stdout.decode()
        good = all(f"{name}@" in said for name in TARGETS)
        print(f"  {host}: {ALIAS} → {', '.join(TARGETS)}: {'yes' if good else 'NO'}")
        wrong += [] if good else [host]
    if wrong:
        raise RunbookError(f"demo: not as promised on {', '.join(wrong)}")


def closed_list(lab: Lab, inv: Inv, say: Say) -> None:
    """A list is closed and opened again. Raises RunbookError where mail says otherwise."""
    say(f"Mail to {LIST} by one of its members reaches all of them")
    _expect("before it is closed", _post(lab, "before"), everybody=True)
    inv(lab, "list-disable", "cats", "--task", "T127", "--yes", status=3)
    say("A stranger's message waits there: looked at, it may be thrown away")
    inv(lab, "list-disable", "cats", "--task", "T127", "--discard-held", "--yes")
    _expect("while it is closed", _post(lab, "closed"), everybody=False)
    say("And back again, from what the journal has of it")
    inv(lab, "list-enable", "cats", "--yes")
    _expect("when it is open again", _post(lab, "again"), everybody=True)


def _expect(when: str, reached: dict[str, bool], *, everybody: bool) -> None:
    got = [person for person, is_there in reached.items() if is_there]
    print(f"  {when}: {len(got)} of {len(reached)} members got it")
    if len(got) != (len(reached) if everybody else 0):
        raise RunbookError(f"demo: {LIST}: not as promised {when}: {', '.join(got) or 'nobody'} got the message")


def _post(lab: Lab, subject: str) -> dict[str, bool]:
    """A member writes to the list; which members have it, once no mail is under way any more."""
    found = lab.lists.mailman.rest(f"lists/cats.{LISTS}/roster/member")["entries"]
    members = [str(row["email"]) for row in found]
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = members[0], LIST, subject
    message.set_content("Hello\n")
    lab.lists.exim.send(message, members[0], LIST)
    lab.lists.settle()
    got = {member: [str(one["Subject"]) for one in lab.lists.exim.mailbox(member)] for member in members}
    return {member: any(text.endswith(subject) for text in texts) for member, texts in got.items()}
