#!/usr/bin/env bash
# D19: writes by a handle after rename, unlink, replacement and truncation by
# path; SQLite with two connections and truncated logs; after a rollback old
# handles get errors, and none of what they do reaches the new head.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

for i in 1 2 3 4 5; do echo "content of base $i" >"$B/f$i"; done
mkdir "$B/dir"
tree_up

cat >"$WORK/handles.py" <<'PY'
import os, sqlite3, sys
os.chdir(sys.argv[1])

def fd_of(name):
    return os.open(name, os.O_RDWR)

one = fd_of("f1")
os.rename("f1", "dir/moved")
os.pwrite(one, b"MOVED", 0)
os.fsync(one)
assert open("dir/moved").read().startswith("MOVED"), "renamed"

two = fd_of("f2")
os.unlink("f2")
open("f2", "w").write("another")
os.pwrite(two, b"GONE", 0)
os.fsync(two)
assert os.pread(two, 4, 0) == b"GONE" and open("f2").read() == "another"
assert os.fstat(two).st_nlink == 0

three = fd_of("f3")
open("new", "w").write("newer")
os.rename("new", "f3")
os.pwrite(three, b"OLD", 0)
os.fsync(three)
assert open("f3").read() == "newer" and os.pread(three, 3, 0) == b"OLD"

four = fd_of("f4")
os.truncate("f4", 3)
os.pwrite(four, b"after", 10)
os.fsync(four)
assert open("f4", "rb").read() == b"con" + bytes(7) + b"after"

a = sqlite3.connect("test.db", isolation_level=None)
assert a.execute("pragma journal_mode=wal").fetchone()[0] == "wal"
a.execute("create table t(i integer primary key, body)")
b = sqlite3.connect("test.db", isolation_level=None)
for i in range(300):
    (a if i % 2 else b).execute("insert into t values (?, ?)",
                                (i, "x" * (i * 7 % 3000)))
    if i % 10 == 0:
        (b if i % 20 else a).execute("pragma wal_checkpoint(truncate)")
for db in (a, b):
    assert db.execute("select count(*) from t").fetchone()[0] == 300
    assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
PY
python3 "$WORK/handles.py" "$M"
remount
[ "$(cat "$M/f2" "$M/f3")" = anothernewer ] || fail "after mounting again"
python3 - "$M/test.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
assert db.execute("select count(*) from t").fetchone()[0] == 300
assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
PY

say "old handles after a rollback"
[ -z "${TREE_PLAIN:-}" ] || exit 0
cowd snapshot create -q "$STORE@s1"
tree_listing "$M" >"$WORK/s1"
cat >"$WORK/stale.py" <<'PY'
import errno, mmap, os, subprocess, sys
mount, store, cowd = sys.argv[1:]
os.chdir(mount)
fds = {name: os.open(name, os.O_RDWR) for name in ("f2", "f3", "f4", "f5")}
new = os.open("made later", os.O_RDWR | os.O_CREAT)
gone = os.open("dir/moved", os.O_RDWR)
os.unlink("dir/moved")
directory = os.open("dir", os.O_RDONLY)
reader = os.open("f5", os.O_RDONLY)
os.pwrite(fds["f2"], b"dirty", 0)
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
