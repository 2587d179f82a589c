"""The BMCs of the lab: each is a server of its own that really ends and starts the machine behind it."""

from runbooks.lab.bmc.board import Board

__all__ = ["Board"]
