#!/usr/bin/env bash
# What a mounted tree shows of layers that are added, removed, moved, missing
# or changed underneath; and what its daemon refuses (A22).
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3
cd "$WORK"

mkdir top low new
echo top >top/file
seq 100000 >low/large
cp low/large copy
echo low >low/file
echo new >new/only
tree_up top low
s=$STORE

say "a mounted branch is left alone, another one is not"
refused 11 'hint: unmount it' cowd layer add $s new
refused 11 'mounted or open' cowd layer add -n $s new
refused 11 'mounted or open' cowd layer remove $s low
cowd clone -q $s other
cowd layer add -q $s:other new
cowd layer add -q $s:other extra=a 2>/dev/null && fail "a directory that is none"
mkdir "$M/inside"
refused 2 'in a mount of this store' cowd layer add $s:other "$M/inside"
refused 2 'contains a mount of this store' cowd layer add $s:other /
for place in low low/in copy-link/in; do
	mkdir -p low/in
	[ -e copy-link ] || ln -s low copy-link
	refused 2 'inside the layer low' cowd mount $s:other $place
	refused 2 'inside the layer low' cowd mount -o nonempty $s:other $place
done
rmdir low/in
mkdir o
cowd mount -q $s:other o
refused 2 'contains a mount of this store' cowd layer add $s:other .
[ "$(cat o/only o/file)" = $'new\ntop' ] || fail "$(ls o)"
[ ! -e "$M/only" ] || fail "main sees it too"
cowd umount -q o

say "what only images have, asked of a daemon"
refused 2 'no size' cowd resize $s +1G
refused 2 'image' cowd export $s x -O raw
cowd snapshot create -q $s@s1
refused 2 'paths' cowd diff --blocks $s@s1
tree_down
refused 2 'names an image' cowd mount -o name=x $s "$M"
tree_mount

say "a layer that goes takes its names along, but not what was changed"
echo XX | dd of="$M/large" conv=notrunc status=none
echo XX | dd of=copy conv=notrunc status=none
mv "$M/large" "$M/moved"
cmp copy "$M/moved" || fail "large differs"
cowd snapshot create -q $s@s2
tree_down
cowd layer remove -q $s low
tree_mount
cmp copy "$M/moved" || fail "large is not what it was"
[ "$(ls "$(snapshot_at s2)")" = "$(printf 'file\ninside\nmoved')" ] ||
	fail "$(ls "$(snapshot_at s2)")"
tree_down
cowd layer add -q $s low
tree_mount
cmp copy "$M/moved" || fail "large is not what it was"
tree_down

say "moved, missing"
mv low away
refused 1 'low: the layer does not exist' cowd mount $s "$M"
refused 17 'another directory' cowd mount --base low=new $s "$M"
refused 12 'no such layer' cowd mount --base none=new $s "$M"
refused 2 'NAME=' cowd mount --base away $s "$M"
cowd mount -q --base low=away $s "$M"
cmp copy "$M/moved" || fail "large is not what it was"
cowd status -q $s || fail "status: $?"

say "changed underneath"
tree_down
echo XX >>away/large
tree_mount 2>/dev/null
if cat "$M/moved" >out 2>&1; then
	fail "a mixture of old and new was read"
fi
told() {
	local rc=0
	cowd status $s >out || rc=$?
	[ "$rc" -eq 3 ] && grep -q 'attention .*layer low.*/large' out
}
until_true 5 told
cowd layer list -H -o NAME,STATE,CHANGED $s | grep -qx $'low\tchanged\t1' ||
	fail "$(cowd layer list -o +CHANGED $s)"
[ "$(cat "$M/file")" = low ] || fail "the rest can't be read"
tree_down

say "a snapshot of another store, by its mountpoint"
cowd snapshot create -q $s@b1
mkdir lower n
mount_lower() { cowd mount -q -o snapdir=off,cowddir=off $s@b1 lower; }
mount_lower
refused 1 'nor the store .*other.cowd' cowd layer add $s other.cowd@snap
cowd create -q upper.cowd --base lower
cowd mount -q upper.cowd n
[ "$(cat n/file)" = low ] || fail "$(cat n/file)"
echo more >>n/file
number=$(stat -c %i n/file)
cowd umount -q n
cowd umount -q lower
mount_lower
cowd mount -q upper.cowd n
[ "$(cat n/file)" = "low
more" ] || fail "$(cat n/file)"
[ "$(stat -c %i n/file)" = "$number" ] || fail "another number"
cowd status -q upper.cowd || fail "status: $?"
cowd umount -q n
cowd umount -q lower
