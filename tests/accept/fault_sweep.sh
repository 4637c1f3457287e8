#!/usr/bin/env bash
# fault_sweep.sh [STRIDE=1]: every call and every allocation of all workloads
# fails, once in each way and for ever from there on. Two at a time.
. "$(dirname "$0")/../support/accept.sh"

stride=${1:-1}
sweep=$(dirname "$(dirname "$COWD")")/tests/crash/crash_sweep
[ -x "$sweep" ] || skip "no $sweep: build with -Dtests=enabled"
for part in 0 1; do
	"$sweep" --stride "$stride" --part $part/2 >"$WORK/out.$part" \
		2>"$WORK/wrong.$part" &
done
wait || true
cat "$WORK"/out.?
cat "$WORK"/wrong.? >&2
runs=0 violations=0
for part in 0 1; do
	tail -n 1 "$WORK/out.$part" >"$WORK/sum"
	n=$(sed -n 's/^\([0-9]*\) runs, .*/\1/p' "$WORK/sum")
	v=$(sed -n 's/.* \([0-9]*\) violations$/\1/p' "$WORK/sum")
	runs=$((runs + ${n:-0})) violations=$((violations + ${v:-1}))
done
claim "fault_sweep: $runs faults, $violations violations" \
	[ "$violations" -eq 0 ]
finish
