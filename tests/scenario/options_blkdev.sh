#!/usr/bin/env bash
# Row 001-26 (blkdev): a block device below, shown as the source. Row 001-35:
# the steps of a first try, with fusermount at the end.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_loop
need fusermount3

make_base $((4 << 20))
loop=$(losetup --show -f "$BASE")
on_exit "losetup -d $loop"
cowd create -q "$STORE" --base "$loop"

say "001-26: it is the source of the mount"
grep -qw fuseblk /proc/filesystems || skip "no fuseblk in this kernel"
cowd mount -q -o blkdev "$STORE" "$M"
grep -q "^$loop $M fuseblk.cowd " /proc/mounts ||
	fail "$(grep "$M" /proc/mounts)"
same "$(image "$M")" "$BASE"
put changed 0 "$(image "$M")"
cowd umount "$M"
[ "$(head -c 7 "$BASE")" != changed ] || fail "base was written to"
gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 gone

say "001-26: not without a block device, nor without its being there"
make_base $((1 << 20)) "$WORK/file.img"
cowd create -q "$WORK/file.cowd" --base "$WORK/file.img"
refused 2 "block device" cowd mount -o blkdev "$WORK/file.cowd" "$M"

say "001-35: mount in the foreground with a trace, look, fusermount -u"
cowd mount "$STORE" "$M" -d 2>"$WORK/trace" &
pid=$!
live() { mountpoint -q "$M"; }
until_true 10 live
[ "$(ls -al "$M" | tail -n +2 | wc -l)" -eq 3 ] || fail "$(ls -al "$M")"
fusermount3 -u "$M"
wait $pid || fail "exit $?: $(tail "$WORK/trace")"
