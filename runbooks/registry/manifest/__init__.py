"""The account registry of the old style: Puppet classes in ``admins.pp``, read and edited by splicing their text.

Written from the duty page ("Removing access") and the file that the field had in 2012 and 2013.
"""

from runbooks.registry.manifest.registry import Manifest

__all__ = ["Manifest"]
