# How a process is known by a file: its number on this machine, its start time (field 22 of its stat, which tells it from
# a later process with the same number), and the machine's boot id. Read by: runbooks/lab/host.py.

# know: $known is what this shell is known by. /proc has to be the machine's own: this is how one in a pid namespace learns
# its number outside.
know() {
    read -r noted </proc/self/stat
    read -r machine </proc/sys/kernel/random/boot_id
    set -- ${noted##*) }
    known="${noted%% *} ${20} $machine"
}

# note FILE: what this shell is known by, at once or not at all.
note() {
    printf '%s\n' "$known" >"$1.new"
    mv "$1.new" "$1"
}

# lives FILE: whether the process that is noted there still runs; $pid is its number.
lives() {
    { read -r pid start booted <"$1" && read -r noted <"/proc/$pid/stat"; } 2>/dev/null || return 1
    read -r machine </proc/sys/kernel/random/boot_id
    set -- ${noted##*) }
    [ "$booted ${20}" = "$machine $start" ] || return 1
    case $1 in Z | X) return 1 ;; esac
}
