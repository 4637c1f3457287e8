#!/usr/bin/env bash
# A daemon that is killed while it waits for the kernel to write back, as
# every snapshot does, is gone at once, and so are those who wait for it.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

cat >"$WORK/write.py" <<'END'
import os, sys
try:
    fd = os.open(sys.argv[1], os.O_RDWR)
    for i in range(1 << 30):
        os.pwrite(fd, b"x" * 4096, (int(sys.argv[2]) * 500 + i % 500) * 4096)
        os.fsync(fd)
except OSError:
    pass
END
snapshots() {
	local i
	for ((i = 0; ; i++)); do
		[ ! -e "$WORK/stop" ] || break
		cowd snapshot create -q "$STORE@$1-$i" || break
	done
}

truncate -s 64M "$BASE"
cowd create -q "$STORE" --base "$BASE"
on_exit 'umount -f "$M"'
for round in 1 2 3 4 5 6; do
	cowd mount -q "$STORE" "$M"
	pid=$(daemon_pid "$STORE")
	writers=()
	rm -f "$WORK/stop"
	for i in $(seq 0 7); do # who fsyncs has the inode's lock
		python3 "$WORK/write.py" "$(image "$M")" "$i" &
		writers+=($!)
	done
	snapshots "$round" 2>/dev/null &
	writers+=($!)
	sleep 1.$round
	kill -9 "$pid"
	touch "$WORK/stop"
	for writer in "${writers[@]}"; do
		wait_gone "$writer" 10 || {
			cat /proc/$pid/task/*/stack >&2 || true
			fail "round $round: $writer waits for ever"
		}
	done
	wait
	umount "$M" || fail "round $round: can't be unmounted"
done
