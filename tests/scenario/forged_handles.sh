#!/usr/bin/env bash
# A23: handles that nobody was given, places in directories that are none,
# names that are too long: ESTALE, EINVAL, ENAMETOOLONG, and nothing of another
# state or from outside. tests/fuzz/fuzz_fuse has the requests themselves.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

mkdir "$B/d"
echo "in base" >"$B/d/f"
tree_up
echo "in the store" >"$M/new"
cowd snapshot create -q "$STORE@a"
rm "$M/new"

cat >"$WORK/forge.py" <<'PY'
import ctypes, errno, os, random, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
top = sys.argv[1]
mount_fd = os.open(top, os.O_RDONLY)
seen = {b"in base\n", b"in the store\n"}

def handle_of(path):
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount_id = ctypes.c_int()
    assert libc.name_to_handle_at(-100, path.encode(), handle,
                                  ctypes.byref(mount_id), 0) == 0, path
    size, kind = struct.unpack_from("Ii", handle.raw)
    return kind, handle.raw[8:8 + size]

def open_handle(kind, data):
    handle = ctypes.create_string_buffer(
        struct.pack("Ii", len(data), kind) + data)
    fd = libc.open_by_handle_at(mount_fd, handle, os.O_RDONLY | os.O_NONBLOCK)
    return fd if fd >= 0 else -ctypes.get_errno()

kind, data = handle_of(top + "/d/f")
fd = open_handle(kind, data)
assert fd >= 0 and os.read(fd, 100) in seen, "the true one"
os.close(fd)
random.seed(1)
refused = opened = 0
for nr in range(20000):
    forged = bytearray(data)
    how = nr % 4
    if how == 0: # node: any 64 bits
        forged[:8] = random.randbytes(8)
    elif how == 1: # a slot that may be, and a small number
        forged[:8] = struct.pack("<Q", random.randrange(4) << 48 |
                                 random.randrange(40))
    elif how == 2: # the generation
        forged[8:12] = random.randbytes(4)
    else:
        forged[random.randrange(len(forged))] ^= 1 << random.randrange(8)
    fd = open_handle(kind, bytes(forged))
    if fd < 0:
        assert -fd in (errno.ESTALE, errno.EINVAL, errno.ENXIO, errno.ELOOP,
                       errno.EOPNOTSUPP, errno.EOVERFLOW), os.strerror(-fd)
        refused += 1
        continue
    opened += 1
    where = os.readlink(f"/proc/self/fd/{fd}")
    assert where.startswith(top), where
    if not os.path.isdir(f"/proc/self/fd/{fd}"):
        assert os.read(fd, 100) in seen, where
    os.close(fd)
assert refused > 10000, (refused, opened)
print(f"{refused} refused, {opened} led to what is there")

for offset in (1 << 31, 1 << 62, (1 << 63) - 1):
    directory = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.lseek(directory, offset, os.SEEK_SET)
        buffer = ctypes.create_string_buffer(4096)
        n = libc.syscall(217, directory, buffer, 4096) # getdents64
        assert n >= 0 or ctypes.get_errno() in (errno.EINVAL, errno.ENOENT)
    except OSError as error:
        assert error.errno in (errno.EINVAL, errno.EOVERFLOW), error
    os.close(directory)
for name in ("x" * 256, "x" * 4000):
    try:
        open(f"{top}/{name}", "w")
        raise SystemExit("a name of that length was taken")
    except OSError as error:
        assert error.errno == errno.ENAMETOOLONG, error
PY
for _ in mounted again; do
	timeout 100 python3 "$WORK/forge.py" "$M" || fail "see above"
	[ "$(cat "$M/d/f")" = "in base" ] || fail "the daemon is gone"
	remount
done
tree_down
