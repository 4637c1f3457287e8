#!/usr/bin/env bash
# Each call on the image does what it does on a plain file, or says why not.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need python3

make_base $((4 << 20))
chmod 640 "$BASE"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
image=$(image "$M")

cat >"$WORK/calls.py" <<'PY'
import ctypes, errno, os, sys
image, plain = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
KEEP, PUNCH, COLLAPSE, ZERO, INSERT = 1, 2, 8, 16, 32
MIB = 1 << 20
calls = [  # mode, offset, length
    (0, 3 * MIB, 2 * MIB), (KEEP, 5 * MIB, MIB), (0, 0, 4096),
    (PUNCH | KEEP, 100, 10000), (PUNCH | KEEP, 4 * MIB, 8 * MIB),
    (ZERO, 5 * MIB - 10, 5000), (ZERO | KEEP, 5 * MIB - 10, MIB),
    (ZERO, 70000, 1), (PUNCH, 0, 4096), (0, -1, 1), (0, 0, 0),
]

def on(path):
    fd, results = os.open(path, os.O_RDWR), []
    os.pwrite(fd, b"dirty" * 2000, 5 * MIB - 20000)
    for mode, at, count in calls:
        rc = libc.fallocate(fd, mode, ctypes.c_long(at), ctypes.c_long(count))
        results.append((rc and ctypes.get_errno(), os.fstat(fd).st_size))
    os.fsync(fd)
    os.close(fd)
    return results

assert on(image) == on(plain), (on(image), on(plain))
fd = os.open(image, os.O_RDWR)
for mode in COLLAPSE, INSERT, 64:
    assert libc.fallocate(fd, mode, ctypes.c_long(0), ctypes.c_long(4096)) < 0
    assert ctypes.get_errno() == errno.EOPNOTSUPP, ctypes.get_errno()

os.chmod(image, 0o604)
os.chown(image, 12, 34)
os.utime(image, ns=(10**18 + 1, 10**18 + 2))
for call in (lambda: os.setxattr(image, "user.a", b"b"),
             lambda: os.getxattr(image, "user.a"), lambda: os.listxattr(image)):
    try:
        assert call() == []
    except OSError as error:
        assert error.errno == errno.EOPNOTSUPP, error
st = os.statvfs(image)
assert st.f_bavail and st.f_blocks > st.f_bavail and st.f_namemax == 255
PY
cp "$BASE" "$WORK/plain"
chmod 600 "$image"
python3 "$WORK/calls.py" "$image" "$WORK/plain"
same "$image" "$WORK/plain"

say "owner, mode and times stay"
what() { stat -c '%a %u %g %.9X %.9Y' "$1"; }
expected='604 12 34 1000000000.000000001 1000000000.000000002'
[ "$(what "$image")" = "$expected" ] || fail "$(what "$image")"
cowd umount "$M"
cowd mount -q "$STORE" "$M"
[ "$(what "$image")" = "$expected" ] || fail "later: $(what "$image")"

say "every descriptor of the daemon is closed on exec"
pid=$(daemon_pid "$STORE")
for fd in /proc/"$pid"/fdinfo/*; do
	[ "${fd##*/}" -gt 2 ] || continue
	flags=$(awk '/^flags/ { print $2 }' "$fd")
	[ $((flags & 02000000)) -ne 0 ] ||
		fail "$(readlink "/proc/$pid/fd/${fd##*/}") is inherited"
done
cowd umount "$M"
