#!/usr/bin/env bash
# Growing under writers: every handle and a loop device see the new size.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_loop
need mke2fs e2fsck

truncate -s 32M "$BASE"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
image=$(image "$M")
mke2fs -q -F -t ext4 "$image"
loop=$(losetup -f --show "$image")
on_exit losetup -d "$loop"
mkdir "$WORK/fs"
mount "$loop" "$WORK/fs"
echo kept >"$WORK/fs/file"
exec 7<"$image"

say "by command"
cowd branch resize -n "$STORE:main" 64M >/dev/null
[ "$(stat -c %s "$image")" -eq $((32 << 20)) ] || fail "a dry run resized"
cowd branch resize "$STORE:main" 64M
[ "$(stat -c %s "$image")" -eq $((64 << 20)) ] || fail "stat: another size"
[ "$(stat -Lc %s /proc/self/fd/7)" -eq $((64 << 20)) ] ||
	fail "an open handle: another size"
losetup -c "$loop"
[ "$(blockdev --getsize64 "$loop")" -eq $((64 << 20)) ] ||
	fail "the loop device: another size"
head -c 4M /dev/urandom >"$WORK/big"
dd if="$WORK/big" of="$loop" bs=1M seek=60 conv=notrunc,fsync status=none
head -c 10M /dev/urandom >"$WORK/fs/big"
sync "$WORK/fs/big"

say "by truncate"
truncate -s 96M "$image"
losetup -c "$loop"
[ "$(blockdev --getsize64 "$loop")" -eq $((96 << 20)) ] ||
	fail "the loop device did not grow"

say "shrinking under writers is refused, with the way on"
refused 11 'writer' cowd branch resize --shrink -y "$STORE:main" 16M
grep -q 'hint: close or unmount' "$WORK/out" || fail "$(cat "$WORK/out")"
refused 11 'writer' cowd branch resize -n --shrink -y "$STORE:main" 16M

say "what was written is there after it was mounted again"
big=$(sum "$WORK/fs/big")
umount "$WORK/fs"
losetup -d "$loop"
exec 7<&-
cowd umount "$M"
cowd mount -q "$STORE" "$M"
image=$(image "$M")
[ "$(stat -c %s "$image")" -eq $((96 << 20)) ] || fail "another size"
e2fsck -fn "$image" >/dev/null 2>&1 || fail "e2fsck finds damage"
mount -o loop,ro "$image" "$WORK/fs"
[ "$(sum "$WORK/fs/big")" = "$big" ] || fail "the file differs"
umount "$WORK/fs"
dd if="$image" bs=1M skip=60 count=4 status=none | cmp - "$WORK/big" ||
	fail "what was written into the new part"

say "shrinking without writers shows to readers"
exec 7<"$image"
cowd branch resize -q --shrink -y "$STORE:main" 1M
[ "$(stat -Lc %s /proc/self/fd/7)" -eq $((1 << 20)) ] || fail "readers"
[ "$(wc -c <&7)" -eq $((1 << 20)) ] || fail "readers read more"
exec 7<&-
cowd umount "$M"
