#!/usr/bin/env bash
# Snapshots by policy: taken when something changed, thinned out.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((1 << 20))
cowd create "$STORE" --base "$BASE"
cowd snapshot create "$STORE@mine"
cowd config set "$STORE" snapshot.every=1s keep.last=3
cowd config get "$STORE" snapshot.every | grep -qw 1s || fail "not kept"
refused 2 'soon' cowd config set "$STORE" snapshot.every=soon
refused 2 'nosuch' cowd config set "$STORE" nosuch=1
cowd mount "$STORE" "$M"
image=$(image "$M")

count() {
	cowd snapshot list --json "$STORE" | json 'len(d["snapshots"])'
}
say "changes are kept"
for i in 1 2 3 4 5 6; do
	put "change $i" $((i * 5000)) "$image"
	sync "$image"
	sleep 1.2
done
have=$(count)
[ "$have" -ge 3 ] || fail "only $have snapshots"
thinned() { [ "$(count)" -le 5 ]; }
until_true 10 thinned
cowd snapshot show "$STORE@mine" >/dev/null || fail "a manual one was pruned"

say "no change, no snapshot"
sleep 3
newest() {
	cowd snapshot list --json "$STORE" | json 'd["snapshots"][-1]["name"]'
}
before=$(newest)
sleep 3
[ "$(newest)" = "$before" ] || fail "a snapshot without a change"

say "any of them can be gone back to"
cp "$image" "$WORK/copy"
cowd rollback "$STORE@latest"
same "$image" "$WORK/copy" "the newest snapshot is not the last change"

say "off means off"
cowd config set "$STORE" snapshot.every=off
put "quiet" 100000 "$image"
sync "$image"
before=$(count)
sleep 2.5
[ "$(count)" = "$before" ] || fail "a snapshot although it is off"
cowd umount "$M"
