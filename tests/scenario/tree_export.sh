#!/usr/bin/env bash
# cowd export -O dir|tar: the whole tree, with all that belongs to it, mounted
# and not.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need tar setfattr

mkdir -p "$B/dir/sub"
echo one >"$B/dir/file"
ln "$B/dir/file" "$B/link"
ln -s dir/file "$B/symlink"
mkfifo "$B/fifo"
truncate -s 50M "$B/sparse"
echo end >>"$B/sparse"
chown 5:6 "$B/dir/file"
chmod 2711 "$B/dir/sub"
tree_up
echo mine >"$M/$(printf 'odd\303')"
rm "$M/fifo"
cp -a "$M/dir" "$M/copy"
touch -d 2001-02-03T04:05:06.789 "$M/copy"
cowd snapshot create -q "$STORE@s1"

for mounted in yes no; do
	say "mounted: $mounted"
	cowd export -q -O dir "$STORE@s1" "$WORK/out.$mounted"
	cowd export -q -O tar "$STORE@s1" "$WORK/$mounted.tar"
	diff -r --no-dereference "$WORK/out.$mounted" "$M" >/dev/null ||
		[ $mounted = no ] || fail "content of the directory"
	mkdir "$WORK/tar.$mounted"
	tar -xpf "$WORK/$mounted.tar" -C "$WORK/tar.$mounted" 2>/dev/null
	for dir in "$WORK/out.$mounted" "$WORK/tar.$mounted"; do
		diff -r --no-dereference "$dir" "$WORK/out.yes" ||
			fail "$dir differs"
		[ "$(stat -c '%u:%g %h' "$dir/link")" = "5:6 2" ] ||
			fail "$(stat "$dir/link")"
		[ "$(stat -c %a "$dir/dir/sub")" = 2711 ] || fail "mode"
		[ "$(stat -c %y "$dir/copy" | cut -c-23)" = \
			"2001-02-03 04:05:06.789" ] || fail "time"
		[ ! -e "$dir/fifo" ] || fail "the fifo is back"
	done
	[ "$(stat -c %b "$WORK/out.$mounted/sparse")" -lt 100 ] ||
		fail "holes are filled"
	[ $mounted = no ] || tree_down
done

say "nothing is overwritten, nor left behind"
refused 13 'exists' cowd export -O dir "$STORE" "$WORK/out.yes"
refused 13 'exists' cowd export -O tar "$STORE" "$WORK/yes.tar"
cowd export -q -f -O tar "$STORE" "$WORK/yes.tar"
refused 2 'inside the layer' cowd export -O dir "$STORE" "$B/new"
refused 12 'nope' cowd export -O tar "$STORE@nope" "$WORK/x.tar"
[ -z "$(find "$WORK" -name '*.cowd-part*')" ] || fail "a part is left"
(umask 077 && cowd export -q -O tar "$STORE" "$WORK/private.tar")
[ "$(stat -c %a "$WORK/private.tar")" = 600 ] || fail "others may read it"
