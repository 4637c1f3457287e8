#!/usr/bin/env bash
# Options that are as it is anyway, or that nobody has any more: one warning
# at most, never unknown. Rows 001-10 (large_read), 001-16 (hard_remove),
# 001-18, 001-19 (fsname, subtype), 001-20, 001-21 (use_ino, readdir_ino),
# 001-22 (nonempty), 001-30, 001-31 (intr), 001-32 (modules).
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"
# warns NUMBER OPTIONS: that many warnings, and it mounts and works.
warns() {
	cowd mount -q -o "$2" "$STORE" "$M" 2>"$WORK/err"
	same "$M/base.img" "$BASE"
	[ "$(grep -c 'warning: the mount option .* has no effect' \
		"$WORK/err")" -eq "$1" ] || fail "$2: $(cat "$WORK/err")"
	cowd status --json "$STORE" >"$WORK/status"
	[ "$(json 'len(d["mounts"][0]["warnings"])' <"$WORK/status")" -eq \
		"$1" ] || fail "$2: $(cat "$WORK/status")"
	cowd umount "$M"
}

say "accepted and ignored: one warning each"
for option in large_read intr intr_signal=10 big_writes nopath noforget \
	remember=5 subdir=x rellinks iconv=1 noappledouble daemon_timeout=5; do
	[ $option = iconv=1 ] && option=from_code=UTF-8
	warns 1 "$option"
done
warns 2 large_read,intr

say "as it is anyway: none"
warns 0 hard_remove,use_ino,readdir_ino,kernel_cache,async_read,norellinks
warns 0 nofail,_netdev,defaults,x-systemd.automount,auto,user,users,relatime
warns 0 modules=subdir:iconv
refused 2 "modules" cowd mount -o modules=other "$STORE" "$M"
refused 2 "unknown mount option" cowd mount -o no_such_thing "$STORE" "$M"
refused 2 "has no value" cowd mount -o large_read=1 "$STORE" "$M"

say "fsname and subtype are what /proc/mounts shows"
cowd mount -q "$STORE" "$M"
grep -q "^$(readlink -f "$STORE"):main $M fuse.cowd " /proc/mounts ||
	fail "by default: $(grep "$M" /proc/mounts)"
cowd umount "$M"
cowd mount -q -o fsname=a/name "$STORE" "$M"
grep -q "^a/name $M fuse.cowd " /proc/mounts || fail "fsname"
cowd umount "$M"
gone() { ! mountpoint -q "$M" && [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 gone
cowd mount -q -o subtype=kind "$STORE" "$M"
grep -q " $M fuse.kind " /proc/mounts || fail "subtype"
cowd umount "$STORE"

say "a place that is not empty needs nonempty"
touch "$M/file"
refused 11 "not empty" cowd mount "$STORE" "$M"
warns 0 nonempty
rm "$M/file"

say "st_ino is d_ino, and stays over a remount"
numbers() { stat -c %i "$M/base.img" && ls -i "$M" | awk '{ print $1 }'; }
cowd mount -q "$STORE" "$M"
numbers >"$WORK/first"
cowd umount "$M"
[ "$(uniq "$WORK/first" | wc -l)" -eq 1 ] || fail "$(cat "$WORK/first")"
cowd mount -q "$STORE" "$M"
numbers | cmp - "$WORK/first"
cowd umount "$M"
