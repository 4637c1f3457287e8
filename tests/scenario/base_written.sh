#!/usr/bin/env bash
# A base that somebody writes to while it is mounted: told while it is open for
# writing, and not one new byte is mixed in; what the store has is still read.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((8 << 20))
cp -p "$BASE" "$WORK/original"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
image=$(image "$M")
put "kept" $((4 << 20)) "$image"
sync "$image"
says() { cowd status "$STORE" >"$WORK/out" 2>&1; grep -q "$1" "$WORK/out"; }

say "open for writing: it gets in after a moment, and status tells"
exec 7<>"$BASE" # waits for the lease, a second at most
until_true 10 says 'open for writing'
cmp -n 4096 "$image" "$BASE" || fail "still the same, still read"
exec 7>&-
until_true 10 eval '! says "open for writing"'

say "a shared lock, for those who ask for one"
if command -v flock >/dev/null; then
	! flock -n -x "$BASE" true || fail "an exclusive lock can be had"
	flock -n -s "$BASE" true || fail "no shared lock"
fi

say "written to: not one new byte"
dd if=/dev/zero bs=64k count=128 conv=notrunc status=none of="$BASE"
dd if="$image" bs=64k skip=100 count=1 status=none >"$WORK/piece" \
	2>"$WORK/err" && fail "a changed base is read"
grep -q 'Input/output error' "$WORK/err" || fail "$(cat "$WORK/err")"
until_true 10 says 'modified'
rc=0
cowd status "$STORE" >/dev/null 2>&1 || rc=$?
[ "$rc" -eq 16 ] || fail "status: exit $rc"
dd if="$image" bs=4096 skip=1024 count=1 iflag=direct status=none |
	cmp -n 4 - <(printf kept) || fail "what the store has is lost"
cowd umount "$M"

say "not mounted again until the original is back"
refused 17 'not what the store was created over' cowd mount "$STORE" "$M"
grep -q 'hint:' "$WORK/out" || fail "no hint"
cp -p "$WORK/original" "$BASE"
cowd mount -q "$STORE" "$M"
put "kept" $((4 << 20)) "$WORK/original"
same "$image" "$WORK/original"
cowd umount "$M"
