#!/usr/bin/env bash
# D19: writes by a handle after rename, unlink, replacement and truncation by
# path; SQLite with two connections and truncated logs.
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
tree_down
