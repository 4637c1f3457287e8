#!/usr/bin/env bash
# kill9_models.sh [MINUTES=30]: random operations on a mounted tree beside a
# plain directory, and on stores beside plain memory, with kill -9 in the
# loop, under new seeds until the time is up. No difference.
. "$(dirname "$0")/../support/accept.sh"

until=$(($(date +%s) + ${1:-30} * 60))
scenario=$(dirname "$0")/../scenario/tree_model.sh
model=$(dirname "$(dirname "$COWD")")/tests/model
for program in model items_model tree_names; do
	[ -x "$model/$program" ] || skip "no $model/$program"
done
rounds=0 failed=0
for ((seed = 5000; $(date +%s) < until && failed == 0; seed++)); do
	rc=0
	bash "$scenario" 20000 $seed 500 >"$WORK/out" 2>&1 || rc=$?
	[ $rc -ne 77 ] || skip "$(tail -n 1 "$WORK/out")"
	for program in model items_model tree_names; do
		"$model/$program" $seed 8000 >>"$WORK/out" 2>&1 || rc=$?
	done
	[ $rc -eq 0 ] || { failed=$seed; tail -n 60 "$WORK/out"; }
	rounds=$((rounds + 1))
done
claim "kill9_models: $rounds rounds with kills, no difference \
(seed of the first: $failed)" [ $failed -eq 0 ]
finish
