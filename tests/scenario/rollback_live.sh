#!/usr/bin/env bash
# rollback --live: old handles, dirty mappings and loop devices get errors, and
# not a byte of theirs reaches the new head.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_loop
need python3

make_base $((8 << 20))
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
image=$(image "$M")
cowd snapshot create -q "$STORE@clean"

cat >"$WORK/dirty.py" <<'PY'
import errno, mmap, os, signal, subprocess, sys
image, store = sys.argv[1:]
fd = os.open(image, os.O_RDWR)
shared = mmap.mmap(fd, 8 << 20, mmap.MAP_SHARED)
pid = os.fork()
if pid == 0:  # dirties the mapping until it is killed by SIGBUS
    while True:
        for at in range(0, 4 << 20, 4096):
            shared[at:at + 3] = b"old"
for at in range(4 << 20, 8 << 20, 4096):
    os.pwrite(fd, b"old", at)
subprocess.run(["cowd", "rollback", "-q", "--live", f"{store}@clean"],
               check=True)
_, status = os.waitpid(pid, 0)
assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGBUS, status
for what in (lambda: os.pread(fd, 1, 0), lambda: os.ftruncate(fd, 100),
             lambda: os.posix_fallocate(fd, 0, 9 << 20),
             lambda: os.lseek(fd, 0, os.SEEK_DATA)):
    try:
        what()
        sys.exit("an old handle works")
    except OSError as error:
        assert error.errno == errno.EIO, error
try:
    os.pwrite(fd, b"late", 0)
    os.fsync(fd)
except OSError as error:
    assert error.errno == errno.EIO, error
new = os.open(image, os.O_RDWR)  # whose handle the kernel must not borrow
os.pwrite(new, b"new", 100)
os.fsync(new)
try:
    os.close(fd)
except OSError as error:  # honest: its dirty pages are lost
    assert error.errno == errno.EIO, error
PY
python3 "$WORK/dirty.py" "$image" "$STORE"
cp "$BASE" "$BASE.copy"
put "new" 100 "$BASE.copy"
same "$image" "$BASE.copy" "something old is in the new head"

say "handles that are dead already are in nobody's way"
exec 7<>"$image"
cowd rollback -q --live "$STORE@clean"
cowd rollback -q "$STORE@clean" || fail "a dead handle counts as a writer"
[ "$(cowd status --json "$STORE" | json 'sum(m["writers"] for m in
	d["mounts"])')" -eq 0 ] || fail "a dead handle is counted"
exec 7>&-
same "$image" "$BASE"

say "a loop device on top, its dirty pages too"
for direct in off on; do
	loop=$(losetup -f --show --direct-io=$direct "$image")
	on_exit losetup -d "$loop"
	head -c 4M /dev/urandom | dd of="$loop" bs=64k status=none \
		conv=notrunc
	refused 11 'writer' cowd rollback "$STORE@clean"
	cowd rollback -q --live "$STORE@clean"
	dd if=/dev/urandom of="$loop" bs=64k count=8 status=none \
		conv=notrunc,fsync 2>/dev/null && fail "the loop writes on"
	same "$image" "$BASE" "the loop device wrote into the new head"
	losetup -d "$loop"
	sleep 0.5
	same "$image" "$BASE" "the loop device wrote when it was detached"
done

say "a snapshot keeps what was there"
kept=$(cowd snapshot list --json "$STORE" |
	json 'min(s["name"] for s in d["snapshots"] if "roll" in s["name"])')
mkdir "$WORK/kept"
cowd mount -q "$STORE@$kept" "$WORK/kept"
dd if="$(image "$WORK/kept")" bs=1 skip=5M count=3 status=none |
	grep -qx old || fail "the dirty pages are not kept"
cowd umount "$WORK/kept"
cowd umount "$M"

say "who is about to be gone, as after losetup -d, is waited for"
exec 7>&-
(
	exec 8<>"$image"
	touch "$WORK/open"
	sleep 0.2
) &
while [ ! -e "$WORK/open" ]; do sleep 0.01; done
cowd rollback -q "$STORE@clean" || fail "refused because of a closing writer"
wait
