"""The account registry: puppet's admin module data file, or Puppet classes, read, edited by splicing, and validated."""

from runbooks.registry.kinds import AccountRegistry, registry_of
from runbooks.registry.model import Group, LdapOnlyUser, User, Violation
from runbooks.registry.names import check_name
from runbooks.registry.registry import PATH, Registry

__all__ = [
    "PATH",
    "AccountRegistry",
    "Group",
    "LdapOnlyUser",
    "Registry",
    "User",
    "Violation",
    "check_name",
    "registry_of",
]
