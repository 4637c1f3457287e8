#!/usr/bin/env bash
# Each way to sync reaches the store, and a flush of it where one is promised;
# what was written and closed survives kill -9 too.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

make_base $((4 << 20))
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
image=$(image "$M")

cat >"$WORK/sync.py" <<'PY'
import ctypes, json, mmap, os, subprocess, sys
image, store, copy = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)

def counters():
    out = subprocess.run(["cowd", "stats", "--json", store], check=True,
                         capture_output=True).stdout
    return json.loads(out)["counters"]

fd = os.open(image, os.O_RDWR)
shared = mmap.mmap(fd, 4 << 20)
plain = os.open(copy, os.O_RDWR)

def with_flags(flags):
    def write(at, data):
        other = os.open(image, os.O_RDWR | flags)
        os.pwrite(other, data, at)
        os.close(other)
    return write

def then(sync):
    def write(at, data):
        os.pwrite(fd, data, at)
        sync()
    return write

def msync(at, data):
    shared[at:at + len(data)] = data
    shared.flush()

kinds = [  # name, flushes the store, how
    ("fsync", True, then(lambda: os.fsync(fd))),
    ("fdatasync", True, then(lambda: os.fdatasync(fd))),
    ("O_SYNC", True, with_flags(os.O_SYNC)),
    ("O_DSYNC", True, with_flags(os.O_DSYNC)),
    ("msync", True, msync),
    ("sync_file_range", False, then(lambda: libc.sync_file_range(
        fd, ctypes.c_long(0), ctypes.c_long(0), 7))),
    ("syncfs", False, then(lambda: libc.syncfs(fd))),
    ("sync", False, then(os.sync)),
    ("close", False, with_flags(0)),
]
for nr, (name, flushes, write) in enumerate(kinds):
    data, at = name.encode() * 100, nr * 300000
    before = counters()
    write(at, data)
    after = counters()
    os.pwrite(plain, data, at)
    assert after["writes"] > before["writes"], name
    if flushes:
        assert after["syncs"] > before["syncs"], name
PY
cp "$BASE" "$WORK/copy"
python3 "$WORK/sync.py" "$image" "$STORE" "$WORK/copy"

say "killed: all of it is there"
pid=$(daemon_pid "$STORE")
kill -9 "$pid"
wait_gone "$pid" 10

say "a mount whose daemon died says so, and makes way"
refused 1 'not connected' stat "$image"
refused 2 'not connected' ls "$M"
cowd status "$STORE" >"$WORK/out" || fail "$(cat "$WORK/out")"
cowd mount -q "$STORE" "$M"
same "$image" "$WORK/copy"
kill -9 "$(daemon_pid "$STORE")"
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 daemon_gone
cowd umount "$M" || fail "umount of a dead daemon's mount"
! mountpoint -q "$M" || fail "still mounted"

say "one that somebody has open, too"
cowd mount -q "$STORE" "$M"
exec 7<"$image"
kill -9 "$(daemon_pid "$STORE")"
until_true 10 daemon_gone
cowd mount -q "$STORE" "$M"
same "$image" "$WORK/copy"
cowd umount "$M"
cowd mount -q "$STORE" "$M"
exec 8<"$image"
kill -9 "$(daemon_pid "$STORE")"
until_true 10 daemon_gone
cowd umount "$M" || fail "a dead mount that is open can't be unmounted"
! mountpoint -q "$M" || fail "still mounted"
exec 7<&- 8<&-
