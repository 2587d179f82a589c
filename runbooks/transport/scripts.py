"""What is sent to the shell on a host, around each command: the lock, the command's output, and the report of its end.

It is for any sh, as root. What runs there is mostly the shell itself: each program that it has to start costs a host as
much as a round trip.
"""

from __future__ import annotations

from runbooks.transport.quoting import quote

KEPT_OUTPUT_BYTES = 64 * 1024
"""What is kept of the output of one command that acts."""
BUSY, FENCED = 75, 76
"""What the lock's report says where somebody else holds it, and where a newer driver was there."""

START = b"""export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset CDPATH ENV _f; _k=1; cd /
"""
# Prints what a command has written to 8. How much that is, the kernel knows (proc(5), fdinfo); a short text needs no
# program, and whether it was one (a NUL is none) shows in its length.
START += (
    b"""_o() { _n=; read -r _t _n 2>/dev/null </proc/self/fdinfo/8; [ "$_n" != 0 ] || return; _t=
if [ "${_n:-9999}" -le 1024 ]; then while [ ${#_t} -le "$_n" ] && IFS= read -r _l; do _t="$_t$_l
"; done </dev/fd/8; _t=$_t$_l; fi
if [ "${#_t}" = "$_n" ]; then printf %%s "$_t"; else head -c %d /dev/fd/8; fi; }
"""
    % KEPT_OUTPUT_BYTES
)

# _k says whether the lock (9) is held (0), and by that whether a command may act. Where output goes (8) is a file
# without a name on the host's disk: a daemon that a command starts may keep it open for as long as it likes. It is
# appended to, so what such a daemon writes later stands behind what is looked at.
_LOCK = b"""exec 9<%(locked)s
if ! flock -w %(wait)s 9; then _k=%(busy)s; else _k=0; umask 077
[ -d %(dir)s ] || mkdir -p %(dir)s || _k=1
_e=0; [ -s %(dir)s/epoch ] && read _e < %(dir)s/epoch
if [ $_k = 0 ] && [ "$_e" -gt %(epoch)s ]; then _k=%(fenced)s
elif [ $_k = 0 ] && [ "$_e" = 0 ]; then echo %(epoch)s > %(dir)s/epoch || _k=1
elif [ $_k = 0 ] && [ "$_e" -lt %(epoch)s ]; then
echo %(epoch)s > %(dir)s/epoch.new && mv %(dir)s/epoch.new %(dir)s/epoch || _k=1; fi
if [ $_k = 0 ] && [ -z "$_f" ]; then
true > %(output)s && exec 8>> %(output)s && rm -f %(output)s && _f=1 || _k=1; fi
umask 022; fi
[ $_k = 0 ] || exec 9<&-
"""
UNLOCK = b"exec 9<&-; _k=1\n"
"""Let go of the lock."""
ACT = b"if [ $_k = 0 ]; then : >/dev/fd/8;"
"""How what acts begins, and nothing else."""


def lock(locked: str, run: str, output: str, epoch: int, wait_s: float) -> bytes:
    """Take the lock, a directory that is ``locked``; ``run`` is the run's own one, with the epoch of its newest driver,
    and ``output`` a file's name that nobody has. ``$_k`` is 0, BUSY, FENCED, or 1 where nothing can be written."""
    return _LOCK % {
        b"locked": quote(locked),
        b"wait": f"{max(0.0, wait_s):.1f}".encode(),
        b"dir": quote(run),
        b"output": quote(output),
        b"epoch": str(epoch).encode(),
        b"busy": str(BUSY).encode(),
        b"fenced": str(FENCED).encode(),
    }


def wait_for_lock(locked: str, wait_s: float) -> bytes:
    """Take the lock and let go of it; ``$_s`` is 0 where it could be had."""
    return b"( exec 9<" + quote(locked) + b"; flock -w " + f"{wait_s:.1f}".encode() + b" 9 ); _s=$?\n"


def act(command: bytes) -> bytes:
    """A command that changes something, under the lock alone; ``$_s`` is its status. A daemon that it starts must keep
    neither the lock nor what output goes to by its number."""
    return ACT + b" exec 8>>/dev/fd/8\n" + command + b" >&8 2>&1 8>&- 9<&-; _s=$?; _o; else _s=1; fi\n"


def report(token: bytes, status: bytes) -> bytes:
    """Say on both streams that all before is done, and how it ended. Errors first: who waits for the other stream finds
    both there, in one packet."""
    return b"_r=%s; printf '\\n%s \\n' >&2; printf '\\n%s %%s\\n' \"$_r\"\n" % (status, token, token)
