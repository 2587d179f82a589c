#!/bin/sh
# The power supply of a lab host: runs `"$@"`, which boots it, and again each time it restarts itself. It is the first
# process of a pid namespace around the host's own, so that whatever it has started, started half-way too, ends with it.
#
# Environment: LAB_HOST_DIR (power is noted there), LAB_UNPLUG (takes a host that is off from the network, or empty), and
# what boot.sh reads.
. "${0%/*}/process.sh"
know
note "$LAB_HOST_DIR/power"
echo on
exec >&2

# reboot(2) in a pid namespace ends its init by SIGHUP for a restart, and by SIGINT for power off: pid_namespaces(7).
until "$@"; [ $? -ne 129 ]; do
    # Only a host with a fresh disk waits for its first puppet run.
    export LAB_FIRST_RUN_S=0
done
$LAB_UNPLUG
