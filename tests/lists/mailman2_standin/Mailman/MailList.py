"""A stand-in for Mailman 2.1's mailing list: its state on disk, its lock, its members and its requests."""

import os
import pickle
import re
import socket
import time
from pathlib import Path

from Mailman import LockFile, Utils, mm_cfg

HELDMSG, SUBSCRIPTION, UNSUBSCRIPTION = 1, 2, 3


class MMListError(Exception):
    pass


class MMUnknownListError(MMListError):
    pass


class MMCorruptListDatabaseError(MMListError):
    pass


class MailList:
    def __init__(self, name=None, lock=1):
        self._internal_name, self._lock, self._db = name, None, None
        if name is None:
            return
        self._begin(name)
        try:
            found = {}
            exec((self.fullpath() / "extend.py").read_text(), found)
            found["extend"](self)
        except FileNotFoundError:
            pass
        if lock:
            self.Lock()
        else:
            self.Load()

    def _begin(self, name):
        self._internal_name = name
        path = mm_cfg.LOCK_DIR / (name + ".lock")
        self._lock = LockFile.LockFile(path, mm_cfg.LIST_LOCK_LIFETIME)

    # its lock and its state

    def Lock(self):
        self._lock.lock()
        try:
            self.Load()
        except Exception:
            self.Unlock()
            raise

    def Unlock(self):
        if self._lock:
            self._lock.unlock()

    def Locked(self):
        return self._lock is not None and self._lock.locked()

    def Load(self):
        if not Utils.list_exists(self.internal_name()):
            raise MMUnknownListError
        path = self.fullpath() / "config.pck"
        last = Path(f"{path}.last")
        for one in (path, last):
            try:
                state = pickle.loads(one.read_bytes())
                break
            except (FileNotFoundError, EOFError, ValueError, TypeError, pickle.PickleError):
                continue
        else:
            # Files of older releases are looked for at the end, and it is the last of those that is told.
            old = self.fullpath() / "config.db.last"
            raise MMCorruptListDatabaseError(f"[Errno 2] No such file or directory: '{old}'")
        if one == last:
            was_locked = self.Locked()
            if not was_locked:
                self._lock.lock()
            path.rename(f"{path}.corrupt")
            path.write_bytes(last.read_bytes())
            if not was_locked:
                self._lock.unlock()
        self.__dict__.update(state)

    def Save(self):
        assert self.Locked()
        path = self.fullpath() / "config.pck"
        new = Path(f"{path}.tmp.{socket.gethostname()}.{os.getpid()}")
        state = {key: value for key, value in vars(self).items() if key[0] != "_" and not callable(value)}
        mask = os.umask(0o007)
        new.write_bytes(pickle.dumps(state))
        os.umask(mask)
        last = Path(f"{path}.last")
        last.unlink(missing_ok=True)
        if path.exists():
            os.link(path, last)
        new.rename(path)
        if self._db is not None:
            new = self.fullpath() / "request.pck.tmp"
            new.write_bytes(pickle.dumps(self._db))
            new.rename(self.fullpath() / "request.pck")
            self._db = None

    def Create(self, name, admin, crypted_password):
        if not Utils.is_acceptable(name):
            raise ValueError(name)
        self._begin(name)
        self.fullpath().mkdir(exist_ok=True)
        self.ArchiveFileName().parent.mkdir(exist_ok=True)
        self._lock.lock()
        for rows in mm_cfg.GUI.values():
            for key, _, value in rows:
                setattr(self, key, value.copy() if isinstance(value, list) else value)
        self.real_name = name[0].upper() + name[1:]
        self.subject_prefix = f"[{self.real_name}] "
        self.owner, self.password, self.mod_password, self.post_password = [admin], crypted_password, None, None
        self.members, self.user_options, self.digest_members = {}, {}, {}
        self.bounce_info, self.recent_postings = {}, {}
        self.post_id, self.last_post_time, self.next_request_id, self.created_at = 1.0, 0, 1, time.time()
        self.Save()

    # what it is called

    def internal_name(self):
        return self._internal_name

    def fullpath(self):
        return mm_cfg.LIST_DATA_DIR / self._internal_name

    def ArchiveFileName(self):
        name = self._internal_name
        return mm_cfg.PRIVATE_ARCHIVE_FILE_DIR / (name + ".mbox") / (name + ".mbox")

    def getListAddress(self, extra=None):
        return f"{self._internal_name}{'-' + extra if extra else ''}@{self.host_name}"

    # its members

    def getMembers(self):
        return list(self.members)

    def isMember(self, address):
        return address.lower() in self.members

    def getMemberOption(self, address, flag):
        return bool(self.user_options.get(address.lower(), 0) & flag)

    def AddMember(self, address):
        """What becomes of somebody who asks to join."""
        for pattern in self.ban_list:
            if re.search(pattern, address, re.I) if pattern[0] == "^" else pattern.lower() == address.lower():
                return "banned"
        if self.subscribe_policy >= 2:
            self.HoldRequest(SUBSCRIPTION, (time.time(), address, "", "secret", 0, "en"))
            self.notify_owners(f"New subscription request to list {self.real_name} from {address}")
            return "held"
        self.ApprovedAddMember(address)
        return "joined"

    def ApprovedAddMember(self, address):
        self.members[address.lower()] = 0
        moderated = mm_cfg.Moderate if self.default_member_moderation else 0
        self.user_options[address.lower()] = self.new_member_options | moderated

    def notify_owners(self, subject):
        if self.admin_immed_notify:
            for owner in (*self.owner, *self.moderator):
                Utils.sent("notice", owner, subject)

    # its requests

    def _opendb(self):
        assert self.Locked()
        if self._db is None:
            try:
                self._db = pickle.loads((self.fullpath() / "request.pck").read_bytes())
            except FileNotFoundError:
                self._db = {"version": (0, 1)}

    def HoldRequest(self, kind, data):
        self._opendb()
        number = self.next_request_id
        self.next_request_id += 1
        self._db[number] = (kind, data)
        return number

    def HoldMessage(self, msg, sender, reason):
        name = f"heldmsg-{self._internal_name}-{self.next_request_id}.pck"
        (mm_cfg.DATA_DIR / name).write_bytes(pickle.dumps(msg.as_string()))
        return self.HoldRequest(HELDMSG, (time.time(), sender, msg.get("subject", "(no subject)"), reason, name, {}))

    def HandleRequest(self, number, value):
        self._opendb()
        kind, data = self._db[number]
        assert value == mm_cfg.DISCARD
        if kind == HELDMSG:
            (mm_cfg.DATA_DIR / data[4]).unlink(missing_ok=True)
        del self._db[number]

    def NumRequestsPending(self):
        self._opendb()
        return len(self._db) - 1

    # what cron/disabled does

    def warn_disabled(self):
        """Those whose addresses bounced, where that is due; after the last warning they go (Bouncer.py,
        sendNextNotification)."""
        for member, info in list(self.bounce_info.items()):
            if time.time() < info["lastnotice"] + self.bounce_you_are_disabled_warnings_interval:
                continue
            if info["noticesleft"] <= 0:
                del self.bounce_info[member], self.members[member]
                Utils.sent("removed", member, f"You have been unsubscribed from the {self.real_name} mailing list")
                continue
            Utils.sent("warning", member, f"confirm: your membership of {self.real_name} is disabled")
            info["noticesleft"] -= 1
