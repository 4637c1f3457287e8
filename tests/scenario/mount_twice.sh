#!/usr/bin/env bash
# One head has one cache of pages: it is mounted once, or by readers only; and
# what was unmounted lazily still counts.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_loop
need python3

make_base $((4 << 20))
cowd create -q "$STORE" --base "$BASE"
mkdir "$WORK/b" "$WORK/c"
cowd mount -q "$STORE" "$M"
image=$(image "$M")

say "a second mount of the head"
for options in rw ro; do
	refused 11 "mounted on $M already" \
		cowd mount -o $options "$STORE" "$WORK/b"
	grep -q "hint: mount --bind $M $WORK/b" "$WORK/out" ||
		fail "$(cat "$WORK/out")"
done
mount --bind "$M" "$WORK/b"
put "same" 0 "$image"
[ "$(head -c 4 "$WORK/b/${image##*/}")" = same ] || fail "a bind mount"
umount "$WORK/b"

say "snapshots and clones any number of times"
cowd snapshot create -q "$STORE@s"
cowd clone -q "$STORE@s" other
cowd mount -q "$STORE@s" "$WORK/b"
cowd mount -q "$STORE@s" "$WORK/c"
same "$(image "$WORK/b")" "$(image "$WORK/c")"
cowd umount "$WORK/b"
cowd umount "$WORK/c"
cowd mount -q "$STORE:other" "$WORK/b"
cowd umount "$WORK/b"

say "busy: who, and how to go on"
exec 7<>"$image"
refused 11 "in use by .*pid $$ " cowd umount "$M"
grep -q 'hint:.*-l' "$WORK/out" || fail "$(cat "$WORK/out")"
exec 7>&-
loop=$(losetup -f --show "$image")
on_exit losetup -d "$loop"
refused 11 "in use by .*$loop" cowd umount "$M"

say "lazily: the loop device works on, snapshots have its dirty pages"
cowd umount -l "$M"
head -c 1M /dev/urandom >"$WORK/data"
dd if="$WORK/data" of="$loop" bs=64k conv=notrunc,fsync status=none
put "dirty" 100 "$loop"
sync "$loop" # into the pages of the image, which are dirty now
refused 11 "lazily from $M" cowd mount "$STORE" "$M"
refused 11 "writer" cowd rollback "$STORE@s"
cowd snapshot create -q "$STORE@lazy"
losetup -d "$loop"
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 daemon_gone
cowd mount -q "$STORE@lazy" "$M"
put "dirty" 100 "$WORK/data"
cmp -n $((1 << 20)) "$(image "$M")" "$WORK/data" ||
	fail "the snapshot lacks what was written"
cowd umount "$M"

say "readers share a head"
cowd mount -q -o ro "$STORE" "$M"
cowd mount -q -o ro "$STORE" "$WORK/b"
same "$(image "$M")" "$(image "$WORK/b")"
refused 11 "already" cowd mount "$STORE" "$WORK/c"
exec 7<"$(image "$M")" 8<"$(image "$WORK/b")"
cowd rollback -q "$STORE@s"
for fd in 7 8; do
	head -c 4 <&$fd | grep -qx same || fail "reader $fd lacks the rollback"
done
exec 7<&- 8<&-
cowd branch resize -q "$STORE:main" 8M
for dir in "$M" "$WORK/b"; do
	[ "$(stat -c %s "$(image "$dir")")" -eq $((8 << 20)) ] ||
		fail "$dir has another size"
done
cowd umount "$STORE"
