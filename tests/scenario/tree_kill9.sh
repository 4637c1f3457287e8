#!/usr/bin/env bash
# tree_kill9.sh [ROUNDS=5]: kill -9 of the daemon in the midst of changes of
# names: all that were done are there, and the one that was under way is there
# as a whole or not at all.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

STORM=$SUPPORT/names_storm.py
mkdir -p "$B"/n{0..5}/n{0..5}
for i in {0..5}; do echo "$i" >"$B/n$i/n$i/n0"; done
tree_up
cp -a "$B" "$WORK/plain"
names() { # all but times
	(cd "$1" && find . -printf '%p %y %m %n %l\n' | LC_ALL=C sort)
}
done_total=0
for ((round = 1; round <= ${1:-5}; round++)); do
	: >"$WORK/log"
	python3 "$STORM" "$M" $round 1000000 "$WORK/log" &
	storm=$!
	sleep 0.$((RANDOM % 5 + 1))
	if [ -n "${TREE_PLAIN:-}" ]; then kill -9 $storm; else tree_kill; fi
	wait $storm 2>/dev/null || true
	count=$(tail -n 1 "$WORK/log")
	count=${count:-0}
	done_total=$((done_total + count))
	rm -rf "$WORK/next"
	cp -a "$WORK/plain" "$WORK/next"
	python3 "$STORM" "$WORK/plain" $round "$count"
	python3 "$STORM" "$WORK/next" $round $((count + 1))
	names "$M" >"$WORK/names"
	if names "$WORK/next" | cmp -s - "$WORK/names"; then
		rm -rf "$WORK/plain"
		mv "$WORK/next" "$WORK/plain"
	else
		names "$WORK/plain" | diff - "$WORK/names" ||
			fail "round $round, after $count changes"
	fi
done
echo "$done_total changes"
[ "$done_total" -gt 100 ] || fail "too few to say anything"
tree_down
