#!/usr/bin/env bash
# Claim (D15): a power cut loses nothing of an image that an fsync or a snapshot
# acknowledged.
#   power_cut.sh [CUTS]
. "$(dirname "$0")/../support/power.sh"
cuts=${1:-30}
blocks=3000

make_base 64M "$WORK/golden.img"
power_up --base "$WORK/golden.img"
writers=()
for first in 0 "$blocks"; do
	cut_logs+=("$WORK/log.$first")
	python3 "$SUPPORT/writer.py" write "$WORK/inner/golden.img" fsync \
		"$first" "$blocks" "$WORK/log.$first" \
		>"$WORK/writer.$first" 2>&1 &
	writers+=($!)
done
on_exit "kill ${writers[*]}"
until_true 5 test -s "$WORK/log.0"

holds() { # IMAGE FIRST LOG
	python3 "$SUPPORT/writer.py" check "$1" "$2" "$blocks" "$3" >/dev/null
}
blocks_hold() {
	holds "$1/golden.img" 0 "$2/log.0" &&
		holds "$1/golden.img" "$blocks" "$2/log.$blocks"
}
blocks_hold_snapshot() { holds "$1" 0 "$2"; }

power_cuts "$cuts" "${writers[@]}"
power_check "$cuts" blocks_hold
echo "power_cut: $cuts cuts, $(($(stat -c %s "$WORK/log.0") / 16)) and" \
	"$(($(stat -c %s "$WORK/log.$blocks") / 16)) acknowledged writes," \
	"$kept snapshots checked: nothing lost"
