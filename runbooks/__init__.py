"""Runbooks for the engineer on clinic duty, one command each."""

__version__ = "0.1.0"
