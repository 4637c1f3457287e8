#!/usr/bin/env bash
# Nothing but a write of data stores data: what is done to the names and
# attributes of a huge base file stores rows, a byte written stores a block,
# and the size of a directory does not matter to its renaming.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3 setfattr

mkdir "$B/dir" "$B/many"
truncate -s 1T "$B/dir/huge"
put "data" 500000000000 "$B/dir/huge"
make_base $((64 << 20)) "$B/dir/solid"
(cd "$B/many" && seq 20000 | xargs touch)
tree_up
stored_kib() {
	sync -f "$M"
	[ -n "${TREE_PLAIN:-}" ] || disk_kib "$STORE"
}
at_most_kib() { # KIB TEXT
	local now
	[ -z "${TREE_PLAIN:-}" ] || return 0
	now=$(stored_kib)
	[ $((now - before)) -le "$1" ] || fail "$2 stores $((now - before)) KiB"
}
before=$(stored_kib)
cd "$M/dir"
for file in huge solid; do
	chmod 600 $file
	chown 77:88 $file
	touch -d 2001-01-01 $file
	setfattr -n user.x -v y $file
	ln $file link-$file
	mv $file moved-$file
	head -c 100000 moved-$file >/dev/null
done
head -c 1M moved-solid | cmp - <(head -c 1M "$B/dir/solid") || fail "reading"
at_most_kib 300 "what is done to names and attributes"
[ "$(stat -c '%s %h %U' moved-huge)" = "1099511627776 2 UNKNOWN" ] ||
	fail "$(stat moved-huge)"

say "a byte"
before=$(stored_kib)
for file in huge solid; do
	put X 40000000 moved-$file
	[ "$(dd if=link-$file bs=1 skip=40000000 count=1 status=none)" = X ] ||
		fail "$file: the byte"
done
at_most_kib 300 "a byte"
cmp -n 40000000 link-solid "$B/dir/solid" || fail "before the byte"
cmp -i 40000001 link-solid "$B/dir/solid" || fail "after the byte"
put Y $((1 << 40)) moved-huge
truncate -s 2T link-huge
[ "$(stat -c %s moved-huge)" -eq $((2 << 40)) ] || fail "2 TiB"
cd /

say "renaming a directory of 20,000"
before=$(stored_kib)
python3 - "$M" <<'PY'
import os, sys, time
os.chdir(sys.argv[1])
times = []
for one, two in (("many", "a"), ("a", "dir/b"), ("dir/b", "c"), ("c", "many2")):
    begin = time.monotonic()
    os.rename(one, two)
    times.append((time.monotonic() - begin) * 1000)
print("ms:", *(f"{t:.2f}" for t in times))
assert sorted(times)[1] < 20, "it takes long"  # 5 ms on an idle machine
assert len(os.listdir("many2")) == 20000 and not os.path.exists("many")
PY
at_most_kib 300 "renaming a directory"
remount
[ "$(find "$M/many2" -type f | wc -l)" -eq 20000 ] || fail "mounted again"
[ "$(stat -c '%s %h' "$M/dir/moved-huge")" = "$((2 << 40)) 2" ] ||
	fail "the huge file"
[ "$(dd if="$M/dir/moved-solid" bs=1 skip=40000000 count=1 status=none)" = X ] ||
	fail "the byte after mounting again"
tree_down
