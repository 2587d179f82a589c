"""A stand-in: where the commands find the rest of it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def usage(text, message=""):
    print(text, file=sys.stderr)
    if message:
        print(message, file=sys.stderr)
    sys.exit(1)
