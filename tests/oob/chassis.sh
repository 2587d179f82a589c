#!/bin/sh
# A machine behind a BMC, as ipmi_sim asks one: FOLDER get power|boot, or FOLDER set power|reset|shutdown|boot VALUE.
# FOLDER holds `power` (0 or 1), `happened` (a line for each change), and `late` (seconds until a change takes effect).
folder=$1 verb=$2 what=$3 value=$4

# Written down first, and the power changed at once: whoever sees the one sees the other.
turn() {
    echo "$2" >>"$folder/happened"
    echo "$1" >"$folder/power.$$" && mv "$folder/power.$$" "$folder/power"
}

become() {
    read -r now <"$folder/power"
    case $1 in
    reset) [ "$now" = 1 ] && echo reset >>"$folder/happened" || turn 1 on ;;
    "$now") ;;
    1) turn 1 on ;;
    0) turn 0 off ;;
    esac
}

later() {
    if [ -s "$folder/late" ]; then
        (sleep "$(cat "$folder/late")"; become "$1") </dev/null >/dev/null 2>&1 &
    else
        become "$1"
    fi
}

case "$verb $what" in
"get power") echo "power:$(cat "$folder/power")" ;;
"get boot") echo "boot:default" ;;
"set power") later "$value" ;;
"set shutdown") later 0 ;;
"set reset") later reset ;;
esac
