#!/usr/bin/env bash
# Mount options of directory trees: rows 001-2 to 001-4 (suid, dev, exec,
# sync, permissions), 001-11 (direct_io), 001-16 (hard_remove), 001-20 and
# 001-21 (use_ino, readdir_ino), 001-23 (umask), 001-28 (negative_timeout),
# 001-32 (subdir).
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3 setpriv

mkdir -p "$B/sub/deep"
printf '#!/bin/sh\nid -u\n' >"$B/whoami.sh"
cp "$(command -v id)" "$B/id"
chmod 4755 "$B/id"
echo text >"$B/sub/file"
mknod -m 666 "$B/null" c 1 3
chmod 711 "$B"
cowd create -q "$STORE" --base "$B"
up() { cowd mount -q -o "$1" "$STORE" "$M" 2>"$WORK/err"; }
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
count() { grep -c "opcode: $1 " "$STORE/daemon.log" || true; }

say "001-2: setuid and devices have no effect, unless root asks for it"
up allow_other
[ "$(nobody "$M/id" -u)" = 65534 ] || fail "setuid works"
refused 1 "permission denied" cat "$M/null"
tree_down
up allow_other,suid,dev
[ "$(nobody "$M/id" -u)" = 0 ] || fail "setuid does not work"
cat "$M/null" || fail "the device does not work"

say "001-4, 001-5: others meet the modes"
chmod 600 "$M/sub/file"
refused 1 "permission denied" setpriv --reuid 65534 --clear-groups \
	cat "$M/sub/file"
tree_down

say "001-23 to 001-25: all look alike"
up umask=027,uid=12,gid=34
[ "$(stat -c '%a %u %g' "$M/sub/file")" = "750 12 34" ] ||
	fail "$(stat -c '%a %u %g' "$M/sub/file")"
[ "$(stat -c '%a %u %g' "$M")" = "750 12 34" ] || fail "the root"
tree_down

say "001-11: direct_io, and 001-3: sync"
for options in debug,direct_io debug,direct_io,sync; do
	up $options
	: >"$STORE/daemon.log"
	touch -d 2001-01-01 "$M/sub/file"
	dd if=/dev/zero of="$M/sub/file" bs=10 count=5 status=none
	[ "$(count WRITE)" -eq 5 ] || fail "$options: $(count WRITE) writes"
	[ "$(stat -c %Y "$M/sub/file")" -gt 1700000000 ] || fail "mtime"
	tree_down
done

say "001-16: an open file that is removed goes on, and has no other name"
for options in hard_remove rw; do
	up $options
	python3 - "$M" <<'PY'
import os, sys
os.chdir(sys.argv[1])
fd = os.open("gone", os.O_RDWR | os.O_CREAT)
os.write(fd, b"data")
os.unlink("gone")
assert not [name for name in os.listdir(".") if "hidden" in name]
os.fsync(fd)
os.ftruncate(fd, 2)
os.fchmod(fd, 0o600)
os.fchown(fd, 1, 2)
os.setxattr(fd, "user.a", b"b")
assert os.getxattr(fd, "user.a") == b"b"
st = os.fstat(fd)
assert (st.st_size, st.st_nlink, st.st_uid, st.st_gid) == (2, 0, 1, 2), st
assert os.pread(fd, 9, 0) == b"da"
PY
	tree_down
done

say "001-20, 001-21: st_ino is d_ino"
up use_ino,readdir_ino
python3 - "$M" <<'PY'
import os, sys
for path, _, _ in os.walk(sys.argv[1]):
    for entry in os.scandir(path):
        assert entry.inode() == entry.stat(follow_symlinks=False).st_ino
PY
tree_down

say "001-28: absence is remembered, or is not"
for try in "rw 0" "negative_timeout=0 3"; do
	up "debug,${try% *}"
	stat "$M/none" 2>/dev/null || true
	: >"$STORE/daemon.log"
	for i in 1 2 3; do stat "$M/none" 2>/dev/null || true; done
	[ "$(count LOOKUP)" -eq "${try#* }" ] || fail "$try: $(count LOOKUP)"
	tree_down
done

say "001-32: a part of the tree"
up modules=subdir,subdir=sub,rellinks
[ "$(grep -c warning "$WORK/err")" -eq 1 ] || fail "$(cat "$WORK/err")"
[ "$(ls "$M")" = "deep
file" ] || fail "$(ls "$M")"
tree_down
refused 1 "no such file" cowd mount -o subdir=none "$STORE" "$M"
