"""A stand-in for Mailman 2.1's locks: a hard link to a file of one's own, whose time says when it may be broken."""

import os
import random
import socket
import time
from pathlib import Path


class LockFile:
    def __init__(self, lockfile, lifetime):
        self.lockfile, self.lifetime = Path(lockfile), lifetime
        self.own = Path(f"{lockfile}.{socket.gethostname()}.{os.getpid()}.{id(self) % 97}")

    def _touch(self, path):
        until = time.time() + self.lifetime
        os.utime(path, (until, until))

    def lock(self):
        self.own.write_text(str(self.own))
        while True:
            self._touch(self.own)
            try:
                os.link(self.own, self.lockfile)
                return
            except FileExistsError:
                pass
            try:
                if time.time() > self.lockfile.stat().st_mtime + 10:
                    self.lockfile.unlink()
            except FileNotFoundError:
                continue
            time.sleep(random.random() * 2.0 + 0.01)

    def locked(self):
        try:
            return self.own.stat().st_nlink == 2
        except FileNotFoundError:
            return False

    def unlock(self):
        if self.locked():
            self.lockfile.unlink()
        self.own.unlink(missing_ok=True)
