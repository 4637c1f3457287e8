#!/usr/bin/env bash
# crash_replay.sh [STATES=100000]: crashes of all recorded workloads, with
# other choices of what a power cut keeps, until so many distinct states were
# opened, looked at and checked. Two at a time.
. "$(dirname "$0")/../support/accept.sh"

wanted=${1:-100000}
replay=$(dirname "$(dirname "$COWD")")/tests/crash/crash_replay
[ -x "$replay" ] || skip "no $replay: build with -Dtests=enabled"
states=0 violations=0
for ((seed = 1; states < wanted && violations == 0; seed++)); do
	for part in 0 1; do
		"$replay" --cuts 12 --lives 60 --seed $seed --part $part/2 \
			--fsck >"$WORK/out.$part" 2>"$WORK/wrong.$part" &
	done
	wait || true
	cat "$WORK"/wrong.? >&2
	for part in 0 1; do
		tail -n 1 "$WORK/out.$part" >"$WORK/sum"
		read -r n _ _ v _ <"$WORK/sum" || n=0 v=1
		states=$((states + n)) violations=$((violations + v))
	done
	cat "$WORK"/out.?
done
claim "crash_replay: $states distinct states, $violations violations" \
	[ "$violations" -eq 0 ]
finish
