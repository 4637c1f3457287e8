#!/usr/bin/env bash
# D10: index and segments on file systems of their own, of which that of the
# index is full first: ENOSPC, nothing that was written is lost, and with more
# room it goes on without repair.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_root
need python3

mkdir "$WORK/index"
mount -t tmpfs -o size=1200k tmpfs "$WORK/index"
on_exit "umount $WORK/index"
STORE=$WORK/index/s.cowd
cowd create -q "$STORE" --size 8G
cowd config set -q "$STORE" reserve=0 checkpoint.every=1s compress=off
mv "$STORE/segments" "$WORK/segments"
mkdir -m 700 "$STORE/segments"
mount -t tmpfs -o size=1g,mode=700 tmpfs "$STORE/segments"
on_exit "umount $STORE/segments"
mv "$WORK/segments"/* "$STORE/segments/"
on_exit "umount $M"
rc=0
cowd mount -q "$STORE" "$M" 2>"$WORK/out" || rc=$?
[ "$rc" -eq 0 ] || fail "$(cat "$WORK/out")"

cat >"$WORK/fill.py" <<'PY'
import errno, os, random, sys
path, state = sys.argv[1:3]
random.seed(1)
fd = os.open(path, os.O_RDWR)
blocks = os.fstat(fd).st_size // 4096
acked, pending, failed = {}, {}, 0
for nr in range(200000):
    block, data = random.randrange(blocks), os.urandom(16) * 256
    try:
        os.pwrite(fd, data, block * 4096)
        pending[block] = data[:16]
        if nr % 50 == 49:
            os.fsync(fd)
            acked.update(pending)
            pending.clear()
    except OSError as error:
        assert error.errno in (errno.ENOSPC, errno.EROFS, errno.EIO), error
        failed += 1
        break
print(f"{len(acked)} blocks on disk, {failed} refusals", file=sys.stderr)
assert failed, "the index never became full"
for block in pending:
    acked.pop(block, None)
with open(state, "w") as out:
    for block, data in acked.items():
        out.write(f"{block} {data.hex()}\n")
os._exit(0)
PY
cat >"$WORK/check.py" <<'PY'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
for line in open(sys.argv[2]):
    block, data = line.split()
    found = os.pread(fd, 16, int(block) * 4096).hex()
    assert found == data, f"block {block}: {found}, not {data}"
PY
say "full"
timeout 100 python3 "$WORK/fill.py" "$(image "$M")" "$WORK/state" ||
	fail "see above"
python3 "$WORK/check.py" "$(image "$M")" "$WORK/state" || fail "while full"

say "larger, opened again: all is there, and it goes on"
cowd umount "$M" >"$WORK/out" 2>&1 || true
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 30 daemon_gone
mount -o remount,size=64m "$WORK/index"
cowd mount -q "$STORE" "$M" || fail "it needs repair"
python3 "$WORK/check.py" "$(image "$M")" "$WORK/state" || fail "afterwards"
put "goes on" 0 "$(image "$M")"
sync "$(image "$M")"
cowd snapshot create -q "$STORE@after"
cowd umount -q "$M"
until_true 10 daemon_gone
