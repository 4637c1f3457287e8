#!/usr/bin/env bash
# D8: appending until there is no room, going on when there is some: the file
# is what was written successfully, one behind the other; nobody is told less.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_loop
need mke2fs python3

truncate -s 64M "$WORK/host.img"
mke2fs -q -F -t ext4 -m 0 "$WORK/host.img"
mkdir "$WORK/host"
mount -o loop "$WORK/host.img" "$WORK/host"
STORE=$WORK/host/s.cowd
cowd create -q "$STORE" --base "$B"
cowd config set -q "$STORE" reserve=8MiB compress=off
on_exit "umount $WORK/host"
on_exit "umount $M"

cat >"$WORK/append.py" <<'PY'
import errno, hashlib, os, sys, time
path, ballast, exact = sys.argv[1:4]
fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
size, refused, pieces = 0, 0, []

def append(count):
    """Writes and syncs pieces; False: there was no room for one."""
    global size, refused
    for _ in range(count):
        data, n = os.urandom(100_000), 0
        try:
            n = os.write(fd, data)
            os.fsync(fd)
            pieces.append((size, data[:n]))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
            refused += 1
            # Who is told so by fsync doesn't know what is on disk.
            assert n == 0 or exact != "exact", "taken, and then refused"
            return False
        finally:
            size += n
    return True

assert not append(1000), "it was never full"
assert not append(1), "there is room all of a sudden"
os.unlink(ballast)
for _ in range(100):
    if append(1):
        break
    time.sleep(0.1)
assert append(20), "it does not go on"
os.close(fd)
with open(path + ".pieces", "w") as out:
    out.write(f"{size}\n")
    for at, data in pieces:
        out.write(f"{at} {len(data)} {hashlib.sha256(data).hexdigest()}\n")
PY
cat >"$WORK/check.py" <<'PY'
import hashlib, os, sys
with open(sys.argv[1] + ".pieces") as told, open(sys.argv[1], "rb") as file:
    size = int(told.readline())
    assert os.fstat(file.fileno()).st_size == size, (
        os.fstat(file.fileno()).st_size, size)
    for line in told:
        at, n, known = line.split()
        file.seek(int(at))
        found = hashlib.sha256(file.read(int(n))).hexdigest()
        assert found == known, f"piece at {at}"
PY
check() { python3 "$WORK/check.py" "$M/log" || fail "$*"; }

for TREE_OPTIONS in writeback_cache no_writeback_cache; do
	say "$TREE_OPTIONS"
	exact=no
	[ $TREE_OPTIONS = writeback_cache ] || exact=exact
	head -c 12M /dev/urandom >"$WORK/host/ballast"
	tree_mount
	timeout 100 python3 "$WORK/append.py" "$M/log" "$WORK/host/ballast" \
		$exact || fail "see above"
	check "at once"
	remount
	check "mounted again"
	rm "$M/log" "$M/log.pieces"
	tree_down
	cowd gc -q "$STORE"
done
