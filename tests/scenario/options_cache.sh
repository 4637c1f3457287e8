#!/usr/bin/env bash
# What the kernel keeps. Rows 001-7 (kernel_cache), 001-8 (auto_cache), 001-9
# (ac_attr_timeout), 001-11 (direct_io), 001-27 (entry_timeout), 001-28
# (negative_timeout), 001-29 (attr_timeout).
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

make_base $((4 << 20))
cowd create -q "$STORE" --base "$BASE"
# count OPCODE: how often the kernel asked, by the trace of the daemon.
count() { grep -c "opcode: $1 " "$STORE/daemon.log" || true; }
mount_with() {
	: >"$STORE/daemon.log"
	cowd mount -q -o "debug,$1" "$STORE" "$M" 2>"$WORK/err"
	image=$M/base.img
}

for option in kernel_cache auto_cache auto_cache,ac_attr_timeout=2.5; do
	say "001-7, 001-8, 001-9: $option keeps pages until they change"
	mount_with "$option"
	cat "$image" >"$WORK/first"
	before=$(count READ)
	cat "$image" >"$WORK/second"
	[ "$(count READ)" -eq "$before" ] || fail "pages were dropped"
	cowd snapshot create -q "$STORE@s"
	put changed 0 "$image"
	cowd rollback -q "$STORE@s"
	same "$image" "$WORK/first" "$option: a rollback is not seen"
	[ "$(count READ)" -gt "$before" ] || fail "nothing was read again"
	cowd snapshot delete -q --now "$STORE@s"
	cowd umount "$M"
done
[ "$(grep -c "warning: .*ac_attr_timeout.*no effect" "$WORK/err")" -eq 1 ] ||
	fail "not one warning: $(cat "$WORK/err")"

say "001-11: direct_io: each read and write reaches the daemon"
mount_with direct_io
for i in 1 2; do
	before=$(count READ)
	dd if="$image" of="$WORK/part" bs=4k count=10 skip="$i" status=none
	[ $(($(count READ) - before)) -eq 10 ] || fail "$(count READ), $before"
done
before=$(count WRITE)
dd if=/dev/zero of="$image" bs=100 count=7 conv=notrunc status=none
[ $(($(count WRITE) - before)) -eq 7 ] || fail "$(count WRITE), $before"
cmp -n 700 "$image" /dev/zero
cmp -i 700 "$image" "$WORK/first"
cowd umount "$M"

# asks OPTIONS OPCODE PATH SECONDS: requests for a stat before, directly after
# and that much later.
asks() {
	local at
	mount_with "$1"
	stat "$3" >/dev/null 2>&1 || true
	at=$(count "$2")
	stat "$3" >/dev/null 2>&1 || true
	soon=$(($(count "$2") - at))
	sleep "$4"
	at=$(count "$2")
	stat "$3" >/dev/null 2>&1 || true
	late=$(($(count "$2") - at))
	cowd umount "$M"
	say "$1: $soon at once, $late after $4 s"
}
say "001-27, 001-28, 001-29: for as long as told, with fractions"
asks "umask=022" LOOKUP "$M/none" 1.2
[ "$soon $late" = "0 0" ] || fail "a day, by default"
asks negative_timeout=0.7 LOOKUP "$M/none" 1.2
[ "$soon $late" = "0 1" ] || fail "negative_timeout"
asks negative_timeout=0 LOOKUP "$M/none" 0
[ "$soon $late" = "1 1" ] || fail "negative_timeout=0"
asks entry_timeout=0.7 LOOKUP "$M/base.img" 1.2
[ "$soon $late" = "0 1" ] || fail "entry_timeout"
asks attr_timeout=0.7 GETATTR "$M/base.img" 1.2
[ "$soon" -eq 0 ] && [ "$late" -ge 1 ] || fail "attr_timeout"
for option in attr_timeout=-1 entry_timeout=x negative_timeout=1s \
	attr_timeout= attr_timeout=inf attr_timeout; do
	refused 2 "attr_timeout|entry_timeout|negative_timeout" \
		cowd mount -o "$option" "$STORE" "$M"
done
