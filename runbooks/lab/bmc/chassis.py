"""The power switch of a lab host, behind its BMC: ``python -m runbooks.lab.bmc.chassis TOP HOST power|reset VALUE``."""

from __future__ import annotations

import sys
from pathlib import Path

from runbooks.errors import RunbookError
from runbooks.lab.lab import Lab


def switch(lab: Lab, host: str, what: str, value: str) -> None:
    """Take a host's power, give it, or both; what is so already is left alone."""
    if what == "reset":
        lab.reset(host)
    elif value == "1":
        lab.start(host, wait=False)
    else:
        lab.kill(host)


def main(top: str, host: str, what: str, value: str) -> int:
    """Do it; the exit status."""
    try:
        switch(Lab(Path(top)), host, what, value)
    except RunbookError as error:
        print(f"chassis: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
