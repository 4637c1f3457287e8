#!/usr/bin/env bash
# An export holds what the mount shows.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((6 << 20))
cowd create "$STORE" --base "$BASE" --size 16M
cowd mount "$STORE" "$M"
image=$(image "$M")
head -c 2M /dev/urandom | dd of="$image" bs=4k seek=100 conv=notrunc \
	status=none
fallocate -p -o $((4 << 20)) -l $((1 << 20)) "$image"
cowd snapshot create "$STORE@s1"
cp "$image" "$WORK/s1"
put "after" 77777 "$image"

say "while it is mounted, dirty pages included"
cowd export "$STORE" "$WORK/head.out"
same "$WORK/head.out" "$image"
cowd export "$STORE@s1" "$WORK/s1.out"
same "$WORK/s1.out" "$WORK/s1"
[ "$(disk_kib "$WORK/s1.out")" -le 8000 ] || fail "holes were filled"

say "an export does not overwrite, and leaves nothing half done"
refused 13 'exists' cowd export "$STORE" "$WORK/s1"
rc=0
cowd export "$STORE" "$WORK/no/dir.out" 2>"$WORK/out" || rc=$?
[ "$rc" -ne 0 ] || fail "exported to nowhere"
refused 12 'nope' cowd export "$STORE@nope" "$WORK/x.out"
[ ! -e "$WORK/x.out" ] || fail "something was left behind"

say "unmounted, the same"
cp "$image" "$WORK/head"
cowd umount "$M"
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 daemon_gone
cowd export "$STORE" "$WORK/head2.out"
same "$WORK/head2.out" "$WORK/head"
cowd export "$STORE@s1" "$WORK/s1b.out"
same "$WORK/s1b.out" "$WORK/s1"

say "an export can be a base"
cowd create "$WORK/t.cowd" --base "$WORK/s1.out"
cowd mount "$WORK/t.cowd" "$M"
same "$(image "$M")" "$WORK/s1"
cowd umount "$M"

say "diff tells what changed since"
cowd diff --json --blocks "$STORE@s1" >"$WORK/diff"
grep -q '"start"' "$WORK/diff" || fail "$(cat "$WORK/diff")"
rc=0
cowd diff --exit-code "$STORE@s1" >/dev/null || rc=$?
[ "$rc" -eq 1 ] || fail "exit $rc: there is a difference"
