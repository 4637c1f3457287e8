#!/usr/bin/env bash
# D3, D4: a renamed directory of the base keeps all its children, changed and
# unchanged, over remounts, snapshots and rollbacks; when the daemon is killed
# in the midst, the tree is at exactly one of the two names.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3 setfattr

mkdir -p "$B/dir" "$B/one" "$B/two"
for i in 1 2 3; do echo "base $i" >"$B/dir/f$i"; done
some_tree "$B/one/tree"
tree_listing "$B/one/tree" >"$WORK/tree.listing"
tree_up
cowd snapshot create -q "$STORE@before"

check() {
	[ ! -e "$M/dir" ] || fail "$1: the old name is there"
	[ "$(cat "$M/otherdir/"* | xargs)" = "base 1 changed base 3" ] ||
		fail "$1: $(tail -n +1 "$M/otherdir/"*)"
	[ "$(find "$M/otherdir" -type f | wc -l)" -eq 3 ] || fail "$1: listing"
}
say "one changed child, two unchanged"
echo changed >"$M/dir/f2"
mv "$M/dir" "$M/otherdir"
check "at once"
remount
check "mounted again"
cowd snapshot create -q "$STORE@moved"
mkdir "$M/dir"
[ -z "$(find "$M/dir" -mindepth 1)" ] || fail "children under the old name"
rm -r "$M/otherdir"
cowd rollback -q --live "$STORE@moved"
check "rolled back"
mv "$M/otherdir" "$M/two/a"
mv "$M/two" "$M/three"
[ "$(cat "$M/three/a/f1")" = "base 1" ] || fail "moved twice"
cowd rollback -q --live "$STORE@before"
[ "$(cat "$M"/dir/f? | xargs)" = "base 1 base 2 base 3" ] || fail "the first"
[ ! -e "$M/otherdir" ] && [ -d "$M/two" ] || fail "the first state"

say "killed in the midst of renames"
cat >"$WORK/mover.py" <<'PY'
import os, sys
os.chdir(sys.argv[1])
try:
    while True:
        os.rename("one/tree", "two/tree")
        os.rename("two/tree", "one/tree")
except OSError as error:
    print(error)
PY
for round in 1 2 3 4 5 6; do
	python3 "$WORK/mover.py" "$M" >"$WORK/mover.out" &
	mover=$!
	sleep 0.$((RANDOM % 5 + 1))
	if [ -n "${TREE_PLAIN:-}" ]; then kill $mover; else tree_kill; fi
	wait $mover || true
	found=$(find "$M/one" "$M/two" -mindepth 1 -maxdepth 1 -printf '%P ')
	[ "$found" = "tree " ] || fail "round $round: '$found'"
	tree_listing "$M"/*/tree | diff "$WORK/tree.listing" - ||
		fail "round $round: the tree"
	[ -d "$M/one/tree" ] || mv "$M/two/tree" "$M/one/tree"
done
tree_down
