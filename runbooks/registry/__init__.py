"""The account registry: puppet's admin module data file, read, edited by splicing its text, and validated."""

from runbooks.registry.model import Group, LdapOnlyUser, User, Violation
from runbooks.registry.names import check_name
from runbooks.registry.registry import PATH, Registry

__all__ = ["PATH", "Group", "LdapOnlyUser", "Registry", "User", "Violation", "check_name"]
