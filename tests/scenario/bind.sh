#!/usr/bin/env bash
# Row 003-7: parts of a tree shown elsewhere (nullfs), some of them read-only.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory is bound by mount(8)"

mkdir -p "$B/sub/deep" "$B/here" "$B/safe" "$WORK/one" "$WORK/two"
echo text >"$B/sub/file"
echo safe >"$B/safe/file"
ln -s / "$B/out"
cowd create -q "$STORE" --base "$B"
cd "$WORK" || exit

say "003-7: two parts, one of them read-only; and one in the mount"
cowd mount -q --bind "sub=one" --bind "/safe=$WORK/two:ro" \
	--bind "sub/deep=$M/here" "$STORE" "$M"
echo new >one/deep/new
[ "$(cat "$M/sub/deep/new" "$M/here/new" | xargs)" = "new new" ] || fail "one"
[ "$(stat -c %i one/file)" = "$(stat -c %i "$M/sub/file")" ] || fail "inode"
! touch two/x 2>err || fail "two can be written to"
grep -q 'Read-only' err || fail "$(cat err)"
echo more >>"$M/safe/file"
[ "$(tail -n 1 two/file)" = more ] || fail "two does not follow"
grep " $WORK/two " /proc/mounts | grep -q 'ro,nosuid,nodev' ||
	fail "$(grep two /proc/mounts)"
cowd snapshot create -q "$STORE@s1"
echo newer >one/file
cowd rollback -q --live "$STORE@s1"
[ "$(cat one/file two/file "$M/here/new" | xargs)" = "text safe more new" ] ||
	fail "after a rollback"
cowd revoke "$M" >/dev/null
echo again >one/file
! touch two/x 2>/dev/null || fail "two can be written to after a revoke"

say "they end with the mount, and hold it"
exec 7<two/file
refused 11 "two.*can't unmount" cowd umount "$M"
exec 7<&-
cowd umount "$M"
for dir in one two "$M"; do
	[ -z "$(ls -A "$dir")" ] || fail "$dir is still there"
done

say "also when the daemon is told to end, and without the mount itself"
cowd mount -q -o "bind=sub=$WORK/one" "$STORE" "$M"
kill "$(daemon_pid "$STORE")"
gone() { ! grep -q " $WORK/" /proc/mounts; }
until_true 20 gone
cowd mount -q -o "bind=sub=$WORK/one" "$STORE" "$M"
mount --bind "$M/safe" two
umount -i one
cowd umount two
cowd umount "$M"

say "refused: nothing is left mounted"
refused 1 "can't show nothing" cowd mount --bind "nothing=$WORK/one" "$STORE" "$M"
refused 1 "can't show sub" cowd mount --bind "sub=$WORK/three" "$STORE" "$M"
refused 1 "can't show out/etc" cowd mount --bind "safe=one" --bind "out/etc=two" \
	"$STORE" "$M"
refused 2 "SUB=DST" cowd mount --bind "sub" "$STORE" "$M"
refused 2 "absolute" cowd mount -o "bind=sub=one" "$STORE" "$M"
until_true 20 gone
