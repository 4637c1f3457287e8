#!/usr/bin/env bash
# Growing shows zeros, shrinking forgets, and undo of a shrink brings it back.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((1000 * 1000))
cowd create "$STORE" --base "$BASE" --size 4M
cowd mount "$STORE" "$M"
image=$(image "$M")
cp "$BASE" "$WORK/copy"
truncate -s 4M "$WORK/copy"
same "$image" "$WORK/copy" "a store larger than its base ends in zeros"

say "by truncate through the mount"
step() { # SIZE
	truncate -s "$1" "$image"
	truncate -s "$1" "$WORK/copy"
	same "$image" "$WORK/copy" "after truncate to $1"
}
put "near the end" $(((4 << 20) - 100)) "$image" "$WORK/copy"
step 3M
step 5M
step 500001
put "tail" 500000 "$image" "$WORK/copy"
step 2M
step 0
step 1M
put "new" 999999 "$image" "$WORK/copy"
step 1200000
head -c 100000 /dev/urandom >"$WORK/piece"
cat "$WORK/piece" >>"$image"
cat "$WORK/piece" >>"$WORK/copy"
same "$image" "$WORK/copy" "after an append"
cowd umount "$M"
cowd mount "$STORE" "$M"
image=$(image "$M")
same "$image" "$WORK/copy" "after it was mounted again"

say "by command"
cowd snapshot create "$STORE@before"
size() { stat -c %s "$image"; }
was=$(size)
cowd branch resize "$STORE:main" 8M
[ "$(size)" -eq $((8 << 20)) ] || fail "$(size) is not 8 MiB"
cmp -n "$was" "$image" "$WORK/copy" || fail "growing changed the content"
refused 2 'shrink' cowd branch resize "$STORE:main" 1M
cowd branch resize --shrink -y "$STORE:main" 1M
[ "$(size)" -eq $((1 << 20)) ] || fail "$(size) is not 1 MiB"
cmp -n $((1 << 20)) "$image" "$WORK/copy" || fail "shrinking changed it"
cowd undo "$STORE"
[ "$(size)" -eq $((8 << 20)) ] || fail "undo: $(size) is not 8 MiB"
cmp -n "$was" "$image" "$WORK/copy" || fail "undo lost content"
cowd rollback "$STORE@before"
[ "$(size)" -eq "$was" ] || fail "rollback keeps the size"
same "$image" "$WORK/copy" "after rollback"

say "sizes that can't be"
refused 2 'size' cowd branch resize "$STORE:main" 99999999T
refused 2 'size' cowd branch resize "$STORE:main" banana
if truncate -s 8E "$image" 2>/dev/null; then
	fail "8 EiB is too much"
fi
cowd umount "$M"
