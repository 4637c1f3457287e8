#!/usr/bin/env bash
# A5: attributes by which other systems, or a guess, would steer what is shown
# mean nothing; who may not set one can't.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need setfattr getfattr setpriv mknod

mkdir "$B/opaque" "$B/moved"
echo one >"$B/opaque/one"
echo two >"$B/moved/two"
echo three >"$B/three"
setfattr -n user.cowd.test -v y "$B/three" 2>/dev/null || skip "no xattrs"
for how in trusted.overlay user.overlay user.fuseoverlayfs user.cowd; do
	for name in opaque origin redirect whiteout metacopy size inode; do
		setfattr -n "$how.$name" -v y "$B/opaque" "$B/moved" \
			"$B/three" || fail "$how.$name"
	done
	setfattr -n "$how.redirect" -v /etc "$B/moved"
done
touch "$B/.wh.three" "$B/.wh..wh..opq" "$B/opaque/.wh..wh..opq"
mknod "$B/gone" c 0 0
tree_up
checks() {
	[ "$(cat "$M/opaque/one" "$M/moved/two" "$M/three" | tr '\n' ' ')" = \
		"one two three " ] || fail "$1: a file is not what it was"
	[ "$(find "$M" -printf '%P\n' | sort)" = \
		"$(find "$B" -printf '%P\n' | sort)" ] || fail "$1: names"
	[ "$(getfattr --absolute-names -d -m - "$M/three" | tail -n +2)" = \
		"$(getfattr --absolute-names -d -m - "$B/three" |
			tail -n +2)" ] || fail "$1: attributes"
	[ -c "$M/gone" ] || fail "$1: a device 0:0 is a device here"
}
checks "as base has it"
echo "three" >"$M/three"
chmod 755 "$M/opaque" "$M/moved"
checks "changed"
remount
checks "mounted again"

say "who may not"
chmod 777 "$M" "$M/three"
as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
for name in trusted.cowd trusted.overlay.opaque security.capability \
	security.other system.cowd; do
	! "${as_nobody[@]}" setfattr -n "$name" -v y "$M/three" \
		2>"$WORK/err" || fail "$name can be set by anybody"
done
"${as_nobody[@]}" setfattr -n user.cowd.mine -v y "$M/three" ||
	fail "a name of the user's own"
[ "$(cat "$M/three")" = three ] || fail "it changed what is shown"

say "A6: a user makes no devices"
for kind in "c 1 3" "b 7 0"; do
	# shellcheck disable=SC2086
	! "${as_nobody[@]}" mknod "$M/device" $kind 2>"$WORK/err" ||
		fail "mknod $kind by anybody"
done
"${as_nobody[@]}" mknod "$M/fifo" p || fail "a fifo is for everybody"
tree_down
