#!/usr/bin/env bash
# D18: holes are told only where zeros are read, right after a write too: what
# is copied by SEEK_DATA, by cp and by copy_file_range equals its source.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

truncate -s 4M "$B/sparse"
put "some data" 2000000 "$B/sparse"
make_base $((1 << 20)) "$B/solid"
tree_up

cat >"$WORK/copies.py" <<'PY'
import os, random, subprocess, sys, time
os.chdir(sys.argv[1])
random.seed(7)

def by_holes(source, target):
    """As cp of old did: only what SEEK_DATA says."""
    a = os.open(source, os.O_RDONLY)
    b = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    at, size = 0, os.fstat(a).st_size
    os.ftruncate(b, size)
    while at < size:
        try:
            at = os.lseek(a, at, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(a, at, os.SEEK_HOLE)
        while at < end:
            piece = os.pread(a, min(end - at, 1 << 20), at)
            os.pwrite(b, piece, at)
            at += len(piece)
    os.close(a), os.close(b)

def by_kernel(source, target):
    a = os.open(source, os.O_RDONLY)
    b = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    left = os.fstat(a).st_size
    while left:
        left -= os.copy_file_range(a, b, left)
    os.close(a), os.close(b)

def by_cp(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source,
                    target], check=True)

end = time.time() + 8
rounds = 0
while time.time() < end:
    rounds += 1
    for name in ("sparse", "solid", f"new{rounds % 5}"):
        fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
        for _ in range(random.randrange(1, 5)):
            at = random.randrange(3 << 20)
            os.pwrite(fd, os.urandom(random.randrange(1, 20000)), at)
        if random.randrange(3) == 0:
            os.ftruncate(fd, random.randrange(1 << 20))
            os.ftruncate(fd, random.randrange(1 << 20, 3 << 20))
            os.pwrite(fd, b"again", random.randrange(3 << 20))
        if random.randrange(4) == 0:
            os.fsync(fd)
        way = random.choice((by_holes, by_kernel, by_cp))
        way(name, "copy")
        want = os.pread(fd, 1 << 23, 0)
        assert open("copy", "rb").read() == want, (rounds, name, way)
        os.close(fd)
print(f"{rounds} rounds")
PY
python3 "$WORK/copies.py" "$M"
for name in sparse solid; do cp "$M/$name" "$WORK/$name"; done
cowd snapshot create -q "$STORE@s1"
truncate -s 0 "$M/sparse" "$M/solid"
for name in sparse solid; do
	cp --sparse=always "$(snapshot_at s1)/$name" "$WORK/copy"
	same "$WORK/copy" "$WORK/$name" "$name in the snapshot"
done
cowd rollback -q --live "$STORE@s1"
remount
for name in sparse solid; do
	cp --sparse=always "$M/$name" "$WORK/copy"
	same "$WORK/copy" "$WORK/$name" "$name after the rollback"
done
tree_down
