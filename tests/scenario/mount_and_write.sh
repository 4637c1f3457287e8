#!/usr/bin/env bash
# What is written through the mount is there, and base stays as it was.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((8 << 20))
copy=$WORK/copy.img
cp "$BASE" "$copy"
before=$(sum "$BASE")
stamp=$(stat -c '%Y %Z %s %i' "$BASE")

cowd create "$STORE" --base "$BASE"
[ "$(stat -c %a "$STORE")" = 700 ] || fail "the store is open to others"
cowd mount "$STORE" "$M"
image=$(image "$M")
same "$image" "$BASE" "a new store shows its base"

say "writes at every kind of place"
put a 0 "$image" "$copy"
put "across a block" 4090 "$image" "$copy"
put "in the middle of a block" 123456 "$image" "$copy"
put z $(((8 << 20) - 1)) "$image" "$copy"
for file in "$image" "$copy"; do
	head -c 1000000 "$BASE" |
		dd of="$file" bs=64k seek=50 conv=notrunc status=none
	dd if=/dev/zero of="$file" bs=4k seek=1500 count=64 \
		conv=notrunc status=none
done
same "$image" "$copy"
sync "$image"
same "$image" "$copy"
cowd umount "$M"
mountpoint -q "$M" && fail "still mounted"
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 daemon_gone

say "the same after it was mounted again"
cowd mount "$STORE" "$M"
same "$(image "$M")" "$copy"
echo 3 >/proc/sys/vm/drop_caches 2>/dev/null || true
same "$(image "$M")" "$copy"

say "one byte costs one block"
cowd umount "$M"
cowd create "$WORK/t.cowd" --base "$BASE"
cowd mount "$WORK/t.cowd" "$M"
put x 5000 "$(image "$M")"
sync "$(image "$M")"
bytes=$(cowd df --json "$WORK/t.cowd" | json 'd["branches_unique_bytes"]')
[ "$bytes" -eq 4096 ] || fail "one byte cost $bytes bytes"
cowd umount "$M"

[ "$(sum "$BASE")" = "$before" ] || fail "the base was changed"
[ "$(stat -c '%Y %Z %s %i' "$BASE")" = "$stamp" ] || fail "base was touched"
