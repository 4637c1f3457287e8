#!/usr/bin/env bash
# D8-D10: others fill the host's disk to the last byte, also while each command
# runs. Reads, snapshot delete, gc, rollback, umount and the next mount succeed,
# also after a kill; writes get ENOSPC; with room all goes on as it is.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/full.sh"
need_fuse
need_loop

daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
random() { head -c "$1" /dev/urandom; }
new_mount() {
	cowd mount "$STORE" "$M" || fail "can't mount"
	image=$(image "$M")
}

on_full() { # KIND MIB
	say "$1"
	full_host "$@"
	cowd create "$STORE" --base "$BASE"
	new_mount
	random 20M | dd of="$image" bs=1M conv=notrunc,fsync status=none
	cowd snapshot create "$STORE@s1"
	cp --sparse=always "$image" "$WORK/s1"
	random 10M | dd of="$image" bs=1M seek=30 conv=notrunc,fsync status=none
	cowd snapshot create "$STORE@s2"
	# Many windows, none of them saved yet.
	for i in {1..200}; do
		printf '%s' "$i" | dd of="$image" bs=1 seek=$((i * 2500000)) \
			conv=notrunc status=none
	done
	sync "$image"
	cp --sparse=always "$image" "$WORK/copy"
	fill_host
	fill_on

	say "reads; writes are told"
	cmp "$image" "$WORK/copy" || fail "wrong data"
	sleep 6 # a checkpoint by time
	! random 4M | dd of="$image" bs=64k seek=3000 conv=notrunc,fsync \
		status=none 2>"$WORK/err" || fail "4 MiB found room"
	grep -qi 'no space' "$WORK/err" || fail "$(cat "$WORK/err")"
	still_writable
	grep -q '"health": *"attention"' "$WORK/status" || fail "all is well?"

	say "delete, gc, rollback"
	cowd snapshot delete -y --now "$STORE@s2" || fail "can't delete"
	cowd gc "$STORE" || fail "can't collect"
	fill_host
	cowd rollback "$STORE@s1" || fail "can't roll back"
	cmp "$image" "$WORK/s1" || fail "rolled back to something else"
	still_writable

	say "umount, mount; a kill, mount"
	fill_host
	cowd umount "$M" || fail "can't unmount"
	until_true 20 daemon_gone
	fill_host
	new_mount
	cmp "$image" "$WORK/s1" || fail "wrong data"
	kill -9 "$(daemon_pid "$STORE")"
	until_true 20 daemon_gone
	umount -l "$M"
	fill_host
	new_mount
	cmp "$image" "$WORK/s1" || fail "wrong data after the kill"
	cowd undo "$STORE" || fail "can't undo"
	cmp -n $((40 << 20)) "$image" "$WORK/copy" || fail "the undo shows else"
	still_writable

	say "room again: on it goes"
	fill_no_more
	free_host
	can_write() {
		random 3M >"$WORK/more"
		dd if="$WORK/more" of="$image" bs=1M seek=100 \
			conv=notrunc,fsync status=none 2>/dev/null
	}
	until_true 10 can_write
	cmp "$WORK/more" <(dd if="$image" bs=1M skip=100 count=3 status=none)
	still_writable
	cowd umount "$M"
	until_true 20 daemon_gone
	if [ -x "$(dirname "$COWD")/../fsck/cowd-fsck" ]; then
		"$(dirname "$COWD")/../fsck/cowd-fsck" -n "$STORE" ||
			fail "it needs repair"
	fi
	umount "$HOST"
	rm -f "$WORK"/host.img
}

truncate -s 512M "$BASE"
case ${1:-all} in
all)
	on_full ext4 160
	on_full tmpfs 120
	;;
*) on_full "$1" 320 ;;
esac
