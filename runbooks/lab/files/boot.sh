#!/bin/bash
# First process of a lab host: it was started in fresh mount, UTS, IPC and PID namespaces, builds the host's root file
# system, changes into it and becomes the host's init. Everything it mounts lives in its own mount namespace and so
# goes away with the last process of the host.
#
# Environment: LAB_HOST_DIR (own/ upper/ work/ root/ pid), LAB_LOWER (overlay lower directories), LAB_OVERLAY (further
# overlay options), LAB_USR (a /usr to bind read-only, or empty), LAB_NAME (host name),
# LAB_FIRST_RUN_S (seconds until the first puppet run).
set -eu
exec </dev/null >>"$LAB_HOST_DIR/console.log" 2>&1

. "${0%/*}/process.sh"
know

hostname "$LAB_NAME"
root=$LAB_HOST_DIR/root
mount -t overlay -o "lowerdir=$LAB_LOWER,upperdir=$LAB_HOST_DIR/upper,workdir=$LAB_HOST_DIR/work$LAB_OVERLAY" lab "$root"
if [ -n "$LAB_USR" ]; then
    # The machine's programs, read-only; /usr/local stays the host's own, from the overlay underneath.
    mkdir -p "$root/mnt"
    mount --bind "$root/usr/local" "$root/mnt"
    mount --bind "$LAB_USR" "$root/usr"
    mount -o remount,bind,ro "$root/usr"
    mount --move "$root/mnt" "$root/usr/local"
fi
mount -t tmpfs -o mode=755,size=64m tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=755,size=64m tmpfs "$root/run"
mount -t proc proc "$root/proc"
# A boot id of its own: the machine's would stay the same from boot to boot.
read -r boot_id </proc/sys/kernel/random/uuid
printf '%s\n' "$boot_id" >"$root/run/boot_id"
chmod 444 "$root/run/boot_id"
mount --bind "$root/run/boot_id" "$root/proc/sys/kernel/random/boot_id"

cd "$root"
mkdir -p mnt
pivot_root . mnt
cd /
# Not before: whoever enters by this number is to find the host in here, and not the machine.
note "/mnt$LAB_HOST_DIR/pid"
umount -l /mnt
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    LAB_FIRST_RUN_S="${LAB_FIRST_RUN_S-0}" \
    /bin/bash /usr/local/sbin/lab-init
