#!/usr/bin/env bash
# rules_model.sh [OPS=1500 [SEED=1]]: random operations on a tree mounted with
# rules and on a plain directory: all in the store, with snapshots, rollbacks,
# remounts and kill -9 in between; and all in plain files, with the last two.
# Not: O_TMPFILE, and directories' links, which nobody counts.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_program tree_model
need python3 setfattr
HOOK=$(readlink -f "$(dirname "$0")/../tree/cowd_hook.sh")
cd "$WORK"

some_tree "$B"
no_dots "$B"
MOUNT_OPTIONS=$TREE_OPTIONS,rules=$WORK/rules
export COWD STORE M MOUNT_OPTIONS SEED=${2:-1}
# model DIR: what the mount shows is that.
model() {
	"$TREE_TESTS/tree_model" --seed "$SEED" --ops "$ops" --every 250 \
		--hook "$HOOK" --start "$1" --without tmpfile,dirlinks \
		"${@:2}" "$M" "$WORK/plain" || fail "seed $SEED"
	cowd umount -q "$M"
	rm -r plain
}
ops=${1:-1500}

say "all in the store"
echo '@store all<>' >rules
cowd create -q "$STORE" --base "$B"
cowd mount -q -o "$MOUNT_OPTIONS" "$STORE" "$M"
tree_listing "$B" >base.before
model "$B"
tree_listing "$B" | diff base.before - || fail "the base has changed"

say "all in plain files"
STORE=$WORK/plain.cowd
mkdir none
echo 'files all<>' >rules
cowd create -q "$STORE" --base none
cowd mount -q -o "$MOUNT_OPTIONS" "$STORE" "$M"
cp -a "$B/." "$M"
HOOK_ACTIONS="remount kill" model "$B" --without whiteout
[ -n "$(ls files)" ] || fail "there are no plain files"
