#!/usr/bin/env bash
# cowd restore: single paths of a snapshot come back, mounted and not, and
# nothing else changes.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees

mkdir -p "$B/dir/sub" "$B/big"
echo one >"$B/dir/file"
echo two >"$B/dir/sub/deep"
for i in $(seq 200); do echo "$i" >"$B/big/$i"; done
tree_listing "$B" >"$WORK/base.before"
tree_up
same() { # PATH...: as in the snapshot
	cowd diff --exit-code "$STORE@s1" -- "$@" >"$WORK/out" ||
		fail "$(cat "$WORK/out")"
}

say "a file, a directory, and one that is gone with its directory"
dd if=/dev/urandom of="$M/data" bs=1M count=5 status=none
ln "$M/data" "$M/dir/link"
echo mine >"$M/dir/mine"
cowd snapshot create -q "$STORE@s1"
sum=$(sum "$M/data")
dd if=/dev/urandom of="$M/data" bs=4k count=1 seek=300 conv=notrunc status=none
echo other >"$M/dir/file"
rm -r "$M/dir/sub" "$M/big"
echo new >"$M/new"
cowd restore "$STORE@s1" -- data dir/sub/deep >"$WORK/out"
grep -q '2 made, 1 changed, 0 removed; 4K of data' "$WORK/out" ||
	fail "$(cat "$WORK/out")"
[ "$(sum "$M/data")" = "$sum" ] || fail "not the bytes of the snapshot"
[ "$(stat -c %h "$M/dir/link")" = 2 ] || fail "the link is none any more"
[ "$(cat "$M/dir/file")" = other ] || fail "more than was asked for"
same data dir/link dir/sub

say "a directory of a layer costs a name"
cowd restore "$STORE@s1" -- big >"$WORK/out"
grep -q '1 made, 0 changed, 0 removed; 0B of data' "$WORK/out" ||
	fail "$(cat "$WORK/out")"
[ "$(cat "$M/big/77")" = 77 ] || fail "big/77"
same big

say "what is open for writing is in the way"
exec 7>>"$M/dir/mine"
echo more >&7
refused 11 '1 writer' cowd restore "$STORE@s1" -- dir
cowd restore -q --live "$STORE@s1" -- dir
echo lost >&7 2>/dev/null || true
exec 7>&- || true
[ "$(cat "$M/dir/mine")" = mine ] || fail "$(cat "$M/dir/mine")"
same dir
[ "$(cat "$M/new")" = new ] || fail "new"

say "one operation, and undo takes it back"
tree_listing "$M" >"$WORK/before"
head -c 30M /dev/urandom >"$M/dir/large"
cowd snapshot create -q "$STORE@s2"
large=$(sum "$M/dir/large")
head -c 30M /dev/urandom >"$M/dir/large"
echo changed >"$M/dir/file"
ln "$M/dir/file" "$M/dir/file-too"
tree_listing "$M" >"$WORK/wrong"
operations=$(cowd log "$STORE" | wc -l)
used=$(du -s --block-size=1M "$STORE" | cut -f1)
cowd restore "$STORE@s2" -- dir >"$WORK/out"
grep -q 'kept as @restore-' "$WORK/out" || fail "$(cat "$WORK/out")"
[ "$(sum "$M/dir/large")" = "$large" ] || fail "large"
[ "$(cat "$M/dir/file")" != changed ] || fail "file"
[ ! -e "$M/dir/file-too" ] || fail "file-too"
[ $(($(cowd log "$STORE" | wc -l) - operations)) = 1 ] ||
	fail "$(cowd log "$STORE")"
[ $(($(du -s --block-size=1M "$STORE" | cut -f1) - used)) -lt 8 ] ||
	fail "30 MiB were copied"
cowd log "$STORE" | grep -q 'restore main from @s2, .*dir' ||
	fail "$(cowd log "$STORE")"
cowd undo -q "$STORE"
tree_listing "$M" | diff "$WORK/wrong" - || fail "undo"
rm "$M/dir/large" "$M/dir/file-too"
cowd restore -q "$STORE@s1" -- dir

say "killed in the midst: all or nothing"
mkdir "$M/many"
for i in $(seq 2000); do echo "$i" >"$M/many/$i"; done
cowd snapshot create -q "$STORE@s3"
rm -r "$M/many"
cowd restore -q "$STORE@s3" -- many &
sleep 0.05
tree_kill
wait $! || true
have=$(find "$M" -path "$M/many/*" | wc -l)
[ "$have" = 0 ] || [ "$have" = 2000 ] || fail "$have of 2000"
cowd branch list "$STORE" | grep -q '\.work' && fail "a branch is left"
rm -rf "$M/many"

say "without a daemon, and into another branch"
tree_down
refused 12 'no such path' cowd restore "$STORE@s1" -- nope
cowd restore -n "$STORE@s1" -- new 2>/dev/null && fail "a dry run of nothing"
cowd clone -q "$STORE@s1" other
rm -f "$WORK/out"
cowd restore -q "$STORE@s1" -- / # all of it
cowd diff --exit-code -q "$STORE@s1" || fail "something differs"
cowd mount -q -o "$TREE_OPTIONS" "$STORE:other" "$M"
rm -r "$M/dir" "$M/data"
cowd umount -q "$M"
cowd restore -q "$STORE@s1" "$STORE:other" -- dir data
cowd mount -q -o "$TREE_OPTIONS" "$STORE:other" "$M"
[ "$(sum "$M/data")" = "$sum" ] || fail "data of the other branch"
[ "$(cat "$M/dir/sub/deep")" = two ] || fail "deep"
tree_down
tree_listing "$B" | diff "$WORK/base.before" - || fail "the base has changed"
