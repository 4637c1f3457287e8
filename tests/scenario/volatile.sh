#!/usr/bin/env bash
# Rows 003-6 and 003-9: an upper layer in memory, which is gone after unmounting; over a
# tree, over an image, and on a tmpfs of one's own.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory is not volatile"
df -t tmpfs /dev/shm >/dev/null 2>&1 || skip "no tmpfs at /dev/shm"

mkdir -p "$B/dir"
echo base >"$B/dir/file"
# Those over what is here.
left() { (grep -lsaF "$WORK" /dev/shm/volatile-*/index.db || true) | wc -l; }

say "003-9: over a tree"
cowd mount --volatile --base "$B" "$M" >"$WORK/out"
store=$(grep -o '/dev/shm/volatile-[0-9a-f]*\.cowd' "$WORK/out")
[ "$(stat -c %a "$store")" = 700 ] || fail "others may look into it"
echo new >"$M/dir/file"
echo more >"$M/more"
cowd snapshot create -q "$store@s1"
[ "$(cat "$M/.snapshots/s1/more")" = more ] || fail "a snapshot"
cowd umount "$M"
[ ! -e "$store" ] || fail "it is left"
[ "$(cat "$B/dir/file")" = base ] || fail "the base has changed"
[ ! -e "$B/more" ] || fail "a file in the base"

say "over an image"
make_base $((1 << 20))
before=$(sum "$BASE")
cowd mount -q --volatile --base "$BASE" "$M"
put changed 5000 "$M/base.img"
cowd umount "$M"
[ "$(sum "$BASE")" = "$before" ] || fail "the image has changed"

say "ended otherwise"
cowd mount -q --volatile --base "$B" "$M"
[ "$(left)" -eq 1 ] || fail "where is it?"
umount "$M"
nothing_left() { [ "$(left)" -eq 0 ]; }
until_true 20 nothing_left
cowd mount --volatile --base "$B" "$M" >"$WORK/out"
store=$(grep -o '/dev/shm/volatile-[0-9a-f]*\.cowd' "$WORK/out")
kill "$(daemon_pid "$store")"
gone() { [ ! -e "$store" ]; }
until_true 20 gone
[ -z "$(grep " $M " /proc/mounts || true)" ] || fail "mounted still"

say "refused, and nothing left"
refused 2 'no base is given' cowd mount --volatile "$M"
refused 2 'its own store' cowd mount --volatile --base "$B" "$STORE" "$M"
refused 1 'mountpoint' cowd mount --volatile --base "$B" "$WORK/nowhere"
refused 2 'unknown mount option' cowd mount --volatile --base "$B" -o xyz "$M"
refused 1 'does not exist' \
	cowd mount --volatile --base "$WORK/none" "$M"
cowd mount -n --volatile --base "$B" "$M" | grep -q 'would mount' || fail "dry"
[ "$(left)" -eq 0 ] || fail "$(ls /dev/shm)"

say "003-6: places to mount on, in memory, over a tree that is read-only"
mount --bind "$B" "$B"
mount -o remount,bind,ro "$B"
cowd mount -q --volatile --base "$B" "$M"
mkdir "$M/dir/place"
ln -s dir/place "$M/link"
mount -t tmpfs tmpfs "$M/dir/place"
echo there >"$M/link/file"
[ "$(cat "$M/dir/file")" = base ] || fail "what was there is not seen"
refused 11 'in use|busy' cowd umount "$M"
umount -i "$M/dir/place"
cowd umount "$M"
umount "$B"
[ ! -e "$B/dir/place" ] || fail "it is in the base"

say "or a store on a tmpfs of one's own"
mkdir "$WORK/ram"
mount -t tmpfs -o size=100m tmpfs "$WORK/ram"
cowd create -q "$WORK/ram/s.cowd" --base "$B"
cowd mount -q "$WORK/ram/s.cowd" "$M"
echo x >"$M/x"
cowd umount "$M"
umount "$WORK/ram"
