#!/usr/bin/env bash
# A24: a user who asks for more than there is gets errors, and the daemon keeps
# its memory, its descriptors and its answers for the others.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_loop
need mke2fs setpriv python3

truncate -s 160M "$WORK/host.img"
mke2fs -q -F -t ext4 -m 0 "$WORK/host.img"
mkdir "$WORK/host"
mount -o loop "$WORK/host.img" "$WORK/host"
STORE=$WORK/host/s.cowd
cowd create -q "$STORE" --base "$B"
cowd config set -q "$STORE" reserve=16MiB compress=off cache=8MiB
on_exit "umount $WORK/host"
on_exit "umount $M"
tree_mount
chmod 777 "$M"
echo "root's" >"$M/roots"
cowd snapshot create -q "$STORE@before"
pid=$(daemon_pid "$STORE")
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
before=$(rss)

cat >"$WORK/greedy.py" <<'PY'
import errno, os, sys
os.chdir(sys.argv[1])

def until(what, allowed, call, most):
    for nr in range(most):
        try:
            call(nr)
        except OSError as error:
            assert error.errno in allowed, (what, error)
            print(f"{what}: {nr}, then {os.strerror(error.errno)}")
            return
    print(f"{what}: {most}")

fd = os.open("big", os.O_RDWR | os.O_CREAT, 0o600)
for size in ((1 << 63) - 1, 1 << 62, (1 << 62) + 1):
    try:
        os.ftruncate(fd, size)
        os.pwrite(fd, b"x", size - 1)
        os.fsync(fd)
    except OSError as error:
        assert error.errno in (errno.EFBIG, errno.EINVAL), error
os.ftruncate(fd, 0)
until("xattrs", (errno.ENOSPC, errno.E2BIG),
      lambda nr: os.setxattr("big", f"user.{nr}", b"v" * 1000), 3000)
os.mkdir("files")
until("files", (errno.ENOSPC,),
      lambda nr: os.close(os.open(f"files/{nr}", os.O_CREAT, 0o600)), 15000)
held = []
until("descriptors", (errno.EMFILE, errno.ENFILE),
      lambda nr: held.append(os.open("roots", os.O_RDONLY)), 100000)
for one in held:
    os.close(one)
until("bytes", (errno.ENOSPC,),
      lambda nr: (os.pwrite(fd, os.urandom(1 << 20), nr << 20),
                  os.fsync(fd)), 1000)
os._exit(0)
PY
timeout 200 env PATH=/usr/bin:/bin setpriv --reuid 65534 --regid 65534 \
	--clear-groups python3 - "$M" <"$WORK/greedy.py" ||
	fail "see above"
[ $(($(rss) - before)) -lt 131072 ] || fail "from $before to $(rss) KiB"
[ "$(ls "/proc/$pid/fd" | wc -l)" -lt 400 ] || fail "it holds too many files"

say "full: root looks, removes, deletes, rolls back, and goes on"
[ "$(cat "$M/roots")" = "root's" ] || fail "it can't be read"
rc=0
cowd status "$STORE" >"$WORK/out" || rc=$?
[ $rc -lt 100 ] && grep -q "$STORE" "$WORK/out" || fail "status: $rc"
rm "$M/big" || fail "it can't be removed"
# Pages that could not be written are told once, to who asks first.
cowd rollback -q --live "$STORE@before" 2>/dev/null ||
	cowd rollback -q --live "$STORE@before" || fail "no way back"
cowd gc -q "$STORE" --older-than 0 2>/dev/null || cowd gc -q "$STORE" ||
	fail "gc: $?"
goes_on() { head -c 1M /dev/urandom >"$M/new" && sync "$M/new"; }
until_true 30 goes_on
[ "$(cat "$M/roots")" = "root's" ] || fail "the state before is another"
tree_down
