#!/usr/bin/env bash
# SIGTERM while programs read, write and map the image: the daemon flushes what
# is dirty, ends soon, and leaves a clean store; the programs get errors.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

make_base $((16 << 20))
cowd create -q "$STORE" --base "$BASE"

cat >"$WORK/load.py" <<'PY'
import mmap, os, sys
image, how, log = sys.argv[1:]
flags = os.O_DIRECT if how == "direct" else 0
fd = os.open(image, os.O_RDWR | flags)
page = mmap.mmap(-1, 4096)
first = {"direct": 0, "buffered": 1000, "seek": 2000, "read": 0}[how]
out = open(log, "w", buffering=1)
turn = 0
try:
    while True:
        turn += 1
        for block in range(first, first + 1000):
            if how == "read":
                os.pread(fd, 65536, block * 4096)
                continue
            if how == "seek":
                os.lseek(fd, block * 4096, os.SEEK_HOLE)
            page[:] = turn.to_bytes(8, "little") * 512
            os.pwritev(fd, [page], block * 4096)
            if how == "direct":
                print(turn, block, file=out)
        if how == "buffered":  # nothing else tells of an error
            os.fsync(fd)
except OSError as error:
    print("end", error.errno, file=out)
PY
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }

for round in 1 2 3; do
	say "round $round"
	cowd mount -q "$STORE" "$M"
	image=$(image "$M")
	exec 7<>"$image" # busy without the load, too
	put "dirty$round" $((15 << 20)) "$image"
	load=()
	for how in direct buffered seek read; do
		python3 "$WORK/load.py" "$image" $how "$WORK/$how" &
		load+=($!)
	done
	sleep 1.$round
	pid=$(daemon_pid "$STORE")
	began=$SECONDS
	kill "$pid"
	wait_gone "$pid" 15 || fail "it does not end"
	echo "ended after $((SECONDS - began)) s"
	exec 7>&- || true
	wait "${load[@]}"
	for how in direct buffered seek read; do
		grep -q '^end' "$WORK/$how" || fail "$how got no error"
	done
	! mountpoint -q "$M" || fail "still mounted"
	cowd status --json "$STORE" | tee "$WORK/status" |
		json 'd["store"]["path"]' >/dev/null

	cowd mount -q "$STORE" "$M"
	image=$(image "$M")
	[ "$(dd if="$image" bs=1 skip=15M count=6 status=none)" = \
		"dirty$round" ] || fail "a closed write was lost"
	python3 - "$image" "$WORK/direct" <<'PY'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
last = {}
for line in open(sys.argv[2]):
    if not line.startswith("end"):
        turn, block = map(int, line.split())
        last[block] = turn
for block, turn in last.items():
    page = os.pread(fd, 4096, block * 4096)
    found = int.from_bytes(page[8:16], "little")
    assert found in (turn, turn + 1), (block, turn, found)
PY
	cowd umount "$M"
done
