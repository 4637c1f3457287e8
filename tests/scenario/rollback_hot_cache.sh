#!/usr/bin/env bash
# What is open for reading and mapped shows the new head after a rollback, of
# another size too, and goes on seeing what is written to it.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

make_base $((4 << 20))
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
image=$(image "$M")
put "one" 0 "$image"
cowd snapshot create -q "$STORE@one"
truncate -s 5000000 "$image"
put "two" 0 "$image"
put "tail" 4999000 "$image"
cowd snapshot create -q "$STORE@two"

cat >"$WORK/reader.py" <<'PY'
import mmap, os, subprocess, sys
image, store = sys.argv[1:]
fd = os.open(image, os.O_RDONLY)
shared = mmap.mmap(fd, 4 << 20, mmap.MAP_SHARED, mmap.PROT_READ)

def expect(text, size):
    assert os.pread(fd, 3, 0) == text, os.pread(fd, 3, 0)
    assert shared[0:3] == text, shared[0:3]
    assert os.fstat(fd).st_size == size, os.fstat(fd).st_size
    assert os.stat(image).st_size == size
    assert os.lseek(fd, 0, os.SEEK_END) == size
    with open(image, "rb") as again:
        assert again.read(3) == text

def rollback(name):
    subprocess.run(["cowd", "rollback", "-q", f"{store}@{name}"], check=True)

expect(b"two", 5000000)
rollback("one")
expect(b"one", 4 << 20)
assert os.pread(fd, 4, 4999000) == b""
for text in b"six", b"ten":  # a new writer, the old reader
    with open(image, "r+b", buffering=0) as writer:
        writer.write(text)
        expect(text, 4 << 20)
    expect(text, 4 << 20)
rollback("two")
expect(b"two", 5000000)
assert os.pread(fd, 4, 4999000) == b"tail"
with open(image, "r+b", buffering=0) as writer:
    writer.seek(4999000)
    writer.write(b"more")
assert os.pread(fd, 4, 4999000) == b"more"
rollback("one")
rollback("one")
expect(b"one", 4 << 20)
PY
python3 "$WORK/reader.py" "$image" "$STORE"

say "a rollback without a change of ours leaves nothing changed"
cowd branch show --json "$STORE:main" | json 'd["branch"]["changed"]' |
	grep -qx False || fail "telling the kernel the size is a change"

say "writers that come while heads move never mix two states"
cat >"$WORK/race.py" <<'PY'
import os, sys, time
image, end = sys.argv[1], time.time() + 4
count = 0
while time.time() < end:  # reads and writes one byte of a page each time
    fd = os.open(image, os.O_RDWR)
    os.pread(fd, 4096, 8192)
    os.pwrite(fd, b"w", 8192 + 4095)
    os.close(fd)
    time.sleep(0.001)
    count += 1
print(count, "opens")
PY
for state in A B; do
	head -c 4095 /dev/zero | tr '\0' $state |
		dd of="$image" bs=4095 count=1 conv=notrunc status=none \
			oflag=seek_bytes seek=8192
	cowd snapshot create -q "$STORE@$state"
done
python3 "$WORK/race.py" "$image" &
racer=$!
moves=0
while [ -d /proc/$racer ]; do
	for state in A B; do
		cowd rollback -q "$STORE@$state" 2>/dev/null || continue
		moves=$((moves + 1))
		dd if="$image" bs=1 skip=8192 count=4095 status=none |
			tr -d "$state" | grep -q . &&
			fail "a page of another state in $state"
	done
done
wait "$racer"
[ "$moves" -gt 10 ] || fail "only $moves rollbacks"
cowd umount "$M"
