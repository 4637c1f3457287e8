#!/usr/bin/env bash
# D20: a mapping of a base file that was made before its first write shows what
# is written by others; mtime follows; after a rollback nobody sees old pages.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

for i in {1..20}; do make_base 40000 "$B/f$i"; done
tree_up
cat >"$WORK/maps.py" <<'PY'
import mmap, os, sys, time
os.chdir(sys.argv[1])
for i in range(1, 21):
    name = f"f{i}"
    reader = os.open(name, os.O_RDONLY)
    shared = mmap.mmap(reader, 40000, prot=mmap.PROT_READ)
    early = bytes(shared[:40000]) if i % 2 else None
    before = os.fstat(reader).st_mtime_ns
    time.sleep(0.02)
    writer = os.open(name, os.O_RDWR | (os.O_SYNC if i % 3 == 0 else 0))
    os.pwrite(writer, b"first write", 8190)
    assert shared[8190:8201] == b"first write", (name, "not seen")
    if early:
        assert shared[:8190] == early[:8190], (name, "the rest")
        assert shared[8201:] == early[8201:], (name, "the rest")
    mapped = mmap.mmap(writer, 40000)
    assert mapped[8190:8201] == b"first write"
    mapped[100:106] = b"mapped"
    mapped.flush()
    assert os.pread(reader, 6, 100) == b"mapped", name
    assert shared[100:106] == b"mapped", name
    assert os.fstat(reader).st_mtime_ns > before, (name, "mtime")
    os.ftruncate(writer, 9000)
    os.ftruncate(writer, 40000)
    assert not any(shared[9000:]), (name, "after truncate")
    again = os.open(name, os.O_RDONLY)
    assert os.pread(again, 11, 8190) == b"first write", (name, "opened again")
PY
python3 "$WORK/maps.py" "$M"
sha256sum "$M"/f* >"$WORK/sums"
remount
sha256sum -c --quiet "$WORK/sums" || fail "mounted again"

say "rolled back while it is mapped"
[ -z "${TREE_PLAIN:-}" ] || exit 0
cowd snapshot create -q "$STORE@s1"
cat >"$WORK/rolled.py" <<'PY'
import hashlib, mmap, os, signal, subprocess, sys
mount, store, cowd, sums = sys.argv[1:]
os.chdir(mount)
want = {os.path.basename(line.split()[1]): line.split()[0]
        for line in open(sums)}
for i in range(1, 21):
    fd = os.open(f"f{i}", os.O_RDWR)
    os.pwrite(fd, os.urandom(5000), i * 1000)
pid = os.fork()
if pid == 0:  # keeps mappings, and writes to them afterwards
    maps = [mmap.mmap(os.open(f"f{i}", os.O_RDWR), 40000)
            for i in range(1, 21)]
    for one in maps:
        one[0:4] = b"MINE"
    os.kill(os.getpid(), signal.SIGSTOP)
    for one in maps:
        one[4:8] = b"LATE"  # may well be a SIGBUS
        one.flush()
    os._exit(0)
os.waitpid(pid, os.WUNTRACED)
os.closerange(3, 100)
subprocess.run([cowd, "rollback", "-q", "--live", f"{store}@s1"], check=True)

def check(when):
    for name, sha in want.items():
        with open(name, "rb") as file:
            data = file.read()
            view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            assert view[:] == data, (when, name, "mapping and read differ")
        assert hashlib.sha256(data).hexdigest() == sha, (when, name)

check("right after the rollback")
os.kill(pid, signal.SIGCONT)
os.waitpid(pid, 0)
check("after writes to old mappings")
PY
python3 "$WORK/rolled.py" "$M" "$STORE" "$COWD" "$WORK/sums"
remount
sha256sum -c --quiet "$WORK/sums" || fail "rolled back, and mounted again"
tree_down
