#!/usr/bin/env bash
# D19: after a rollback handles from before get errors, closing and syncing
# them is quiet, and nothing that is done by them reaches the new head.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory has no snapshots"

mkdir "$B/dir"
for name in f1 f2 f3 dir/moved; do echo "content of $name" >"$B/$name"; done
tree_up
echo changed >"$M/f3"
echo new >"$M/f4"
cowd snapshot create -q "$STORE@s1"
tree_listing "$M" >"$WORK/s1"
cat >"$WORK/stale.py" <<'PY'
import errno, mmap, os, subprocess, sys
mount, store, cowd = sys.argv[1:]
os.chdir(mount)
fds = {name: os.open(name, os.O_RDWR) for name in ("f1", "f2", "f3", "f4")}
new = os.open("made later", os.O_RDWR | os.O_CREAT)
gone = os.open("dir/moved", os.O_RDWR)
os.unlink("dir/moved")
directory = os.open("dir", os.O_RDONLY)
reader = os.open("f4", os.O_RDONLY)
os.pwrite(fds["f1"], b"dirty", 0)
os.pwrite(new, b"dirty", 0)
subprocess.run([cowd, "rollback", "-q", "--live", f"{store}@s1"], check=True)

def revoked(what, call, *arguments):
    try:
        got = call(*arguments)
    except OSError as error:
        assert error.errno in (errno.ESTALE, errno.EIO), (what, error)
        return
    raise AssertionError(f"{what} works on an old handle: {got}")

for name, fd in list(fds.items()) + [("new", new), ("gone", gone)]:
    revoked(f"read of {name}", os.pread, fd, 4, 0)
    revoked(f"write of {name}", lambda fd: (os.pwrite(fd, b"STALE", 0)), fd)
    revoked(f"ftruncate of {name}", os.ftruncate, fd, 1)
    os.fsync(fd)  # quietly
    os.close(fd)
revoked("read by a reader", os.pread, reader, 4, 0)
revoked("create in an old directory",
        lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
PY
python3 "$WORK/stale.py" "$M" "$STORE" "$COWD"
tree_listing "$M" | diff "$WORK/s1" - || fail "not the state of the snapshot"
remount
tree_listing "$M" | diff "$WORK/s1" - || fail "and mounted again"
tree_down
