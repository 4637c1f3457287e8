#!/usr/bin/env bash
# Rows 003-1, 003-4 and 003-5 of docs/older-systems.md: what deadfs, specfs and
# fifofs did.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory is not revoked"

mkfifo "$B/pipe"
ln "$B/pipe" "$B/pipe2"
mknod "$B/zero" c 1 5
echo base >"$B/file"
echo base >"$B/other"
tree_up
mkfifo "$M/new-pipe"
ln "$M/new-pipe" "$M/new-pipe2"
mknod "$M/new-zero" c 1 5
ln "$M/new-zero" "$M/new-zero2"

say "003-4, A6: devices keep their numbers, by all their names"
for name in zero new-zero new-zero2; do
	[ "$(stat -c '%F %t:%T' "$M/$name")" = "character special file 1:5" ] ||
		fail "$(stat "$M/$name")"
	head -c 1M "$M/$name" | cmp -s - <(head -c 1M /dev/zero) ||
		fail "$name is not /dev/zero"
done
if truncate -s 1M "$WORK/disk" && loop=$(losetup -f --show "$WORK/disk"); then
	on_exit "losetup -d $loop"
	major=$(($(stat -c '0x%t' "$loop"))) minor=$(($(stat -c '0x%T' "$loop")))
	mknod "$M/disk1" b "$major" "$minor"
	mknod "$M/disk2" b "$major" "$minor"
	printf alias | dd of="$M/disk1" conv=notrunc status=none
	[ "$(dd if="$M/disk2" bs=5 count=1 status=none)" = alias ] ||
		fail "two names, two devices"
fi
before=$(disk_kib "$STORE")
head -c 16M /dev/zero >"$M/new-zero" # goes nowhere
sync -f "$M"
[ $(($(disk_kib "$STORE") - before)) -le 64 ] || fail "it is in the store"

say "003-5: a pipe between two processes, by either name"
through() { # NAME OTHER-NAME
	(echo through >"$M/$1") &
	[ "$(timeout 10 cat "$M/$2")" = through ] || fail "$*"
	wait
}
through pipe pipe2
through new-pipe2 new-pipe
python3 - "$M/sock" <<'PY'
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.send(b"hello")
assert server.accept()[0].recv(5) == b"hello"
PY

say "003-5: what is in it is in no snapshot"
exec 7<>"$M/pipe"
echo inside >&7
cowd snapshot create -q "$STORE@s1"
S=$M/.snapshots/s1
[ "$(stat -c '%F %h' "$S/pipe")" = "fifo 2" ] || fail "$(stat "$S/pipe")"
timeout 1 dd if="$S/pipe" bs=1 count=1 iflag=nonblock status=none \
	>"$WORK/out" 2>&1 || true
! grep -q inside "$WORK/out" || fail "the snapshot's pipe is full"
line=$(timeout 5 head -n 1 <&7)
[ "$line" = inside ] || fail "the pipe is empty"
exec 7>&-

say "003-1: revoked"
cat >"$WORK/revoked.py" <<'PY'
import errno, mmap, os, signal, subprocess, sys
mount, cowd, other = sys.argv[1:]
os.chdir(mount)
fd = os.open("file", os.O_RDWR)
device = os.open("zero", os.O_RDONLY)
elsewhere = os.open(other, os.O_RDWR)
mapped = mmap.mmap(fd, 5, mmap.MAP_SHARED, mmap.PROT_READ)
subprocess.run([cowd, "revoke", "-q", mount], check=True)
for call in (lambda: os.pread(fd, 1, 0), lambda: os.pwrite(fd, b"x", 0)):
    try:
        call()
    except OSError as error:
        assert error.errno in (errno.EIO, errno.ESTALE), error
    else:
        raise AssertionError("it works still")
os.fsync(fd)
os.close(fd)
if os.fork() == 0:
    mapped[0]  # SIGBUS
    os._exit(0)
status = os.wait()[1]
assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGBUS, status
assert os.read(device, 4) == bytes(4)  # the kernel's own: as on any fs
os.pwrite(elsewhere, b"fine", 0)
assert open("file").read() == "base\n"
PY
cowd clone -q "$STORE" two
mkdir "$WORK/m2"
cowd mount -q -o "$TREE_OPTIONS" "$STORE:two" "$WORK/m2"
python3 "$WORK/revoked.py" "$M" "$COWD" "$WORK/m2/other"
[ "$(cat "$WORK/m2/other")" = fine ] || fail "another mount is not affected"

say "003-1: the daemon is stopped by force"
cat >"$WORK/dead.py" <<'PY'
import os, sys
mount, pid = sys.argv[1:]
fd = os.open(mount + "/other", os.O_RDWR)
os.kill(int(pid), 9)
for call in (lambda: os.pread(fd, 1, 0), lambda: os.open(mount + "/file", 0)):
    try:
        call()
    except OSError:
        continue
    raise AssertionError("it works still")
os.close(fd)
PY
pid=$(daemon_pid "$STORE")
python3 "$WORK/dead.py" "$M" "$pid"
wait_gone "$pid" 10
umount -l "$M" "$WORK/m2"
