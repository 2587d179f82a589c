"""Mailing lists, whatever system they are on."""
