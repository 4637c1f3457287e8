#!/usr/bin/env bash
# kill -9 of the daemon loses no acknowledged write and no snapshot.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

make_base $((16 << 20))
cowd create "$STORE" --base "$BASE"

for round in 1 2 3 4; do
	say "round $round"
	cowd mount "$STORE" "$M"
	image=$(image "$M")
	rm -f "$WORK"/log.*
	writers=()
	python3 "$SUPPORT/writer.py" write "$image" direct 0 1000 \
		"$WORK/log.direct" &
	writers+=($!)
	python3 "$SUPPORT/writer.py" write "$image" fsync 1000 1000 \
		"$WORK/log.fsync" &
	writers+=($!)
	sleep 1
	cowd snapshot create "$STORE@round$round"
	sleep 0.$round

	pid=$(daemon_pid "$STORE")
	[ -n "$pid" ] || fail "no daemon"
	kill -9 "$pid"
	wait "${writers[@]}"
	wait_gone "$pid" 10 || fail "$pid does not die"
	umount "$M" 2>/dev/null || umount -l "$M"

	cowd mount "$STORE" "$M"
	image=$(image "$M")
	python3 "$SUPPORT/writer.py" check "$image" 0 1000 "$WORK/log.direct"
	python3 "$SUPPORT/writer.py" check "$image" 1000 1000 "$WORK/log.fsync"
	cmp -i $((2000 * 4096)) "$image" "$BASE" || fail "the rest changed"
	cowd snapshot show "$STORE@round$round" >/dev/null
	sum "$image" >"$WORK/sum"
	cowd umount "$M"
done

say "a daemon that is killed while idle"
cowd mount "$STORE" "$M"
[ "$(sum "$(image "$M")")" = "$(cat "$WORK/sum")" ] || fail "content differs"
pid=$(daemon_pid "$STORE")
kill -9 "$pid"
wait_gone "$pid" 10
umount "$M" 2>/dev/null || umount -l "$M"
cowd status "$STORE"
cowd snapshot list --json "$STORE" |
	json 'len([s for s in d["snapshots"]])' | grep -qx 4
