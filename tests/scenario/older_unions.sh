#!/usr/bin/env bash
# Rows 000-1 to 000-7 of docs/older-systems.md: what unionfs-fuse, the union
# mount of BSD and MultiFS did, or should have done.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3 setfattr getfattr
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory has no layers"

names() { find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs; }
top=$WORK/top low=$WORK/low
mkdir -p "$top/common" "$low/common/deep" "$low/d1"
echo top >"$top/common/file"
for name in common/file common/only d1/old; do echo low >"$low/$name"; done
ln -s d1 "$low/link"
chmod 2750 "$low/d1"
chown 77:88 "$low/d1"
setfattr -n user.note -v kept "$low/d1"
touch -d 2001-02-03 "$low/d1"
tree_listing "$low" >"$WORK/low.before"
tree_listing "$top" >"$WORK/top.before"

say "000-1: a new file in a directory that only the base has"
tree_up "$top" "$low"
before=$(stat -c '%a %u %g %X %i' "$M/d1")
echo new >"$M/d1/new"
[ "$(stat -c '%a %u %g %X %i' "$M/d1")" = "$before" ] || fail "d1 has changed"
[ "$(getfattr --absolute-names --only-values -n user.note "$M/d1")" = kept ] || fail "its xattr"
[ "$(cat "$M/d1/old" "$M/d1/new")" = $'low\nnew' ] || fail "$(names "$M/d1")"

say "000-2: a union at every depth"
mkdir -p "$M/common/deep/made"
[ "$(names "$M/common")" = "deep file only" ] || fail "$(names "$M/common")"
echo x >"$M/common/deep/made/x"
[ "$(cat "$M/common/only")" = low ] || fail "hidden"

say "000-3: the topmost wins, each name once"
[ "$(cat "$M/common/file")" = top ] || fail "not the topmost"
[ "$(find "$M/common" -name file | wc -l)" -eq 1 ] || fail "twice"

say "000-4: a file of the base is appended to and overwritten, without a hang"
pid=$(daemon_pid "$STORE")
timeout 20 bash -c "for i in \$(seq 200); do echo \$i >>'$M/common/only'
	echo \$i >'$M/d1/old'; done" || fail "it hangs"
[ "$(tail -n 1 "$M/common/only") $(cat "$M/d1/old")" = "200 200" ] || fail "data"
sync -f "$M"
sleep 2
cpu() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
begin=$(cpu)
sleep 2
[ $(($(cpu) - begin)) -le 20 ] || fail "the daemon is busy with nothing"

say "000-5: what is done to a symlink is not done to its target"
chown -h 5:6 "$M/link"
touch -h -d 2002-02-02 "$M/link"
[ "$(stat -c '%u %g %y' "$M/link" | cut -c 1-14)" = "5 6 2002-02-02" ] ||
	fail "$(stat "$M/link")"
[ "$(stat -c '%u %g' "$M/d1")" = "77 88" ] || fail "the target"

say "the base is untouched"
tree_down
tree_listing "$low" | diff "$WORK/low.before" - || fail "low"
tree_listing "$top" | diff "$WORK/top.before" - || fail "top"

say "000-6: the order of layers decides"
cowd create -q "$WORK/other.cowd" --base "$low" --base "$top"
cowd mount -q -o "$TREE_OPTIONS" "$WORK/other.cowd" "$M"
[ "$(cat "$M/common/file")" = low ] || fail "the other order"
cowd umount -q "$M"
if losetup -f >/dev/null 2>&1 && command -v mkfs.ext4 >/dev/null; then
	say "000-6: layers that are images"
	mkdir "$WORK/i1" "$WORK/i2"
	for i in 1 2; do
		truncate -s 8M "$WORK/$i.img"
		mkfs.ext4 -qF "$WORK/$i.img"
		mount -o loop "$WORK/$i.img" "$WORK/i$i"
		echo "$i" >"$WORK/i$i/file"
		echo "$i" >"$WORK/i$i/only$i"
		mount -o remount,ro "$WORK/i$i"
	done
	cowd create -q "$WORK/images.cowd" --base "$WORK/i2" --base "$WORK/i1"
	cowd mount -q "$WORK/images.cowd" "$M"
	[ "$(cat "$M/file" "$M/only1" "$M/only2" | xargs)" = "2 1 2" ] ||
		fail "$(names "$M")"
	echo both >"$M/only1"
	cowd umount -q "$M"
	[ "$(cat "$WORK/i1/only1")" = 1 ] || fail "the image has changed"
	umount "$WORK/i1" "$WORK/i2"
fi

say "000-7: named layers, one place to write to, or none"
s=$WORK/named.cowd
cowd create -q "$s" --base "up=$top" --base "down=$low"
[ "$(cowd layer list -H -o NAME "$s" | xargs)" = "up down" ] || fail "names"
cowd mount -q -o "$TREE_OPTIONS" "$s" "$M"
cowd which "$M/common/file" | grep -q 'layer up' || fail "which"
cowd which "$M/common/only" | grep -q 'layer down' || fail "which"
echo x >"$M/new" # of a path that is nowhere yet the store is where it goes
cowd which "$M/new" | grep -q delta || fail "which of a new one"
rm -r "$M/common"
cowd umount -q "$M"
tree_listing "$top" | diff "$WORK/top.before" - || fail "removed in a layer"
cowd mount -q -o ro "$s" "$M"
for command in "touch $M/x" "rm $M/new" "mkdir $M/x"; do
	! $command 2>"$WORK/err" || fail "$command"
	grep -q 'Read-only file system' "$WORK/err" || fail "$(cat "$WORK/err")"
done
cowd umount -q "$M"
mkdir "$WORK/third"
echo third >"$WORK/third/file"
cowd layer add -q "$s" "third=$WORK/third"
cowd layer remove -q "$s" up
cowd mount -q "$s" "$M"
[ "$(names "$M")" = "d1 file link new" ] || fail "$(names "$M")"
cowd umount -q "$M"
