#!/usr/bin/env bash
# Mount options of every file system. Rows 001-1 (ro, rw), 001-2 (suid, dev),
# 001-3 (exec, atime, sync, dirsync).
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"
options_of() { awk -v at="$M" '$2 == at { print "," $4 "," }' /proc/mounts; }
has() { [[ $(options_of) == *",$1,"* ]] || fail "no $1 in $(options_of)"; }
lacks() { [[ $(options_of) != *",$1,"* ]] || fail "$1 in $(options_of)"; }

say "001-1: ro refuses writes, rw takes them, the last one counts"
cowd mount -q -o rw,ro "$STORE" "$M"
has ro
image=$(image "$M")
refused 1 "read-only" dd if=/dev/zero of="$image" bs=1 count=1 conv=notrunc
cowd umount "$M"
cowd mount -q -o ro,rw "$STORE" "$M"
has rw
put x 0 "$image"
cowd umount "$M"

say "001-2: nosuid and nodev unless root says otherwise"
cowd mount -q "$STORE" "$M"
has nosuid
has nodev
cowd umount "$M"
cowd mount -q -o suid,dev "$STORE" "$M"
lacks nosuid
lacks nodev
cowd umount "$M"
cowd mount -q -o suid,dev,nosuid,nodev "$STORE" "$M"
has nosuid
has nodev
cowd umount "$M"

say "001-3: noexec, noatime, sync, dirsync"
script=$WORK/script
printf '#!/bin/sh\necho ran\n' >"$script"
truncate -s 4096 "$script"
cowd create -q "$WORK/script.cowd" --base "$script"
cowd mount -q -o exec "$WORK/script.cowd" "$M"
chmod 755 "$M/script"
[ "$("$M/script" 2>/dev/null | head -n 1)" = ran ] || fail "exec"
cowd umount "$M"
cowd mount -q -o noexec,noatime,dirsync "$WORK/script.cowd" "$M"
has noexec
has noatime
has dirsync
refused 126 "permission denied" "$M/script"
cowd umount "$M"

stored() { du -s --apparent-size -B1 "$STORE" | cut -f1; }
flushes() { cowd stats --json "$STORE" | json 'd["counters"]["flushes"]'; }
for mode in sync sync,direct_io sync,no_writeback_cache; do
	cowd mount -q -o "$mode" "$STORE" "$M"
	has sync
	before=$(flushes)
	for i in 1 2 3; do
		put "$mode" $((i * 8192)) "$image"
	done
	after=$(flushes)
	[ $((after - before)) -ge 3 ] || fail "$mode: $before, $after flushes"
	cowd umount "$M"
done
cowd mount -q -o sync,async "$STORE" "$M"
lacks sync
cowd umount "$M"
