#!/usr/bin/env bash
# An ext4 image of /usr (or of $ACCEPT_TREE) under a loop device: a GiB is
# copied in, packages come and go, snapshots under load, rollback.
. "$(dirname "$0")/../support/accept_fs.sh"
need mke2fs e2fsck

FS_NAME=ext4
fs_mount() { mount -t ext4 "$1" "$2"; }
fs_check() { e2fsck -fn "$1"; }
# A frozen ext4 is complete: its journal is empty.
fs_frozen_check() {
	claim "ext4: clean in snapshot $1, taken while frozen" \
		fs_check "$(snapshot_file "$1")"
}

say "an image of $TREE"
tree_mib=$(du -xsm "$TREE" | cut -f1)
image_mib=$((tree_mib * 12 / 10 + 3072))
[ $image_mib -ge 4096 ] || image_mib=4096
truncate -s ${image_mib}M "$BASE"
mke2fs -q -F -t ext4 -d "$TREE" "$BASE"
loop_up "$BASE" -r
base_device=$device
mount -t ext4 -o ro,noload "$base_device" "$FS"
manifest "$FS" >"$WORK/start"
umount "$FS"
loop_down "$base_device"
state=$(stat -c '%s %Y %Z' "$BASE")
make_gib
fetch_packages

timed cowd create -q "$STORE" --base "$BASE"
created_ms=$took_ms
timed cowd mount -q "$STORE" "$M"
claim "ext4: $image_mib MiB image, $(files_of "$WORK/start") files: created \
in $created_ms ms, mounted in $took_ms ms" at_most "$took_ms" 1000
fs_round off
cowd rollback -q "$STORE@done-off"
fs_up
rm -rf "$FS/gib" "$FS/churn"
manifest "$FS" >"$WORK/start"
fs_down
fs_round on
pid=$(daemon_pid "$STORE")
echo "daemon: at most $(rss_kib "$pid") KiB resident"
cowd umount "$M"
claim "ext4: the base was not touched" \
	[ "$state" = "$(stat -c '%s %Y %Z' "$BASE")" ]
finish
