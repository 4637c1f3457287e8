#!/usr/bin/env python3
"""sqlite_count.py DB MODE PROCESSES TIMES: several processes add 1 to a number
again and again; locks that work lose none. Then what one has locked the other
must not get."""
import os
import sqlite3
import sys


def connect(timeout=60):
    return sqlite3.connect(path, isolation_level=None, timeout=timeout)


path, mode, processes, times = (sys.argv[1], sys.argv[2], int(sys.argv[3]),
                                int(sys.argv[4]))
db = connect()
got = db.execute(f"pragma journal_mode={mode}").fetchone()[0]
assert got == mode, got
db.execute("create table if not exists n(v)")
db.execute("delete from n")
db.execute("insert into n values (0)")
db.close()
children = []
for _ in range(processes):
    pid = os.fork()
    if pid == 0:
        db = connect()
        for _ in range(times):
            db.execute("begin immediate")
            value = db.execute("select v from n").fetchone()[0]
            db.execute("update n set v = ?", (value + 1,))
            db.execute("commit")
        os._exit(0)
    children.append(pid)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
one = connect()
assert one.execute("select v from n").fetchone()[0] == processes * times
assert one.execute("pragma integrity_check").fetchone()[0] == "ok"
one.execute("begin immediate")
one.execute("update n set v = -1")
pid = os.fork()
if pid == 0:
    two = connect(0.1)
    try:
        two.execute("begin immediate")
    except sqlite3.OperationalError as error:
        os._exit(0 if "locked" in str(error) else 2)
    os._exit(1)
assert os.waitpid(pid, 0)[1] == 0, "two have the lock"
one.execute("rollback")
