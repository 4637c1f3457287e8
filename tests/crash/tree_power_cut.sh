#!/usr/bin/env bash
# Claim: a power cut loses nothing of a tree that an fsync or a snapshot
# acknowledged, and leaves no operation half done.
#   tree_power_cut.sh [CUTS]
. "$(dirname "$0")/../support/power.sh"
cuts=${1:-30}

mkdir -p "$WORK/golden/slots"
for ((slot = 0; slot < 40; slot += 2)); do
	printf '%-64s' "slot $slot version 0" >"$WORK/golden/slots/$slot"
done
power_up --base "$WORK/golden"
cut_logs=("$WORK/log")
python3 "$SUPPORT/slots.py" write "$WORK/inner" "$WORK/log" \
	>"$WORK/writer" 2>&1 &
writer=$!
on_exit "kill $writer"
until_true 5 test -s "$WORK/log"

slots_hold() { python3 "$SUPPORT/slots.py" check "$1" "$2/log" "$2/after/log"; }
slots_hold_snapshot() {
	python3 "$SUPPORT/slots.py" check "$1" "$2" "$2.after"
}

power_cuts "$cuts" "$writer"
power_check "$cuts" slots_hold
echo "tree_power_cut: $cuts cuts, $(grep -c done "$WORK/log")" \
	"acknowledged changes, $kept snapshots checked: nothing lost"
