#!/usr/bin/env bash
# How the kernel asks. Rows 001-12 (max_read), 001-13 (max_readahead), 001-14
# (max_write), 001-15 (async_read, sync_read), 001-17 (debug).
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

make_base $((4 << 20))
cowd create -q "$STORE" --base "$BASE"
log=$STORE/daemon.log
mount_with() {
	: >"$log"
	cowd mount -q -o "debug,$1" "$STORE" "$M"
	image=$M/base.img
}
# The largest N of "read[..] N bytes" and so on.
largest() { sed -n "s/.*$1/\1/p" "$log" | sort -n | tail -n 1; }

say "001-12: max_read"
mount_with max_read=16384
cat "$image" | cmp - "$BASE"
[ "$(largest 'success, outsize: \([0-9]*\)')" -eq $((16384 + 16)) ] ||
	fail "answers of $(largest 'success, outsize: \([0-9]*\)')"
grep -q "max_read=16384" /proc/mounts || fail "not in /proc/mounts"
cowd umount "$M"

say "001-13: max_readahead"
mount_with max_readahead=65536
id=$(mountpoint -d "$M")
[ "$(cat "/sys/class/bdi/$id/read_ahead_kb")" -eq 64 ] ||
	fail "$(cat "/sys/class/bdi/$id/read_ahead_kb") KiB"
cowd umount "$M"

say "001-14: max_write"
for bytes in 4096 65536; do
	mount_with "max_write=$bytes"
	grep -q "max_write=0x0*$(printf %x $bytes)$" "$log" || fail "INIT"
	dd if=/dev/zero of="$image" bs=1M count=2 conv=notrunc,fsync status=none
	[ "$(largest 'opcode: WRITE .*insize: \([0-9]*\),.*')" -le \
		$((bytes + 80)) ] || fail "a larger write came"
	cowd umount "$M"
done

say "001-15: sync_read and async_read"
async_read() { # Is bit 0 set in the flags that INIT was answered with?
	local flags
	flags=$(awk '/INIT: / { n++ }
		n == 2 && sub(/^ *flags=/, "") { print; exit }' "$log")
	echo $((flags & 1))
}
for try in "async_read 1" "sync_read 0" "umask=022 1" "sync_read,async_read 1"
do
	mount_with "${try% *}"
	cat "$image" >/dev/null
	[ "$(async_read)" = "${try#* }" ] || fail "$try: $(async_read)"
	cowd umount "$M"
done

say "001-17: debug tells each request; -d does so in the foreground"
mount_with umask=022
stat "$M/nothing" >/dev/null 2>&1 || true
grep -q "opcode: LOOKUP" "$log" || fail "no trace"
cowd umount "$M"
cowd mount -d "$STORE" "$M" 2>"$WORK/trace" &
pid=$!
live() { mountpoint -q "$M"; }
until_true 10 live
ls -al "$M" >/dev/null
kill -TERM $pid
wait $pid || fail "exit $?"
grep -q "opcode: INIT" "$WORK/trace" || fail "no trace of -d"
grep -q "opcode: READDIR" "$WORK/trace" || fail "no listing in the trace"

for option in max_read=x max_write= max_readahead=1k max_read; do
	refused 2 "max_" cowd mount -o "$option" "$STORE" "$M"
done
