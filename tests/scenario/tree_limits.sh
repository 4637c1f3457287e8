#!/usr/bin/env bash
# Much of everything: entries in a directory, hard links, depth, long and odd
# names, loops; in the base and made in the mount.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

cat >"$WORK/much.py" <<'PY'
import errno, os, sys
os.chdir(sys.argv[1])
kind = sys.argv[2]
entries, links = int(sys.argv[3]), int(sys.argv[4])
top = os.open(".", os.O_RDONLY)
odd = [b"\xff\xfe\x80", b"new\nline", b"tab\t", b" ", b"-rf", b"*", b"~",
       b"\x1b[31mred", "ä€😀".encode(), b"a" * 255, b"\x01", b".a", b"..."]

def make():
    os.mkdir("entries")
    for i in range(entries):
        os.close(os.open(f"entries/{i}", os.O_CREAT | os.O_WRONLY, 0o644))
    os.mkdir("links")
    open("links/0", "w").write("linked")
    for i in range(1, links):
        os.link("links/0", f"links/{i}")
    os.mkdir("odd")
    for name in odd:
        open(b"odd/" + name, "w").write("odd")
    os.symlink("loop2", "loop1")
    os.symlink("loop1", "loop2")
    os.mkdir("deep")
    os.chdir("deep")
    for i in range(600):
        os.mkdir("d")
        os.chdir("d")
    open("bottom", "w").write("bottom")
    os.fchdir(top)

def check():
    names = os.listdir("entries")
    assert len(names) == entries and len(set(names)) == entries
    for i in (0, entries // 2, entries - 1):
        assert os.stat(f"entries/{i}").st_size == 0
    assert os.stat("links/0").st_nlink == links == len(os.listdir("links"))
    assert len({os.stat(f"links/{i}").st_ino for i in range(links)}) == 1
    assert sorted(os.listdir(b"odd")) == sorted(odd)
    for name in odd:
        assert open(b"odd/" + name).read() == "odd"
    try:
        os.stat("loop1")
        raise AssertionError("no loop")
    except OSError as error:
        assert error.errno == errno.ELOOP, error
    os.chdir("deep")
    for i in range(600):
        os.chdir("d")
    assert open("bottom").read() == "bottom"
    assert len(os.getcwd()) > 1200
    os.fchdir(top)
    try:
        open("odd/" + "x" * 256, "w")
        raise AssertionError("a name of 256 bytes")
    except OSError as error:
        assert error.errno == errno.ENAMETOOLONG, error
    try:
        os.stat("odd/" + "./" * 2100)
        raise AssertionError("a path of more than PATH_MAX")
    except OSError as error:
        assert error.errno == errno.ENAMETOOLONG, error

def change():
    open("links/1", "a").write("!")
    assert open(f"links/{links - 1}").read() == "linked!"
    os.unlink("links/0")
    assert os.stat("links/1").st_nlink == links - 1
    os.link("links/1", "links/0")
    open("links/1", "w").write("linked")
    for name in odd:
        os.rename(b"odd/" + name, b"odd/moved")
        os.rename(b"odd/moved", b"odd/" + name)
    for i in range(0, entries, 7):
        os.unlink(f"entries/{i}")
    assert len(os.listdir("entries")) == entries - len(range(0, entries, 7))
    for i in range(0, entries, 7):
        os.mkdir(f"entries/{i}")
        os.rmdir(f"entries/{i}")
        os.mknod(f"entries/{i}")

{"make": make, "check": check, "change": change}[kind]()
PY
much() { python3 "$WORK/much.py" "$1" "$2" "${ENTRIES:-10000}" "${LINKS:-3000}"; }
much "$B" make
tree_up
say "of the base"
much "$M" check
much "$M" change
much "$M" check
say "made here"
mkdir "$M/new"
much "$M/new" make
much "$M/new" check
much "$M/new" change
much "$M/new" check
say "mounted again"
remount
much "$M" check
much "$M/new" check
say "room that is not there"
if [ -z "${TREE_PLAIN:-}" ]; then # ext4 would take all it has first
	! fallocate -l 8T "$M/large" 2>"$WORK/err" || fail "8 TiB fit"
	grep -q 'No space left' "$WORK/err" || fail "$(cat "$WORK/err")"
	[ "$(stat -c %s "$M/large")" -eq 0 ] || fail "it grew"
fi
say "removed"
rm -rf "${M:?}"/*
[ -z "$(ls -A "$M")" ] || fail "not empty"
remount
[ -z "$(ls -A "$M")" ] || fail "not empty after mounting again"
tree_down
