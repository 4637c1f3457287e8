#!/usr/bin/env bash
# Every operation on what is in base only, in the delta only, in both, and in
# a snapshot; what they left is there after a remount and after kill -9, and
# neither base nor snapshot have changed.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_program tree_places

"$TREE_TESTS/tree_places" base "$B"
tree_listing "$B" >"$WORK/base.before"
tree_up
tree_listing "$M" | diff "$WORK/base.before" - || fail "mount is not the base"
"$TREE_TESTS/tree_places" delta "$M"
cowd snapshot create -q "$STORE@s1"
tree_listing "$M/.snapshots/s1" >"$WORK/snapshot.before"
tree_listing "$M" | diff - "$WORK/snapshot.before" || fail "the snapshot differs"

say "the table"
rc=0
"$TREE_TESTS/tree_places" run "$M" "$M/.snapshots/s1" || rc=$?
tree_listing "$M" >"$WORK/after"
tree_listing "$M/.snapshots/s1" | diff "$WORK/snapshot.before" - ||
	fail "the snapshot has changed"

say "mounted again, and after kill -9"
remount
tree_listing "$M" | diff "$WORK/after" - || fail "other than before remount"
tree_kill
tree_listing "$M" | diff "$WORK/after" - || fail "other than before kill -9"
tree_listing "$M/.snapshots/s1" | diff "$WORK/snapshot.before" - ||
	fail "the snapshot has changed"
tree_listing "$B" | diff "$WORK/base.before" - || fail "the base has changed"

say "rolled back"
cowd rollback -q --live "$STORE@s1"
tree_listing "$M" | diff "$WORK/snapshot.before" - || fail "rollback"
tree_down
exit $rc
