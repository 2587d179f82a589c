"""A real fleet on one machine: hosts are namespaces with their own disk, sshd, cron and puppet."""

from runbooks.lab.lab import Lab
from runbooks.lab.layout import HostStatus, scratch
from runbooks.lab.people import Person, cast

__all__ = ["HostStatus", "Lab", "Person", "cast", "scratch"]
