#!/usr/bin/env bash
# An ext4 in the image, on a loop device: files, fstrim, a clean fsck.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_loop
need mke2fs e2fsck fstrim

truncate -s 96M "$BASE"
mke2fs -q -F -t ext4 "$BASE"
cowd create "$STORE" --base "$BASE"
cowd mount "$STORE" "$M"
image=$(image "$M")
device=$(losetup --direct-io=on --show -f "$image")
on_exit "losetup -d $device"
mkdir "$WORK/fs"
mount "$device" "$WORK/fs"

say "files"
head -c 32M /dev/urandom >"$WORK/big"
cp "$WORK/big" "$WORK/fs/big"
cp -r /usr/share/common-licenses "$WORK/fs/licenses"
sync -f "$WORK/fs"
cowd snapshot create "$STORE@full"
same "$WORK/big" "$WORK/fs/big"
rm "$WORK/fs/big"
sync -f "$WORK/fs"
cp "$WORK/big" "$WORK/fs/big2"
sync -f "$WORK/fs"
echo 3 >/proc/sys/vm/drop_caches
same "$WORK/big" "$WORK/fs/big2"

say "what is trimmed comes back to the host"
before=$(disk_kib "$STORE")
rm "$WORK/fs/big2"
sync -f "$WORK/fs" # ext4 trims what its journal has let go of
fstrim "$WORK/fs"
sync -f "$WORK/fs"
shrunk() { [ "$(disk_kib "$STORE")" -lt $((before - 24 * 1024)) ]; }
until_true 20 shrunk

say "rollback under a file system that is not mounted"
umount "$WORK/fs"
losetup -d "$device"
e2fsck -fn "$image"
cowd rollback "$STORE@full"
e2fsck -fp "$image" >/dev/null || [ $? -le 1 ]
device=$(losetup --direct-io=on --show -f "$image")
on_exit "losetup -d $device"
mount "$device" "$WORK/fs"
same "$WORK/big" "$WORK/fs/big"
diff -r /usr/share/common-licenses "$WORK/fs/licenses"
umount "$WORK/fs"
losetup -d "$device"
cowd umount "$M"
