#!/usr/bin/env bash
# What nobody asks in earnest is answered all the same: a store whose path is
# no UTF-8, places in a directory where no entry begins.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3
cd "$WORK"

say "a failure that names a path of other bytes"
odd=$(printf 'st\xe9re.cowd')
cowd create -q "$odd" --size 1M
cowd mount -q "$odd" m
began=$SECONDS
rc=0
cowd snapshot show "$odd@none" 2>err || rc=$?
[ "$rc" -eq 12 ] || fail "exit $rc: $(cat err)"
[ $((SECONDS - began)) -lt 30 ] || fail "it took $((SECONDS - began)) s"

say "a directory is read from any place"
cowd snapshot create -q "$odd@one"
cowd snapshot create -q "$odd@two"
python3 - m/.snapshots m <<'PY' || fail "more was read than is there"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
SYS_GETDENTS64 = {"x86_64": 217, "aarch64": 61}[os.uname().machine]
for path in sys.argv[1:]:
    whole = None
    for place in [*range(400), 1 << 40, (1 << 63) - 1]:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        os.lseek(fd, place, os.SEEK_SET)
        entries = ctypes.create_string_buffer(1 << 16)
        got = libc.syscall(SYS_GETDENTS64, fd, entries, len(entries))
        os.close(fd)
        whole = got if whole is None else whole
        if got < 0 or got > whole:
            sys.exit(f"{path}: {got} bytes from {place}, of {whole}")
PY
cowd umount m
