#!/usr/bin/env bash
# A full disk: ENOSPC is told, reads and deletes work, then it goes on.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_loop
need mke2fs

truncate -s 300M "$WORK/host.img"
mke2fs -q -F -t ext4 -m 0 "$WORK/host.img"
mkdir "$WORK/host"
mount -o loop "$WORK/host.img" "$WORK/host"
on_exit "umount $WORK/host"
STORE=$WORK/host/s.cowd

truncate -s 512M "$BASE"
head -c 8M /dev/urandom | dd of="$BASE" bs=1M seek=20 conv=notrunc status=none
cowd create "$STORE" --base "$BASE"
cowd config set "$STORE" reserve=16MiB
cowd mount "$STORE" "$M"
image=$(image "$M")
head -c 40M /dev/urandom | dd of="$image" bs=1M conv=notrunc,fsync status=none
cp "$image" "$WORK/copy" --sparse=always
cowd snapshot create "$STORE@s1"

say "nearly full is told before"
fallocate -l $(($(df -B1 --output=avail "$WORK/host" | tail -n 1) - (24 << 20))) \
	"$WORK/host/other"
cowd status --json "$STORE" >"$WORK/status" || [ $? -le 3 ]
[ "$(json 'd["health"]' <"$WORK/status")" = attention ] ||
	fail "$(cat "$WORK/status")"
json 'd["reason"]' <"$WORK/status" | grep -q 'nearly full' ||
	fail "$(cat "$WORK/status")"
[ "$(json 'd["room"]["set_aside"]' <"$WORK/status")" = True ] ||
	fail "$(cat "$WORK/status")"
rm "$WORK/host/other"

say "until it is full"
if head -c 400M /dev/urandom |
	dd of="$image" bs=1M seek=64 conv=notrunc,fsync status=none \
		2>"$WORK/err"; then
	fail "400 MiB went into 300 MiB"
fi
grep -qi 'no space' "$WORK/err" || fail "$(cat "$WORK/err")"

say "reads are right, management works"
cmp -n $((40 << 20)) "$image" "$WORK/copy" || fail "wrong data"
cowd status "$STORE" >"$WORK/out" || [ $? -le 3 ] || fail "$(cat "$WORK/out")"
cowd snapshot list "$STORE" >/dev/null
cowd rollback "$STORE@s1" ||
	fail "can't roll back when full"
cmp "$image" "$WORK/copy" || fail "rollback shows wrong data"

say "what is deleted comes back"
kept=$(cowd snapshot list --json "$STORE" |
	json '[s["name"] for s in d["snapshots"] if s["name"] != "s1"][0]')
cowd snapshot delete -y --now "$STORE@$kept"
cowd gc "$STORE"
free_mib() { df -m --output=avail "$WORK/host" | tail -n 1; }
roomy() { [ "$(free_mib)" -gt 100 ]; }
until_true 30 roomy

say "and it goes on"
head -c 30M /dev/urandom >"$WORK/more"
for file in "$image" "$WORK/copy"; do
	dd if="$WORK/more" of="$file" bs=1M seek=100 conv=notrunc,fsync \
		status=none
done
same "$image" "$WORK/copy"

say "closing and opening while full"
head -c 400M /dev/urandom |
	dd of="$image" bs=1M seek=200 conv=notrunc,fsync status=none \
		2>/dev/null || true
cowd umount "$M"
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 20 daemon_gone
cowd mount "$STORE" "$M"
cmp -n $((200 << 20)) "$(image "$M")" "$WORK/copy" || fail "wrong data"
cowd umount "$M"
until_true 20 daemon_gone
