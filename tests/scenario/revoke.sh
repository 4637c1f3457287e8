#!/usr/bin/env bash
# Row 003-1: cowd revoke. What is open, on an image or in a tree, answers with
# errors; close and fsync succeed; what was written stays, what is opened anew
# works.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need python3

cat >"$WORK/open.py" <<'PY'
import errno, mmap, os, sys
path, ready, go = sys.argv[1:]
fd = os.open(path, os.O_RDWR)
os.pwrite(fd, b"KEPT", 0)
reader = os.open(path, os.O_RDONLY)
open(ready, "w").close()
with open(go) as pipe:
    pipe.read()

def fails(call):
    try:
        call()
    except OSError as error:
        assert error.errno in (errno.EIO, errno.ESTALE), error
    else:
        raise AssertionError("it works still")

fails(lambda: os.pread(reader, 4, 0))
os.fsync(fd)
os.close(reader)
os.close(os.dup(fd))
fails(lambda: os.pwrite(fd, b"LATE", 0) and os.fsync(fd))
PY

try() { # FILE: of the store that is mounted at M
	rm -f "$WORK/ready" "$WORK/go"
	mkfifo "$WORK/go"
	python3 "$WORK/open.py" "$M/$1" "$WORK/ready" "$WORK/go" &
	local pid=$!
	until_true 10 test -e "$WORK/ready"
	[ "$(cowd revoke -n --json "$M" | json 'd["mounts"][0]["handles"]')" \
		-eq 2 ] || fail "not two handles"
	cowd revoke "$M" | grep -q "2 handles revoked" || fail "revoke"
	echo >"$WORK/go"
	wait $pid || fail "$1: exit $?"
	[ "$(head -c 4 "$M/$1")" = KEPT ] || fail "$(head -c 4 "$M/$1")"
	put anew 0 "$M/$1"
	cowd umount "$M"
	cowd mount -q "$STORE" "$M"
	[ "$(head -c 4 "$M/$1")" = anew ] || fail "$(head -c 4 "$M/$1")"
	cowd umount "$M"
}

say "an image"
make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
try base.img

say "a tree"
mkdir -p "$WORK/tree/dir"
make_base 100000 "$WORK/tree/dir/file"
STORE=$WORK/t.cowd
cowd create -q "$STORE" --base "$WORK/tree"
cowd mount -q "$STORE" "$M"
try dir/file

say "what is not mounted"
refused 12 "not mounted" cowd revoke "$STORE"
