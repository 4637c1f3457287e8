#!/usr/bin/env bash
# A daemon that is killed while a rollback waits for pages that somebody reads
# is gone at once, and so are the readers.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

cat >"$WORK/read.py" <<'END'
import os, sys
try:
    fd = os.open(sys.argv[1], os.O_RDONLY)
    while True:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        for at in range(0, 64 << 20, 1 << 20):
            os.pread(fd, 1 << 20, at)
except OSError:
    pass
END
rollbacks() {
	while [ ! -e "$WORK/stop" ]; do
		cowd rollback -q "$STORE@a" || break
	done
}

make_base $((64 << 20))
cowd create -q "$STORE" --base "$BASE"
cowd snapshot create -q "$STORE@a"
on_exit 'umount -f "$M"'
for round in 1 2 3 4 5 6; do
	cowd mount -q "$STORE" "$M"
	pid=$(daemon_pid "$STORE")
	rm -f "$WORK/stop"
	readers=()
	for _ in 1 2 3 4; do
		python3 "$WORK/read.py" "$(image "$M")" &
		readers+=($!)
	done
	rollbacks 2>/dev/null &
	readers+=($!)
	sleep 1.$round
	kill -9 "$pid"
	touch "$WORK/stop"
	for reader in "${readers[@]}"; do
		wait_gone "$reader" 10 || {
			cat /proc/$pid/task/*/stack >&2 || true
			fail "round $round: $reader waits for ever"
		}
	done
	wait
	umount "$M" || fail "round $round: can't be unmounted"
done
