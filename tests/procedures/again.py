"""Runs `inv` again and again, a command line of JSON on standard input each time and what came of it on standard
output: each in a process of its own, which need not import everything anew. With a ``point``, something is in store for
it: see tests/campaign/child.py."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import IO, Any, NoReturn


def main() -> None:
    import ldap3  # noqa: F401
    import rich.console  # noqa: F401
    import sqlalchemy  # noqa: F401

    import runbooks.cli
    import runbooks.engine
    import runbooks.procedures.create_user
    import runbooks.report.terminal
    import runbooks.site  # noqa: F401
    import tests.campaign.child  # noqa: F401

    for line in sys.stdin:
        case = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if not child:
                run(case, out, err)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = [(file.seek(0), file.read().decode())[1] for file in (out, err)]
        print(json.dumps([status, *texts]), flush=True)


def run(case: dict[str, Any], out: IO[bytes], err: IO[bytes]) -> NoReturn:
    os.environ.clear()
    os.environ.update(case["env"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    status: Any = 99
    try:
        from tests.campaign import child

        child.run(case.get("point", "never"), case["argv"])
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
