#!/usr/bin/env bash
# Row 004 of docs/older-systems.md: each request of bazil.org/fuse, by the
# operations of tree_places that are made of it, in base, delta, both and a
# snapshot; and what has no operation of its own.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_program tree_places
need python3
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory has no requests"

"$TREE_TESTS/tree_places" base "$B"
tree_up
"$TREE_TESTS/tree_places" delta "$M"
cowd snapshot create -q "$STORE@s1"

# request NAME OPERATION...: right in all six places.
request() {
	local name=$1 operation
	shift
	for operation in "$@"; do
		"$TREE_TESTS/tree_places" run "$M" "$M/.snapshots/s1" \
			"$operation" >"$WORK/out" || fail "$name: $(cat "$WORK/out")"
		[ "$(grep -c '^ok:' "$WORK/out")" -eq 6 ] ||
			fail "$name: no operation '$operation'"
	done
}

say "each request"
request Access "access" "access W_OK" "access of another user"
request Create "create" "create what is there" "create O_EXCL" \
	"create with mode 0" "create by another user" "create O_TMPFILE"
request ExchangeData "rename EXCHANGE" "rename EXCHANGE with nothing"
request Fsync "fsync" "fsync of a directory" "sync"
request Getattr "fstat" "statx" "unlink while open"
request Getxattr "getxattr"
request Link "link" "link over what is there" "link of a directory" \
	"link of other kinds" "write to one of two links"
request Listxattr "listxattr"
request Lookup "look up" "look up what is missing" "look up beneath a file" \
	"look up a long name" "open by handle"
request Mkdir "mkdir" "mkdir of what is there"
request Mknod "mknod" "mknod of a device by another user"
request Open "open O_RDONLY" "open O_WRONLY" "open O_RDWR" "open O_APPEND" \
	"open O_TRUNC" "open O_SYNC" "open O_DIRECTORY" "open O_DIRECT" \
	"open O_RDWR of a directory" "open by another user"
request Read "readdir" "readdir and seek" "read a directory as a file" \
	"mmap for reading" "sendfile" "seek data and holes"
request Readlink "readlink"
request Remove "unlink" "unlink what is missing" "unlink of a directory" \
	"rmdir" "rmdir of a full one" "rmdir with only whiteouts inside" \
	"rmdir of a file" "rmdir while open"
request Removexattr "removexattr" "removexattr of what is missing"
request Rename "rename" "rename over a file" "rename a directory" \
	"rename a directory over an empty one" \
	"rename a directory over a full one" "rename NOREPLACE"
request Setattr "chmod" "fchmod" "chown" "utimens" "utimens now and omit" \
	"truncate down and up" "ftruncate up" "truncate to nothing" \
	"ctime and mtime"
request Setxattr "setxattr" "setxattr CREATE" "setxattr REPLACE" "ACL"
request Statfs "statfs"
request Symlink "symlink" "symlink over what is there"
request Write "write a byte" "write beyond the end" "write by many handles" \
	"write O_DIRECT" "append by two handles" "fallocate" "punch a hole"
request Locks "locks"

say "Init: each flag is used or left on purpose"
cowd caps --json "$M" >"$WORK/caps"
[ "$(json 'len(d["caps"]), all(c["why"] for c in d["caps"])' <"$WORK/caps")" = \
	"23 True" ] || fail "$(cat "$WORK/caps")"
for cap in writeback_cache posix_acl atomic_o_trunc readdirplus; do
	cowd caps -H -o NAME,USED "$M" | grep -qP "^$cap\tyes" ||
		fail "$(cowd caps "$M")"
done
cowd caps -H -o NAME,USED "$M" | grep -qP '^splice_read\tno' || fail "splice"
[ -z "$(json '[c for c in d["caps"] if c["used"] and not c["offered"]] or ""' \
	<"$WORK/caps")" ] || fail "used, and not offered"
refused 12 'not mounted' cowd caps "$STORE:other"

say "Flush and Release: many handles, duplicated; errors reach fsync and close"
cat >"$WORK/requests.py" <<'PY'
import errno, fcntl, os, signal, stat, subprocess, sys, threading, time
mount, part = sys.argv[1:3]
os.chdir(mount)

def flush():
    fd = os.open("flushed", os.O_RDWR | os.O_CREAT)
    copies = [os.dup(fd) for _ in range(50)]
    for i, copy in enumerate(copies):
        os.pwrite(copy, b"%03d" % i, 3 * i)
        os.close(copy)
    assert os.pread(fd, 150, 0) == b"".join(b"%03d" % i for i in range(50))
    os.close(fd)

def interrupt():
    """A wait for a lock ends with EINTR."""
    class Alarm(Exception):
        pass
    def on_alarm(*_):
        raise Alarm
    fd = os.open("locked", os.O_RDWR | os.O_CREAT)
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, os, sys, time; "
         "fcntl.lockf(os.open('locked', os.O_RDWR), fcntl.LOCK_EX); "
         "print('held', flush=True); time.sleep(30)"],
        stdout=subprocess.PIPE)
    holder.stdout.readline()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(1)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX)
    except Alarm:
        pass
    else:
        raise AssertionError("the lock was free")
    finally:
        holder.kill()
        holder.wait()

def kinds():
    """Dirent types of all kinds, and Attr's fields."""
    os.mkdir("kinds")
    os.mkdir("kinds/dir")
    open("kinds/file", "w").write("12345")
    os.symlink("x", "kinds/link")
    os.mkfifo("kinds/fifo")
    os.mknod("kinds/char", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod("kinds/block", stat.S_IFBLK | 0o600, os.makedev(7, 200))
    os.mknod("kinds/socket", stat.S_IFSOCK | 0o600)
    for entry in os.scandir("kinds"):
        st = entry.stat(follow_symlinks=False)
        assert entry.inode() == st.st_ino
        assert entry.is_dir(follow_symlinks=False) == stat.S_ISDIR(st.st_mode)
        assert entry.is_symlink() == stat.S_ISLNK(st.st_mode)
        assert st.st_blksize == 4096
    assert os.stat("kinds/block").st_rdev == os.makedev(7, 200)
    os.sync()
    assert os.stat("kinds/file").st_blocks == 8

def reuse():
    """No number is ever given twice, so no generation is needed."""
    seen = set()
    for i in range(200):
        open("reused", "w").close()
        inode = os.stat("reused").st_ino
        assert inode not in seen
        seen.add(inode)
        os.unlink("reused")

def parallel():
    """Requests wait for nobody's: 8 threads, files and directories."""
    def work(i):
        os.mkdir(f"p{i}")
        for j in range(100):
            name = f"p{i}/{j}"
            with open(name, "w") as file:
                file.write(name)
            assert open(name).read() == name
            os.unlink(name)
        os.rmdir(f"p{i}")
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

locals()[part]()
PY
for part in flush interrupt kinds reuse parallel; do
	timeout 60 python3 "$WORK/requests.py" "$M" $part || fail "$part"
done

say "Forget: memory after 200,000 look-ups is as before"
rss() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$(daemon_pid "$STORE")/status"; }
mkdir "$M/many"
(cd "$M/many" && seq 2000 | xargs touch)
look() {
	for _ in $(seq "$1"); do
		find "$M/many" -size +1k
		echo 2 >/proc/sys/vm/drop_caches
	done
}
look 20
before=$(rss)
look 80
[ $(($(rss) - before)) -lt 8192 ] || fail "$before KiB, then $(rss)"
[ "$(cowd lsof --json "$M" | json 'len(d["handles"])')" -eq 0 ] ||
	fail "handles are left open: $(cowd lsof "$M")"

say "Destroy: what was written is there after unmounting"
for i in $(seq 50); do echo "$i" >"$M/last$i"; done
tree_down
tree_mount
[ "$(cat "$M"/last* | sort -n | tail -n 1)" = 50 ] || fail "lost"
tree_down

say "MountpointDoesNotExist"
refused 1 'does not exist|No such file' cowd mount "$STORE" "$WORK/nowhere"
