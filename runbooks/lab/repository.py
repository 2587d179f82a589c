"""The lab's puppet repositories: the bare one on puppet01 that plays origin, and the checkout that is deployed there;
and the private one, which has no origin and is edited where it lies."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from runbooks.lab.host import Host
from runbooks.lab.inventory import BRANCH, CHECKOUT, PRIVATE, REGISTRY, ROOT_KEYS
from runbooks.lab.layout import FILES
from runbooks.lab.people import Person

_BARE = "/srv/git/puppet.git"
_PUBLISH = f"""
git config --global user.name 'Lab'; git config --global user.email lab@example.org
git config --global init.defaultBranch {BRANCH}; git config --global advice.detachedHead false
mkdir -p /srv/git /srv/puppet
git init -q --bare {_BARE}
tree=$(mktemp -d)
tar -C "$tree" -xf -
cd "$tree"
git init -q
git add -A
git commit -qm 'Start the registry'
git push -q {_BARE} HEAD:{BRANCH}
git clone -q {_BARE} {CHECKOUT}
rm -rf "$tree"
"""
_PUBLISH_PRIVATE = f"""
mkdir -p {PRIVATE}
tar -C {PRIVATE} -xf -
cd {PRIVATE}
git init -q
git add -A
git commit -qm 'Start the private repository'
"""
_ROOT_KEYS = "# Root's keys; puppet puts them on every host.\n"
_ROOTS = "ops"
# The commit is made on the tip of origin, as a reviewed change would be; what is deployed does not move.
_COMMIT = f"""
tree=$(mktemp -d)
git clone -q --branch {BRANCH} {_BARE} "$tree"
tar -C "$tree" -xf -
cd "$tree"
git add -A
git commit -qm "$1"
git push -q origin HEAD:{BRANCH}
git rev-parse HEAD
rm -rf "$tree"
"""


Private = tuple[Mapping[str, bytes], Mapping[str, str]]
"""More for the private repository: files by path, and links with what they say."""


def _tar(files: Mapping[str, bytes], links: Mapping[str, str] = MappingProxyType({})) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
        for path, target in links.items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return stream.getvalue()


def tree(registry: str, people: Sequence[Person]) -> dict[str, bytes]:
    """Every file of a fresh repository."""
    puppet = FILES / "puppet"
    files = {str(path.relative_to(puppet)): path.read_bytes() for path in puppet.rglob("*") if path.is_file()}
    files[REGISTRY] = registry.encode()
    return files | dot_files(people)


def dot_files(people: Sequence[Person]) -> dict[str, bytes]:
    """What some people keep in the repository; puppet copies it into their homes."""
    files: dict[str, bytes] = {}
    for person in people:
        if person.dotfiles:
            home = Path("modules/admin/files/home", person.name)
            files[str(home / ".vimrc")] = b'" ' + person.name.encode() + b"'s\nset number\n"
            files[str(home / ".config/git/ignore")] = b"*.swp\n"
    return files


def publish(server: Host, files: Mapping[str, bytes]) -> None:
    """Make origin and the deployed checkout."""
    server.run(["bash", "-ec", _PUBLISH], _tar(files), check=True, timeout_s=60)


def publish_private(server: Host, people: Sequence[Person], keys: Mapping[str, str], more: Private) -> None:
    """Make the private repository: root's keys are those of the people in ``ops``."""
    lines = [keys[person.name] for person in people if _ROOTS in person.groups and person.name in keys]
    files = {ROOT_KEYS: (_ROOT_KEYS + "".join(f"{line}\n" for line in lines)).encode()}
    server.run(["bash", "-ec", _PUBLISH_PRIVATE], _tar({**files, **more[0]}, more[1]), check=True, timeout_s=60)


def commit(server: Host, files: Mapping[str, bytes], message: str) -> str:
    """Merge a change of these files into origin; the commit's id. It is NOT deployed by this."""
    done = server.run(["bash", "-ec", _COMMIT, "-", message], _tar(files), check=True, timeout_s=60)
    return done.stdout.decode().strip()


def deploy(server: Host) -> str:
    """Bring the deployed checkout to origin's tip; the commit that is deployed now."""
    script = f"git -C {CHECKOUT} pull -q --ff-only && git -C {CHECKOUT} rev-parse HEAD"
    return server.run(["bash", "-ec", script], None, check=True, timeout_s=60).stdout.decode().strip()


def show(server: Host, path: str) -> bytes:
    """A file at origin's tip."""
    script = f"git -C {_BARE} show {BRANCH}:{shlex.quote(path)}"
    return server.run(["bash", "-ec", script], None, check=True, timeout_s=30).stdout
