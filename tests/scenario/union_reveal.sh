#!/usr/bin/env bash
# Row 003-8: the union mount as books tell it. The topmost is seen, what is
# written goes to the top, removing it there reveals what is below.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory has no layers"

low=$WORK/low top=$WORK/top
mkdir -p "$low/dir" "$top"
echo 1 >"$top/a.txt"
for name in a b c d e dir/f; do echo 2 >"$low/$name.txt"; done
ln "$low/e.txt" "$low/e2.txt"
tree_listing "$low" >"$WORK/low.before"
cowd create -q "$STORE" --base "$top" --base "$low"
up() { cowd mount -q "$@" -o "$TREE_OPTIONS" "$STORE" "$M"; }

say "a.txt from the top, b.txt is made there when it is written to"
up --union=reveal
[ "$(cat "$M/a.txt" "$M/b.txt" | xargs)" = "1 2" ] || fail "before"
echo 1 >"$M/b.txt"
[ "$(cat "$M/b.txt")" = 1 ] || fail "written"
[ "$(cat "$low/b.txt")" = 2 ] || fail "the lower one has changed"

say "removed in the top, the lower one is seen"
rm "$M/b.txt"
[ "$(cat "$M/b.txt")" = 2 ] || fail "$(cat "$M/b.txt")"
echo longer text >"$M/new"
mv "$M/new" "$M/c.txt"
[ "$(cat "$M/c.txt")" = "longer text" ] || fail "renamed over it"
rm "$M/c.txt"
[ "$(cat "$M/c.txt")" = 2 ] || fail "$(cat "$M/c.txt")"
echo again >"$M/c.txt"
[ "$(cat "$M/c.txt")" = again ] || fail "$(cat "$M/c.txt")"
rm "$M/c.txt"
remount_reveal() { cowd umount -q "$M" && up --union reveal; }
remount_reveal
[ "$(cat "$M/b.txt" "$M/c.txt" | xargs)" = "2 2" ] || fail "mounted again"
echo 1 >"$M/only" && mkdir "$M/made" && rm "$M/only" && rmdir "$M/made"
[ ! -e "$M/only" ] || fail "what has nothing below"

say "what is below can't be removed"
for command in "rm $M/b.txt" "rm $M/a.txt" "rm $M/dir/f.txt" "rmdir $M/dir"; do
	! $command 2>"$WORK/err" || fail "$command"
	grep -qE 'Read-only|not empty' "$WORK/err" || fail "$command: $(cat "$WORK/err")"
done
exec 7>>"$M/d.txt"
echo more >&7
! rm "$M/d.txt" 2>"$WORK/err" || fail "open, and its changes gone"
grep -q busy "$WORK/err" || fail "$(cat "$WORK/err")"
exec 7>&-
rm "$M/d.txt"
[ "$(cat "$M/d.txt")" = 2 ] || fail "closed by now"
echo x >"$M/e.txt"
! rm "$M/e2.txt" 2>"$WORK/err" || fail "changed under another name"
grep -q busy "$WORK/err" || fail "$(cat "$WORK/err")"

say "an inode is never in two places"
mv "$M/dir/f.txt" "$M/moved"
echo other >"$M/dir/f.txt"
rm "$M/dir/f.txt"
[ ! -e "$M/dir/f.txt" ] || fail "it is in moved, too"
[ "$(cat "$M/moved")" = 2 ] || fail "moved"
cowd umount -q "$M"

say "by default it stays hidden"
up
rm "$M/a.txt" "$M/b.txt"
[ -z "$(find "$M" -name "[ab].txt")" ] || fail "revealed"
cowd umount -q "$M"

say "the lower one alone, and the other order"
tree_listing "$low" | diff "$WORK/low.before" - || fail "low has changed"
cowd layer remove -q "$STORE" top
up
[ "$(cat "$M/c.txt")" = 2 ] || fail "without the top"
cowd umount -q "$M"
cowd create -q "$WORK/other.cowd" --base "$low" --base "$top"
cowd mount -q "$WORK/other.cowd" "$M"
[ "$(cat "$M/a.txt")" = 2 ] || fail "the other order"
cowd umount -q "$M"
refused 2 'no value' cowd mount --union=x "$STORE" "$M"
