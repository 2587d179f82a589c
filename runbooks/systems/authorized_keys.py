"""The files from which sshd takes keys: a key out of all of them, on a host, at once. A key is known by its bytes:
options and comments don't matter. Sources: sshd(8), AUTHORIZED_KEYS FILE FORMAT; sshd_config(5), AuthorizedKeysFile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbooks.errors import CommandFailed
from runbooks.model import Change, Facts, Finding, Status, blocked, done, todo
from runbooks.systems import reads
from runbooks.systems.files import KeyFile
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.puppet import Puppet
from runbooks.systems.wording import listed

# A new file takes the old one's place in one step: who logs in meanwhile finds the one or the other.
_EDIT = """umask 077; file=$(readlink -e -- "$1") || exit 0; shift
new=$(mktemp -- "$file.XXXXXX") || exit 1
trap 'rm -f -- "$new"' EXIT
cp -p -- "$file" "$new" && %s && mv -f -- "$new" "$file"
"""
_TAKE_OUT = _EDIT % (
    """awk -v keys="$*" 'BEGIN { n = split(keys, k, " ") }
!/^[ \t]*#/ { for (i = 1; i <= n; i++) for (f = 1; f <= NF; f++) if ($f == k[i]) next } { print }' "$file" >"$new\""""
)
_PUT_BACK = _EDIT % """printf '%s\\n' "$@" >>"$new\""""


def _edit(writer: HostWriter, script: str, path: str, owner: Sequence[int], words: Sequence[str]) -> None:
    """Edit a file as its owner (UID and GID). Whoever owns a home can put links into it, so what lies there is edited
    as that account, and never as root."""
    uid, gid = owner
    become = ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--init-groups", "--") if uid else ()
    writer.run(*become, "sh", "-c", script, "sh", path, *words)


def blobs_of(keys: Sequence[str]) -> tuple[str, ...]:
    """Keys, ``type base64``, in base64 alone."""
    return tuple(key.split()[1] for key in keys)


def _blobs(line: str) -> list[str]:
    """The keys on a line: one, and a comment may hold more."""
    return [word for word in line.split() if word.startswith("AAAA")]


def holds(line: str, unwanted: set[str] | None) -> bool:
    """Whether sshd would take one of these keys from a line, or any (None)."""
    if line.lstrip().startswith("#"):
        return False
    found = _blobs(line)
    return bool(found) if unwanted is None else not unwanted.isdisjoint(found)


@dataclass(frozen=True)
class KeysOut(Change[HostReader, HostWriter]):
    """No file from which sshd takes keys for these ``accounts``, or for any other that the host has, holds one of the
    keys, which are given in base64; and for those of ``every``, no key at all in a file of their own. A run of
    ``puppet`` that began with the old catalogue may put them back: it is waited for, and they go again."""

    accounts: tuple[str, ...]
    blobs: tuple[str, ...]
    every: tuple[str, ...] = ()
    puppet: Puppet | None = None

    def check(self, reader: HostReader) -> Finding:
        """Done where none is found."""
        found = self._found(reader)
        if not found:
            return done()
        preview = [f"-{path}: {shown(line)}" for path, (_, lines) in found.items() for line in lines]
        files = {path: {"owner": list(file.owner), "lines": lines} for path, (file, lines) in found.items()}
        return todo(*preview, before={"files": files}, facts={"files": {p: f["lines"] for p, f in files.items()}})

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Out of each file. Raises CommandFailed for one that cannot be written, after all others were."""
        self._take_out(writer)
        if self.puppet is not None and self.puppet.is_running(writer):
            self.puppet.wait_until_idle(writer)
            self._take_out(writer)

    def _take_out(self, writer: HostWriter) -> None:
        failed: list[str] = []
        for path, (file, lines) in self._found(writer).items():
            try:
                _edit(writer, _TAKE_OUT, path, file.owner, sorted({word for line in lines for word in _blobs(line)}))
            except CommandFailed as error:
                failed.append(f"{path}: {str(error)[-200:]}")
        if failed:
            raise CommandFailed("; ".join(failed))

    def _found(self, asker: HostReader | HostWriter) -> dict[str, tuple[KeyFile, list[str]]]:
        """Files by path, with their lines that hold one of the keys."""
        found: dict[str, tuple[KeyFile, list[str]]] = {}
        for file in asker.ask(reads.key_files(*dict.fromkeys((*self.accounts, *self.every)), holding=self.blobs)):
            unwanted = None if file.account in self.every and file.is_its_own else set(self.blobs)
            # Two accounts may share a file.
            _, known = found.get(file.path, (file, []))
            lines = [line for line in file.lines if line in known or holds(line, unwanted)]
            if lines:
                found[file.path] = (file, lines)
        return found

    def inverse(self, before: Facts) -> KeysBack | None:
        """The lines again, where they were."""
        return KeysBack(before["files"]) if before.get("files") else None


@dataclass(frozen=True)
class KeysRefused(KeysOut):
    """As KeysOut, and besides sshd itself says that it takes none of ``refused`` (``type base64``) for the accounts,
    wherever it may have it from; and which of ``kept`` it still takes for the first of them."""

    refused: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def check(self, reader: HostReader) -> Finding:
        """Done where no file has one, and sshd refuses them all; blocked where it takes one nevertheless."""
        found = super().check(reader)
        if found.status is not Status.DONE:
            return found
        accounts = [name for name in self.accounts if reader.ask(reads.known_account(name))]
        unasked: dict[str, None] = {}
        for account in accounts:
            for key, opens in reader.would_open(account, self.refused).items():
                if opens:
                    return blocked(
                        f"no file has it, and sshd takes {shown(key)} for {account}: look at AuthorizedKeysCommand and "
                        f"TrustedUserCAKeys in `sshd -T -C user={account}`"
                    )
                if opens is None:
                    unasked[key] = None
        if unasked:
            return done(f"files only: sshd could not be asked about {', '.join(map(shown, unasked))}")
        note = self._kept(reader) if self.accounts[0] in accounts else ""
        return done(note or f"sshd refuses it for {listed(accounts)}")

    def _kept(self, reader: HostReader) -> str:
        answers = reader.would_open(self.accounts[0], self.kept)
        lost = [shown(key) for key, opens in answers.items() if not opens]
        return f"{self.accounts[0]}'s other keys do not open it: {', '.join(lost)}" if lost else ""


@dataclass(frozen=True)
class KeysBack(Change[HostReader, HostWriter]):
    """Lines at the end of files again: by path, the ``owner`` (UID and GID) that edits the file, and the ``lines``."""

    files: Facts

    def check(self, reader: HostReader) -> Finding:
        """Done where the files hold them, or are not there any more: whoever keeps such a file, as puppet does, has to
        write it anew."""
        missing, gone = {}, []
        for path, file in self.files.items():
            held = reader.ask(reads.lines_of(path))
            if held is None:
                gone.append(path)
            elif lines := [line for line in file["lines"] if line not in held]:
                missing[path] = {"owner": file["owner"], "lines": lines}
        note = f"not there any more, as when puppet has run: {listed(gone)}" if gone else ""
        if not missing:
            return done(note)
        preview = [f"+{path}: {shown(line)}" for path, file in missing.items() for line in file["lines"]]
        return todo(*preview, note=note, before={"files": missing}, facts={"files": list(missing)})

    def do(self, writer: HostWriter, before: Facts) -> None:
        """Append them. Raises CommandFailed."""
        for path, file in dict(before["files"]).items():
            _edit(writer, _PUT_BACK, path, file["owner"], file["lines"])


def shown(line: str) -> str:
    """A key as a person knows it: not the whole of its base64."""
    return " ".join(f"{word[:12]}…{word[-8:]}" if word.startswith("AAAA") else word for word in line.split())
