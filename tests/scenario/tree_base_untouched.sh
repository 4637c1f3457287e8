#!/usr/bin/env bash
# D2: whatever is done in a mount, no inode of the base changes, not even its
# ctime, and the daemon has nothing of it open for writing.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3 setfattr

some_tree "$B"
mkdir "$WORK/outside"
echo "out of reach" >"$WORK/outside/file"
ln -s "$WORK/outside/file" "$B/out"
ln -s "$WORK/outside" "$B/out-dir"
for i in {1..60}; do echo "int f$i(void) { return $i; }" >"$B/sub/f$i.c"; done
ln "$B/sub/f1.c" "$B/f1-too.c"
all() { # with the times that nobody can set
	tree_listing "$1"
	find "$1" -printf '%p %i %C@ %b\n' | LC_ALL=C sort
}
all "$B" >"$WORK/base.before"
tree_up

writing_fds() { # of the daemon, in the base
	local pid fd flags
	pid=$(daemon_pid "$STORE")
	for fd in /proc/"${pid:-none}"/fd/*; do
		case $(readlink "$fd") in
		"$B"*)
			flags=$(awk '$1 == "flags:" { print $2 }' \
				"${fd/\/fd\//\/fdinfo\/}" 2>/dev/null)
			[ $((${flags:-0} & 3)) -eq 0 ] || readlink "$fd"
			;;
		esac
	done
}

say "opened in every way"
python3 - "$M" <<'PY'
import os, sys
os.chdir(sys.argv[1])
for flags in (os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_TRUNC,
              os.O_WRONLY | os.O_DIRECT, os.O_RDWR | os.O_SYNC,
              os.O_RDWR | os.O_CREAT):
    for name in ("numbers", "sub/random", "sub/hole", "sub/f1.c", "f1-too.c"):
        fd = os.open(name, flags)
        if not flags & os.O_DIRECT:
            os.write(fd, b"written")
        os.fsync(fd)
        os.close(fd)
PY
[ -z "$(writing_fds)" ] || fail "open for writing: $(writing_fds)"

say "what programs do"
cd "$M"
sed -i 's/return/return 1 +/' sub/f*.c
patch -p0 -s <<'PATCH' || true
--- sub/f2.c
+++ sub/f2.c
@@ -1 +1,2 @@
-int f2(void) { return 1 + 2; }
+int f2(void) { return 3; }
+int f2too;
PATCH
for i in {10..40}; do
	cp "sub/f$i.c" "sub/f$i.o"
	install -m 755 "sub/f$i.o" "f$i"
	mv "sub/f$i.c" "empty/g$i.c"
done
cat sub/*.o >>numbers
tar cf "$WORK/sub.tar" sub
(cd empty && tar xf "$WORK/sub.tar")
tar xf "$WORK/sub.tar" --overwrite
chmod -R go-w . || true
chown -R 77:88 sub
chown -h 5:6 out out-dir dangling
touch -h -d 2011-11-11 -- * sub/*
setfattr -n user.note -v changed numbers sub/random
setfattr -x user.note numbers
ln numbers another
ln -f sub/f3.c sub/f4.c
mv sub/deep sub/deeper
rm -r many fifo socket
truncate -s 12345 sub/random
fallocate -p -o 0 -l 4096 sub/hole
echo x >fifo
mkdir many
cd /
[ -z "$(writing_fds)" ] || fail "open for writing: $(writing_fds)"
cat "$B/sub/random" >/dev/null
remount
rm -rf "${M:?}"/sub "${M:?}"/numbers
tree_down
all "$B" | diff "$WORK/base.before" - || fail "the base has changed"
[ "$(cat "$WORK/outside/file")" = "out of reach" ] || fail "outside"
