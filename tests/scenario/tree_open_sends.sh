#!/usr/bin/env bash
# The first open of a small file brings its data along, and nothing that is
# newer is lost by that: neither what others write, nor the size they set.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

mkdir "$B/d"
for i in {1..400}; do make_base 20000 "$B/d/f$i"; done
make_base 4096 "$B/block"
make_base 4097 "$B/odd"
make_base 40000 "$B/large"
: >"$B/empty"
tree_up
cat >"$WORK/stopped.py" <<'PY'
import os, signal, sys
mount, base, daemon = sys.argv[1], sys.argv[2], int(sys.argv[3])
fds = {name: os.open(f"{mount}/{name}", os.O_RDONLY)
       for name in ("block", "odd", "empty")}
os.kill(daemon, signal.SIGSTOP)
signal.alarm(10)  # it would be asked, and never answer
try:
    for name, fd in fds.items():
        with open(f"{base}/{name}", "rb") as file:
            assert os.pread(fd, 8192, 0) == file.read(), name
finally:
    os.kill(daemon, signal.SIGCONT)
PY
if [ -z "${TREE_PLAIN:-}" ]; then
	say "read while the daemon stands still"
	python3 "$WORK/stopped.py" "$M" "$B" "$(daemon_pid "$STORE")"
fi

say "opened by two at the same moment"
cat >"$WORK/two.py" <<'PY'
import hashlib, os, sys, threading
mount, sums = sys.argv[1:]
os.chdir(f"{mount}/d")
old = {i: None for i in range(1, 401)}
start = threading.Barrier(2)

def read(i):
    start.wait()
    fd = os.open(f"f{i}", os.O_RDONLY)
    os.pread(fd, 20000, 0)
    os.close(fd)

def change(i):
    start.wait()
    if i % 4 == 0:
        os.truncate(f"f{i}", i)
    elif i % 4 == 1:
        os.truncate(f"f{i}", 0)
    elif i % 4 == 2:
        fd = os.open(f"f{i}", os.O_WRONLY)
        os.pwrite(fd, b"newer" * 100, i)
        os.close(fd)
    else:
        fd = os.open(f"f{i}", os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b"newer" * i)
        os.close(fd)

def check(i):
    with open(f"f{i}", "rb") as file:
        data = file.read()
        size = os.fstat(file.fileno()).st_size
    want = {0: i, 1: 0, 2: 20000, 3: 5 * i}[i % 4]
    assert len(data) == size == want, (i, len(data), size, want)
    if i % 4 == 2:
        assert data[i:i + 500] == b"newer" * 100, i
    if i % 4 == 3:
        assert data == b"newer" * i, i
    return hashlib.sha256(data).hexdigest()

with open(sums, "w") as out:
    for i in range(1, 401):
        both = [threading.Thread(target=what, args=(i,))
                for what in (read, change)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        print(f"{check(i)}  {mount}/d/f{i}", file=out)
PY
python3 "$WORK/two.py" "$M" "$WORK/sums"
remount
sha256sum -c --quiet "$WORK/sums" || fail "mounted again"
cmp "$M/large" "$B/large" || fail "a large one"

say "who asks for times of access gets them"
if [ -z "${TREE_PLAIN:-}" ]; then
	tree_down
	touch -a -d 2020-01-01 "$B/odd"
	cowd mount -q -o strictatime "$STORE" "$M"
	before=$(stat -c %X "$M/odd")
	cat "$M/odd" >/dev/null
	[ "$(stat -c %X "$M/odd")" -gt "$before" ] || fail "atime of odd"
fi
tree_down
