"""How a command reaches a host: one long-lived shell on each, over Fabric or a local process."""
