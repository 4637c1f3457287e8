#!/usr/bin/env bash
# Snapshot, rollback and undo of a mounted image.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((4 << 20))
cowd create "$STORE" --base "$BASE"
cowd mount "$STORE" "$M"
image=$(image "$M")

put "first state" 100000 "$image"
cowd snapshot create "$STORE@s1" -m "the first"
cp "$image" "$WORK/state1"
put "second state" 100000 "$image"
put "more" 3000000 "$image"
cowd snapshot create "$STORE@s2"
put "never snapshot" 200000 "$image"
cp "$image" "$WORK/state3"

say "a snapshot mounts read-only and does not change"
mkdir "$WORK/snap"
cowd mount "$STORE@s1" "$WORK/snap"
same "$(image "$WORK/snap")" "$WORK/state1"
if (put x 0 "$(image "$WORK/snap")") 2>"$WORK/err"; then
	fail "a snapshot was written to"
fi
grep -qi 'read-only' "$WORK/err" || fail "$(cat "$WORK/err")"
cowd umount "$WORK/snap"

say "rollback is visible at once, nothing is lost"
cat "$image" >/dev/null # its pages are in the kernel's cache
cowd rollback "$STORE@s1"
same "$image" "$WORK/state1" "rollback did not show"
cowd undo "$STORE"
same "$image" "$WORK/state3" "undo did not bring the old head back"

say "and again, with dirty pages in the kernel"
put "dirty" 300000 "$image" "$WORK/state3"
cowd rollback "$STORE@s2"
put "after the rollback" 300000 "$image"
cowd undo "$STORE"
same "$image" "$WORK/state3" "dirty pages were lost by rollback and undo"
cowd log "$STORE" | grep -q rollback || fail "not in the log"
cowd snapshot list --json "$STORE" |
	json '{"s1", "s2"} <= {s["name"] for s in d["snapshots"]}' |
	grep -qx True || fail "a snapshot is gone"

say "delete goes to the trash, undo brings it back"
cowd snapshot delete -y "$STORE@s1"
refused 12 's1' cowd snapshot show "$STORE@s1"
cowd undo "$STORE"
mkdir -p "$WORK/snap"
cowd mount "$STORE@s1" "$WORK/snap"
same "$(image "$WORK/snap")" "$WORK/state1"
cowd umount "$WORK/snap"

say "names"
refused 13 'exists|taken' cowd snapshot create "$STORE@s1"
refused 12 'nope' cowd rollback "$STORE@nope"
cowd snapshot create -n "$STORE@dry"
refused 12 'dry' cowd snapshot show "$STORE@dry"
cowd umount "$M"
