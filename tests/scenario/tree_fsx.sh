#!/usr/bin/env bash
# tree_fsx.sh [OPS=5000]: one file in all the ways to change and to read it,
# new ones and files of the base, with and without O_DIRECT.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_program tree_fsx

ops=${1:-5000}
mkdir "$B/dir"
make_base 250000 "$B/dir/random"
truncate -s 400K "$B/sparse"
put "in the middle" 200000 "$B/sparse"
make_base 4096 "$B/page"
tree_listing "$B" >"$WORK/base.before"
tree_up
seed=0
for file in new dir/random sparse page; do
	for direct in 0 40; do
		seed=$((seed + 1))
		say "$file, $direct of 100 with O_DIRECT"
		"$TREE_TESTS/tree_fsx" --seed $seed --ops "$ops" \
			--direct $direct "$M/$file" || fail "$file"
		cp "$M/$file" "$WORK/copy"
		[ $((seed % 3)) -ne 0 ] || tree_kill
		[ $((seed % 3)) -ne 1 ] || remount
		same "$M/$file" "$WORK/copy" "$file after mounting it again"
	done
done
tree_listing "$B" | diff "$WORK/base.before" - || fail "the base has changed"
tree_down
