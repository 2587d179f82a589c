"""Who an account step is about, and what a host puts by of an account before it is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runbooks.errors import CommandFailed
from runbooks.systems import puppet, reads
from runbooks.systems.accounts import Account, AccountRecord
from runbooks.systems.host import HostReader, HostWriter
from runbooks.transport.shell import STATE_DIR

# What userdel drops is put by first: by root, for root. What was put by of one name stands until the account that took
# its place has all of it ("restored"): until then that one has less to offer. The home is recorded once for the run.
_KEEP_RECORD = """umask 077; mkdir -p "$1" && cd "$1" || exit 1
[ -s home ] || stat -c %i -- "$3" > home 2>/dev/null || :
[ -e metadata ] || echo "$4" > metadata
if [ -e complete ] && [ ! -e restored ] && [ "$(cat name)" != "$2" ]; then exit 0; fi
rm -f complete && rm -f restored && echo "$2" > name || exit 1
grep "^$2:" /etc/shadow | cut -d: -f2- > shadow
id -nG -- "$2" | tr ' ' '\\n' | grep -vxF -e "$(id -ng -- "$2")" > groups
for k in subuid subgid; do { [ -e /etc/$k ] && grep "^$2:" /etc/$k | cut -d: -f2-; } > $k; done
echo yes > complete && sync -f . complete"""


@dataclass(frozen=True)
class Subject:
    """An account that goes by ``name`` and whose place another takes, or took, under the name ``heir``; they share UID
    and home. ``registry_groups`` are left to puppet; other groups are the host's own."""

    name: str
    heir: str
    uid: int
    puppet: puppet.Puppet
    registry_groups: tuple[str, ...] = ()
    end_processes: bool = False

    @property
    def home(self) -> str:
        """Where its home is."""
        return f"/home/{self.name}"

    def swapped(self) -> Subject:
        """The heir as the subject."""
        return replace(self, name=self.heir, heir=self.name)


def record_dir(run_id: str) -> str:
    """Where a host keeps what is put by of an account, for one run and its undo."""
    return f"{STATE_DIR}/{run_id or 'plan'}/account"


def record_of(asker: HostReader | HostWriter) -> AccountRecord | None:
    """What was put by on behalf of the asker's run; None where nothing was."""
    return asker.ask(reads.account_record(record_dir(asker.run_id)))


def put_by(writer: HostWriter, account: Account) -> AccountRecord:
    """Put by what userdel would drop of an account. Raises CommandFailed where that did not work."""
    there = account.home in writer.ask(reads.entries(account.home))
    metadata = writer.ask(reads.metadata_digest(account.home)) if there else ""
    writer.run("sh", "-c", _KEEP_RECORD, "sh", record_dir(writer.run_id), account.name, account.home, metadata)
    record = record_of(writer)
    shadow = writer.ask(reads.shadow_digest(account.name))
    if record is None or (record.name == account.name and record.shadow_digest != shadow):
        raise CommandFailed("what userdel would drop could not be put by; the account was left alone")
    return record


def mark_restored(writer: HostWriter) -> None:
    """Note that an account has all that was put by: from now on what it has itself is what counts."""
    writer.run("sh", "-c", '> "$1/restored"', "sh", record_dir(writer.run_id))


def account_named(accounts: Sequence[Account], name: str) -> Account | None:
    """The account of that name."""
    return next((account for account in accounts if account.name == name), None)
