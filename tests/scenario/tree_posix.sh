#!/usr/bin/env bash
# What POSIX and Linux say of files, call by call: errors, rights, times,
# locks, holes, mappings, xattrs, directories (tests/tree/posix_*.c); and all
# that they left is there after a remount.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_program tree_posix

mkdir "$B/new"
tree_up
rc=0
"$TREE_TESTS/tree_posix" "$M/new" || rc=$?
tree_listing "$M" >"$WORK/before"
remount
tree_listing "$M" | diff "$WORK/before" - || fail "other than before remount"
tree_down
[ -z "$(ls -A "$B/new")" ] || fail "the base has changed"
exit $rc
