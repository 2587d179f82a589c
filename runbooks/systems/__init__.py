"""The systems that runbooks act on: what can be read there, and the Changes that can be made."""
