#!/usr/bin/env bash
# Claim: what umount(8) has ended can be used at once: a command, or the next
# mount, waits for the daemon that is still ending and never meets half of it.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
mkdir "$WORK/base"
echo base >"$WORK/base/file"
cowd create "$STORE" --base "$WORK/base" -q

# Who asks all the time meets the end of a daemon now and then.
ask() {
	while [ ! -e "$WORK/enough" ]; do
		cowd status "$STORE" >/dev/null 2>"$WORK/said.$1" ||
			mv "$WORK/said.$1" "$WORK/failed.$1"
	done
}
ask 1 &
ask 2 &
for ((i = 1; i <= 40; i++)); do
	cowd mount "$STORE" "$M" -q || fail "mount $i"
	echo "$i" >"$M/file"
	umount "$M"
	case $((i % 4)) in
	1) cowd snapshot create "$STORE@s$i" -q || fail "snapshot $i" ;;
	2) cowd config set "$STORE" checkpoint.every=5s -q || fail "config $i" ;;
	esac
done
touch "$WORK/enough"
wait
! cat "$WORK"/failed.* 2>/dev/null || fail "a command met the end of a daemon"
cowd mount "$STORE" "$M" -q
[ "$(cat "$M/file")" = 40 ] || fail "lost: $(cat "$M/file")"

say "the same while another mount keeps the daemon"
cowd snapshot create "$STORE@kept" -q
mkdir "$WORK/s"
cowd mount "$STORE@kept" "$WORK/s" -q
for ((i = 1; i <= 20; i++)); do
	umount "$M"
	cowd mount "$STORE" "$M" -q || fail "mount $i beside a snapshot"
	echo "$i" >"$M/file"
done
umount "$M"
cowd umount "$WORK/s" -q
[ "$(cowd snapshot list "$STORE" -H | wc -l)" -eq 11 ] ||
	fail "snapshots: $(cowd snapshot list "$STORE")"
