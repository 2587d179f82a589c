"""A stand-in for Mailman 2.1's helpers: which lists there are, and what a name may hold."""

import json
import re

from Mailman import mm_cfg


def list_exists(name):
    """One of its files is enough (Utils.py, list_exists); a name is no path."""
    if not is_acceptable(name):
        return False
    return bool(name) and any((mm_cfg.LIST_DATA_DIR / name / f"config.pck{end}").exists() for end in ("", ".last"))


def list_names():
    return [path.name for path in mm_cfg.LIST_DATA_DIR.iterdir() if list_exists(path.name)]


def is_acceptable(name):
    return re.search(r"[^-+_.=a-z0-9]", name) is None


def is_address(text):
    return re.fullmatch(r"[^@\s<>()]+@[^@\s<>()]+\.[^@\s<>().]+", text) is not None


def is_dmarc_prohibited(address):
    """Where the real one asks the DNS."""
    return address.endswith("@strict.example.org")


def sent(kind, to, subject):
    with mm_cfg.SENT.open("a") as stream:
        stream.write(json.dumps({"kind": kind, "to": to, "subject": subject}) + "\n")
