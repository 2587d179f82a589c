"""A stand-in for Mailman 2.1's helpers: which lists there are, and what a name may hold."""

import json
import re

from Mailman import mm_cfg


def list_exists(name):
    return bool(name) and (mm_cfg.LIST_DATA_DIR / name.lower() / "config.pck").exists()


def list_names():
    return [path.name for path in mm_cfg.LIST_DATA_DIR.iterdir() if list_exists(path.name)]


def is_acceptable(name):
    return re.search(r"[^-+_.=a-z0-9]", name, re.IGNORECASE) is None


def is_address(text):
    return re.fullmatch(r"[^@\s<>()]+@[^@\s<>()]+\.[^@\s<>().]+", text) is not None


def sent(kind, to, subject):
    with mm_cfg.SENT.open("a") as stream:
        stream.write(json.dumps({"kind": kind, "to": to, "subject": subject}) + "\n")
