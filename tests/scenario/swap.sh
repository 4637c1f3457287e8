#!/usr/bin/env bash
# Row 004, ExchangeData: cowd swap exchanges the contents of two files, keeps
# their metadata, and moves no data.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need setfattr getfattr setfacl getfacl
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory is no mount"

head -c 20M /dev/urandom >"$B/large"
echo small >"$B/small"
echo linked >"$B/linked"
ln "$B/linked" "$B/link"
tree_up
cd "$M" || exit
echo new >new
chmod 6750 large && chown 77:88 large
chmod 604 new
setfattr -n user.of -v large large
setfattr -n user.only -v x large
setfattr -n user.of -v new new
setfacl -m u:12345:r new
touch -d 2001-01-01 large
meta() { # without what tells of the content
	stat -c '%a %u %g %X' "$1"
	getfattr -d -m - "$1"
	getfacl "$1"
}
for file in large new; do meta $file >"$WORK/$file.before"; done
sum_large=$(sum large)
before=$(disk_kib "$STORE")

say "contents change places, and nothing else"
cowd swap -n large new | grep -q 'would swap' || fail "dry run"
[ "$(cat new)" = new ] || fail "a dry run swaps"
cowd swap large new
[ "$(cat large)" = new ] || fail "large"
[ "$(sum new)" = "$sum_large" ] || fail "new"
[ "$(stat -c %Y new)" = "$(date -d 2001-01-01 +%s)" ] || fail "the time of it"
for file in large new; do
	meta $file | diff "$WORK/$file.before" - || fail "metadata of $file"
done
sync -f "$M"
[ $(($(disk_kib "$STORE") - before)) -le 300 ] || fail "data was moved"
cowd swap large small
[ "$(cat large small | xargs)" = "small new" ] || fail "twice"
cd /
remount
[ "$(cat "$M/large" "$M/small" | xargs)" = "small new" ] || fail "mounted again"
[ "$(sum "$M/new")" = "$sum_large" ] || fail "mounted again"

say "refused"
refused 11 'other names' cowd swap "$M/linked" "$M/small"
refused 2 'no regular file' cowd swap "$M" "$M/small"
refused 2 'the same file' cowd swap "$M/small" "$M/small"
refused 2 'another mount' cowd swap "$B/small" "$M/small"
refused 1 'No such file' cowd swap "$M/nothing" "$M/small"
cowd snapshot create -q "$STORE@s1"
refused 1 'Read-only' cowd swap "$M/.snapshots/s1/small" "$M/.snapshots/s1/large"
tree_down
