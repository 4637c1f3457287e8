#!/usr/bin/env bash
# cowd export --since: a layer put upon an export of the older state makes one
# of the newer, by OCI's rules and as an upper directory of overlayfs.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need tar python3 setfattr

some_tree "$B"
rm "$B/socket"
mkdir "$B/turns" "$B/old" "$B/same"
echo a >"$B/turns/a"
echo b >"$B/turns/b"
seq 100 >"$B/old/list"
ln "$B/old/list" "$B/same/list"
tree_up
rm "$M/dangling"
cowd snapshot create -q "$STORE@s1"

echo more >>"$M/numbers"                  # the second name changes too
rm -r "$M/many"                           # a directory that is gone
mv "$M/sub/deep" "$M/moved"               # one that is elsewhere
rm -r "$M/turns" && echo file >"$M/turns" # a file for a directory
rm "$M/sub/random" && mkdir "$M/sub/random" && echo in >"$M/sub/random/side"
mkdir -p "$M/new/a/b" && echo deep >"$M/new/a/b/c"
mv "$M/old" "$M/older"                    # and another takes its name
mkdir "$M/old" && echo young >"$M/old/other"
ln "$M/same/list" "$M/third"              # a link of what is the same
mv "$M/sub/link" "$M/link"
chmod 700 "$M/empty"
setfattr -n user.note -v "of the layer" "$M/empty"
cowd snapshot create -q "$STORE@s2"

say "upon the older one"
cowd export -q -O dir "$STORE@s1" "$WORK/older"
cowd export -q -O dir "$STORE@s2" "$WORK/newer"
cowd export -q -O tar --since s1 "$STORE@s2" "$WORK/layer.tar"
tar -tf "$WORK/layer.tar" >"$WORK/names" 2>/dev/null
python3 "$SUPPORT/apply_layer.py" "$WORK/layer.tar" "$WORK/older"
same_trees "$WORK/older" "$WORK/newer"
grep -q 'sub/hole' "$WORK/names" && fail "what is the same is in the layer"
grep -qx './.wh.many' "$WORK/names" || fail "$(cat "$WORK/names")"

say "since base, and mounted by overlayfs"
cowd export -q -O dir --since base --whiteouts overlay "$STORE@s2" "$WORK/up"
mkdir "$WORK/merged"
if mount -t overlay none -o "lowerdir=$WORK/up:$B" "$WORK/merged"; then
	diff -r --no-dereference -x null -x fifo "$WORK/merged" "$WORK/newer" ||
		fail "overlayfs shows something else"
	umount "$WORK/merged"
else
	echo "no overlayfs here"
fi

say "nothing at all, and what can't be told"
cowd export -q -O tar --since s2 "$STORE@s2" "$WORK/empty.tar"
[ -z "$(tar -tf "$WORK/empty.tar")" ] || fail "$(tar -tf "$WORK/empty.tar")"
touch "$M/.wh.name"
refused 19 'whiteout' cowd export -O tar --since s2 "$STORE" "$WORK/x.tar"
cowd export -q -O tar --since s2 --whiteouts overlay "$STORE" "$WORK/x.tar"
refused 12 'nope' cowd export -O tar --since nope "$STORE" "$WORK/y.tar"
refused 2 '--since' cowd export -O tar --whiteouts oci "$STORE" "$WORK/y.tar"
[ ! -e "$WORK/y.tar" ] || fail "y.tar"
tree_down
