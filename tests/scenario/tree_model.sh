#!/usr/bin/env bash
# tree_model.sh [OPS=5000 [SEED=1 [EVERY=250]]]: random operations on a mount
# and on a plain directory, with snapshots, rollbacks, undo, remounts and
# kill -9 in between.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_program tree_model
need python3 setfattr

some_tree "$B"
no_dots "$B"
tree_listing "$B" >"$WORK/base.before"
tree_up
HOOK=$(readlink -f "$(dirname "$0")/../tree/cowd_hook.sh")
export COWD STORE M SEED=${2:-1} MOUNT_OPTIONS=$TREE_OPTIONS
"$TREE_TESTS/tree_model" --seed "$SEED" --ops "${1:-5000}" \
	--every "${3:-250}" --hook "$HOOK" \
	--start "$B" --without "${TREE_WITHOUT:-$(cannot),}" "$M" "$WORK/plain" ||
	fail "seed $SEED"
tree_listing "$B" | diff "$WORK/base.before" - || fail "the base has changed"
tree_down
