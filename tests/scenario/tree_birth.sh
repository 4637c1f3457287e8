#!/usr/bin/env bash
# The time of birth, which statx(2) asks for: that of base's objects is told as
# it is, a new one has its own, and no change moves it.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
IFS=. read -r major minor _ <<<"$(uname -r)"
[ "$major" -gt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -ge 6 ]; } ||
	skip "this kernel does not ask file systems in user space"
birth() { stat -c %w "$1"; }

echo text >"$B/file"
mkdir "$B/dir"
[ "$(birth "$B/file")" != - ] || skip "base has no times of birth"
tree_up

say "of base"
for name in file dir; do
	[ "$(birth "$M/$name")" = "$(birth "$B/$name")" ] || fail "$name"
done
echo more >>"$M/file"
chmod 700 "$M/file" "$M/dir"
mv "$M/dir" "$M/moved"
[ "$(birth "$M/file")" = "$(birth "$B/file")" ] || fail "a file that changed"
[ "$(birth "$M/moved")" = "$(birth "$B/dir")" ] || fail "a directory that moved"

say "of what is new"
before=$(date +%s)
echo text >"$M/new"
mkfifo "$M/fifo"
mknod "$M/device" b 4000 65000
at=$(stat -c %W "$M/new")
[ "$at" -ge $((before - 1)) ] && [ "$at" -le "$(date +%s)" ] ||
	fail "born at $at, made at $before"
touch -d 2001-02-03 "$M/new"
cowd snapshot create -q "$STORE@s"
# All else that a STATX is answered with is what stat(2) sees, too.
for name in file moved new fifo device; do
	stat -c '%n %w %s %A %h %u %g %t:%T %i %x %y %z' "$M/$name"
done >"$WORK/before"
python3 - "$M" <<'END' >"$WORK/python"
import os, sys
for name in "file", "moved", "new", "fifo", "device":
    st = os.lstat(os.path.join(sys.argv[1], name))
    print(st.st_size, st.st_nlink, st.st_ino, os.major(st.st_rdev),
          os.minor(st.st_rdev))
END
for name in file moved new fifo device; do
	stat -c '%s %h %i 0x%t 0x%T' "$M/$name"
done | while read -r size links inode major minor; do
	echo "$size $links $inode $((major)) $((minor))"
done | diff - "$WORK/python" || fail "stat and statx differ"
remount
for name in file moved new fifo device; do
	stat -c '%n %w %s %A %h %u %g %t:%T %i %x %y %z' "$M/$name"
done | diff "$WORK/before" - || fail "other than before remount"
[ "$(birth "$M/new")" = "$(birth "$M/.snapshots/s/new")" ] || fail "a snapshot"
tree_down
