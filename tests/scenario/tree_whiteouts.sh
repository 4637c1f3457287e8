#!/usr/bin/env bash
# D5, D6: what is removed stays removed: names of all lengths, long paths,
# directories made anew.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

name_of() { printf "%0$1d" 0 | tr 0 n; }
for length in 1 2 100 127 128 200 254 255; do
	name=$(name_of $length)
	echo x >"$B/$name"
	mkdir "$B/${name%?}d"
	echo x >"$B/${name%?}r"
done
python3 - "$B" <<'PY' # a path of nearly PATH_MAX
import os, sys
os.chdir(sys.argv[1])
os.mkdir("deep")
os.chdir("deep")
for i in range(15):
    os.mkdir("p" * 250)
    os.chdir("p" * 250)
open("end", "w").write("end")
PY
mkdir -p "$B/a/b/c" "$B/a/x"
echo old >"$B/a/b/c/file"
echo old >"$B/a/file"
tree_up

say "names of all lengths"
for length in 1 2 100 127 128 200 254 255; do
	name=$(name_of $length)
	echo delta >>"$M/$name"
	rm "$M/$name"
	rmdir "$M/${name%?}d" 2>/dev/null || [ -z "${name%?}" ]
	[ $length -eq 1 ] || mv "$M/${name%?}r" "$M/moved-$length"
done
end=$(cd "$M" && find deep -name end)
[ ${#end} -gt 3700 ] || fail "a short path: ${#end}"
(cd "$M" && rm "$end")
check() {
	[ -z "$(find "$M" -maxdepth 1 -name 'nn*' ! -name '*[rd]')" ] ||
		fail "$1: names are back"
	[ -z "$(find "$M" -maxdepth 1 -name 'nn*d')" ] || fail "$1: directories"
	[ -z "$(find "$M" -maxdepth 1 -name 'nn*r')" ] || fail "$1: old names"
	[ -z "$(cd "$M" && find deep -name end)" ] || fail "$1: the long path"
}
check "at once"

say "a directory made anew"
rm -rf "$M/a"
mkdir -p "$M/a/b"
mv "$M/a/b" "$M/b"
check_dirs() {
	[ -z "$(ls -A "$M/a")" ] && [ -z "$(ls -A "$M/b")" ] ||
		fail "$1: $(find "$M/a" "$M/b")"
	for path in a/b a/b/c a/file a/x b/c b/c/file; do
		[ ! -e "$M/$path" ] || fail "$1: $path is there"
	done
	(cd "$M" && find . -print0 | xargs -0 stat -c %i >/dev/null) ||
		fail "$1: listed, and not there"
}
check_dirs "at once"
remount
check "mounted again"
check_dirs "mounted again"
tree_kill
check "after kill -9"
check_dirs "after kill -9"
tree_down
