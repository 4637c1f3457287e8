#!/usr/bin/env bash
# cowd commit --to DIR: a copy of the base becomes what the tree shows; never
# the base itself, and nothing where the copy is another than was thought.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3 setfattr

some_tree "$B"
rm "$B/socket"
mkdir "$B/turns" "$B/old"
echo a >"$B/turns/a"
seq 100 >"$B/old/list"
echo gone >"$B/sub/gone"
tree_listing "$B" >"$WORK/base.before"
cp -a "$B" "$WORK/copy"
cp -a "$B" "$WORK/stranger"
cp -a "$B" "$WORK/cut"
tree_up

echo more >>"$M/numbers"                  # and its other name
rm -r "$M/many"
mv "$M/sub/deep" "$M/moved"
rm -r "$M/turns" && echo file >"$M/turns" # a file for a directory
rm "$M/sub/random" && mkdir "$M/sub/random" && echo in >"$M/sub/random/side"
mkdir -p "$M/new/a/b" && echo deep >"$M/new/a/b/c"
mv "$M/old" "$M/older"
mkdir "$M/old" && echo young >"$M/old/other"
chmod 700 "$M/empty" && chown 7:8 "$M/empty"
setfattr -n user.note -v "of the head" "$M/empty"
rm "$M/sub/gone" "$M/fifo"
ln -s nowhere "$M/sub/new-link"
printf x | dd of="$M/sub/hole" bs=1 seek=9 conv=notrunc status=none
tree_listing "$M" >"$WORK/tree"
is_tree() { tree_listing "$1" | diff "$WORK/tree" - || fail "$1: $2"; }

say "a dry run changes nothing and lists all"
cp -a "$WORK/copy" "$WORK/same"
cowd commit -n "$STORE" --to "$WORK/copy" >"$WORK/out"
same_trees "$WORK/copy" "$WORK/same"
for line in 'write *new/a/b/c' 'remove *many' 'link *sub/numbers-too'; do
	grep -Eq "^$line$" "$WORK/out" || fail "$line: $(cat "$WORK/out")"
done
grep -q conflict "$WORK/out" && fail "$(cat "$WORK/out")"

say "into the copy, and once more"
cowd commit "$STORE" --to "$WORK/copy" >"$WORK/out"
is_tree "$WORK/copy" "after a commit"
cowd commit "$STORE" --to "$WORK/copy" >"$WORK/again"
is_tree "$WORK/copy" "after a second one"
[ "$(stat -c %b "$WORK/copy/sub/hole")" -lt 300 ] || fail "holes are filled"

say "what is in the way"
echo mine >"$WORK/stranger/numbers"
echo mine >"$WORK/stranger/many/mine"
echo mine >"$WORK/stranger/new"
echo mine >"$WORK/stranger/mine"
cp -a "$WORK/stranger" "$WORK/stranger.before"
refused 13 'nothing was changed' cowd commit "$STORE" --to "$WORK/stranger"
same_trees "$WORK/stranger" "$WORK/stranger.before"
cowd commit -n "$STORE" --to "$WORK/stranger" >"$WORK/out"
for path in numbers many/mine new; do
	grep -qx "conflict *$path" "$WORK/out" || fail "$(cat "$WORK/out")"
done
cowd commit -q --force "$STORE" --to "$WORK/stranger"
[ "$(cat "$WORK/stranger/mine")" = mine ] || fail "not of the tree, and gone"
rm "$WORK/stranger/mine"
touch -r "$M" "$WORK/stranger"
is_tree "$WORK/stranger" "by force"

say "cut off, and repeated"
for i in 1 2 3; do
	cowd commit -q "$STORE" --to "$WORK/cut" &
	sleep 0.0$i
	tree_kill
	wait $! || true
done
cowd commit -q "$STORE" --to "$WORK/cut"
is_tree "$WORK/cut" "after three kills"
[ -z "$(find "$WORK" -name '.cowd-commit*')" ] || fail "a part is left"

say "never to a layer, nor through a symlink"
refused 2 'nothing is ever written' cowd commit -f "$STORE" --to "$B"
refused 2 'nothing is ever written' cowd commit -f "$STORE" --to "$B/sub"
refused 2 'nothing is ever written' cowd commit -f "$STORE" --to "$WORK"
refused 2 'mount of this store' cowd commit -f "$STORE" --to "$M"
refused 2 '--to' cowd commit "$STORE"
mkdir "$WORK/outside"
cp -a "$B" "$WORK/link" && rm -r "$WORK/link/sub"
ln -s "$WORK/outside" "$WORK/link/sub"
cowd commit -q "$STORE" --to "$WORK/link" 2>/dev/null && fail "through a link"
cowd commit -q -f "$STORE" --to "$WORK/link" 2>/dev/null || true
[ -z "$(ls -A "$WORK/outside")" ] || fail "it was followed"

say "a snapshot, without a daemon"
cowd snapshot create -q "$STORE@s1"
rm -r "$M/new"
tree_down
cp -a "$B" "$WORK/late"
cowd commit -q "$STORE@s1" --to "$WORK/late"
is_tree "$WORK/late" "of a snapshot"
tree_listing "$B" | diff "$WORK/base.before" - || fail "the base has changed"
