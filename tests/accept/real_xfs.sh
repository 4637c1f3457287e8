#!/usr/bin/env bash
# mkfs.xfs on an image over zeros, and then all that real_ext4.sh does.
. "$(dirname "$0")/../support/accept_fs.sh"
need mkfs.xfs xfs_repair

FS_NAME=xfs
# A clone has the UUID of what it was cloned from.
fs_mount() { mount -t xfs -o nouuid "$1" "$2"; }
fs_check() { xfs_repair -n "$1"; }
# A frozen xfs still wants its log replayed, as a snapshot under load does.
fs_frozen_check() {
	: >"$WORK/log.$1"
	claim "xfs: clean in snapshot $1, taken while frozen" \
		crash_image_good "$1" .
}

make_gib
fetch_packages
truncate -s 4G "$BASE"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
loop_up "$M/base.img"
timed mkfs.xfs -q "$device"
echo "mkfs.xfs: $took_ms ms"
loop_down "$device"
fs_up
cp -a "$WORK/gib" "$FS/first"
manifest "$FS" >"$WORK/start"
fs_down
claim "xfs: clean after mkfs and a first GiB" fs_check "$M/base.img"
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
finish
