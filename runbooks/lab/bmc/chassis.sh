#!/bin/sh
# The power of a lab host, as a BMC asks for it and sets it: PYTHON TOP HOST get power|boot, or PYTHON TOP HOST set
# power|reset|shutdown|boot VALUE. PYTHON runs what takes the lab's lock; the rest is quick, since it is asked all the time.
here=$(cd "${0%/*}" && pwd)
python=$1 top=$2 host=$3
shift 3
. "$here/../files/process.sh"

case "$1 $2" in
'get power') lives "$top/hosts/$host/power" && echo power:1 || echo power:0 ;;
'get boot') echo boot:default ;;
# The power button. Init hears it as SIGRTMIN+4, if it still hears anything.
'set shutdown') lives "$top/hosts/$host/pid" && kill -38 "$pid" ;;
'set power' | 'set reset') cd "$here/../../.." && exec "$python" -m runbooks.lab.bmc.chassis "$top" "$host" "$2" "$3" ;;
esac
exit 0
