#!/usr/bin/env bash
# tree_model.sh [OPS=500000]: random tree operations on a mount and on a plain
# directory, compared by answers, content, metadata and links, with snapshots,
# rollbacks, undo, remounts and kill -9 in between.
. "$(dirname "$0")/../support/accept.sh"

ops=${1:-500000}
scenario=$(dirname "$0")/../scenario/tree_model.sh
for seed in 101 102 103 104; do
	rc=0
	timed bash "$scenario" $((ops / 4)) $seed 2000 >"$WORK/out" 2>&1 ||
		rc=$?
	tail -n 60 "$WORK/out"
	[ $rc -ne 77 ] || skip "$(tail -n 1 "$WORK/out")"
	claim "tree_model: seed $seed, $((ops / 4)) operations, \
$(grep -c '^hook' "$WORK/out") snapshots, rollbacks, remounts, kills: the \
same as a plain directory" [ $rc -eq 0 ]
done
finish
