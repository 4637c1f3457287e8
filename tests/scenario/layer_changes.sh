#!/usr/bin/env bash
# What was changed in a tree is seen, under the same names and numbers, after
# layers came above or below it, or went; also after remounts, from snapshots
# and after a rollback.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3 setfattr
cd "$WORK"

mkdir -p first/d/sub/deep first/only first/moves/in above/d/sub above/d/dir \
	below/d/sub below/kind
for name in f gone same sub/h sub/deep/x; do
	echo "base $name" >first/d/$name
done
echo base >first/only/file
echo base >first/moves/in/file
ln first/d/f first/d/f2
ln -s f first/d/link
for name in f gone same new sub/h sub/new dir/a; do
	echo "above $name" >above/d/$name
done
echo above >above/kind
echo below >below/d/sub/low
echo below >below/kind/file
tree_up first
s=$STORE

change() {
	tree_down
	cowd layer "$@"
	tree_mount
}
# All that the changes below are, with the numbers of what they are of.
numbers() {
	(cd "$M" && stat -c '%n %i' d d/f d/sub d/sub/h d/sub/deep d/link \
		made moved moved/in moved/in/file
	# d_ino
	python3 -c 'import os
for d in (".", "d", "d/sub", "moved"):
    for e in os.scandir(d):
        assert e.inode() == os.lstat(e.path).st_ino, e.path
    print(d, os.lstat(d).st_ino == os.lstat(d + "/.").st_ino)')
}
content() {
	(cd "$M" && cat d/f d/f2 d/sub/h made/file d/mine moved/in/file
	stat -c '%n %a %h' d/f d/f2 d/link
	stat -c '%n %a' d/sub d/sub/deep
	getfattr --only-values -n user.x d/sub
	! ls -d d/gone only/file moves 2>&1)
}
holds() {
	[ "$(numbers)" = "$numbers" ] || fail "$1: other numbers:
$(diff <(echo "$numbers") <(numbers))"
	[ "$(content)" = "$content" ] || fail "$1: other content:
$(diff <(echo "$content") <(content))"
}

say "changes over one layer"
echo "BASE" | dd of="$M/d/f" conv=notrunc status=none
echo changed >"$M/d/sub/h"
echo mine >"$M/d/mine"
mkdir "$M/made"
echo made >"$M/made/file"
rm "$M/d/gone" "$M/only/file"
chmod 700 "$M/d/sub/deep"
setfattr -n user.x -v value "$M/d/sub"
mv "$M/moves" "$M/moved"
touch -h "$M/d/link"
numbers=$(numbers) content=$(content)
cowd snapshot create -q $s@one

say "a layer above"
change add -q $s above
holds "above"
[ "$(cat "$M/d/same" "$M/d/new" "$M/d/sub/new" "$M/d/dir/a" "$M/kind")" = \
	"above same
above new
above sub/new
above dir/a
above" ] || fail "the rest is not of the layer above"
echo more >"$M/d/dir/a"
mkdir "$M/d/sub/deep/er"
content=$(content)
cowd snapshot create -q $s@two
remount
holds "above, again"

say "a layer below"
change add -q --bottom $s below
holds "below"
[ "$(cat "$M/d/sub/low" "$M/kind")" = "below
above" ] || fail "the layer below"
rmdir "$M/d/sub/deep/er"
[ ! -e "$M/d/sub/deep/er" ] || fail "it is still there"

say "in snapshots"
(M=$(snapshot_at one) && [ "$(cat "$M/d/same")" = "base same" ] &&
	[ "$(cat "$M/d/f")" = "$(cat "$M/d/f2")" ] && [ ! -e "$M/d/new" ]) ||
	fail "one"
(M=$(snapshot_at two) && [ "$(cat "$M/d/same" "$M/d/dir/a")" = "above same
more" ] && [ -d "$M/d/sub/deep/er" ] && [ ! -e "$M/d/sub/low" ]) || fail "two"

say "rolled back, and again"
tree_down
cowd rollback -q $s@one
[ "$(cowd layer list -H -o NAME,POSITION $s | tr '\t\n' ': ')" = \
	"first:1 above:unused below:unused " ] || fail "$(cowd layer list $s)"
tree_mount
[ "$(numbers)" = "$numbers" ] || fail "rolled back: other numbers"
[ "$(cat "$M/d/same")" = "base same" ] || fail "rolled back: other layers"
tree_down
cowd undo -q $s
tree_mount
holds "undone"

say "the first layer goes"
deep=$(stat -c %i "$M/d" "$M/d/sub" "$M/d/sub/deep" "$M/moved")
change remove -q $s first
[ "$(stat -c %i "$M/d" "$M/d/sub" "$M/d/sub/deep" "$M/moved")" = "$deep" ] ||
	fail "other numbers"
cat "$M/d/f" "$M/d/sub/h" "$M/d/mine" "$M/made/file" >out
[ "$(cat out)" = "BASE
f
changed
mine
made" ] || fail "$(cat out)"
[ "$(cat "$M/d/same" "$M/d/sub/low")" = "above same
below" ] || fail "what is left"
[ ! -e "$M/d/sub/deep/x" ] && [ ! -e "$M/moved/in" ] || fail "it is left"
find "$M" -ls >/dev/null || fail "find"
cowd diff $s@two $s --name-status >/dev/null || fail "diff: $?"

say "and comes back"
change add -q --bottom $s first
[ "$(numbers)" = "$numbers" ] || fail "back: other numbers"
[ "$(cat "$M/d/sub/deep/x" "$M/moved/in/file")" = "base sub/deep/x
base" ] || fail "it is not as it was"
[ ! -e "$M/d/gone" ] && [ ! -e "$M/moves" ] || fail "what went came back"
tree_down
