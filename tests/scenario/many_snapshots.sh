#!/usr/bin/env bash
# Claim: a daemon lists as many snapshots as there are, however long it takes
# to say it (700 of them make more than 1 MiB).
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base 1M
cowd create "$STORE" --base "$BASE" -q
cowd mount "$STORE" "$M" -q
note=$(printf 'n%.0s' {1..1000})
long=$(printf 'x%.0s' {1..240})
for i in {1..700}; do
	cowd snapshot create "$STORE@$long$i" -m "$note" -q
done
cowd snapshot list --json "$STORE" >"$WORK/list"
[ "$(stat -c %s "$WORK/list")" -gt $((1 << 20)) ] || fail "the list is short"
[ "$(json 'len(d["snapshots"])' <"$WORK/list")" = 700 ] ||
	fail "snapshots are missing"
[ "$(json 'd["snapshots"][699]["parent"]' <"$WORK/list")" = "${long}699" ] ||
	fail "the last one has another parent"
[ "$(find "$M/.snapshots" -type f | wc -l)" = 700 ] ||
	fail "snapshots are missing in the mount"
cowd umount "$M" -q
