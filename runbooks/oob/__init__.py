"""Out-of-band management: a machine's board controller (BMC), whatever its vendor; one driver a file."""
