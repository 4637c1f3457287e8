#!/usr/bin/env bash
# kill9.sh [ROUNDS=100]: kill -9 of the daemon at random moments, under a
# direct writer, a buffered one with fsync, snapshots that come and go, clones,
# rollbacks. Nothing acknowledged is lost and no snapshot changes.
. "$(dirname "$0")/../support/accept.sh"
need_fuse
need python3
free_gib 8

rounds=${1:-100}
REGION=8000 # blocks of each writer
ACKED=$SUPPORT/acked.py
make_base $((256 << 20))
cp "$BASE" "$WORK/expected"
mkdir "$WORK/sums" "$WORK/c"
cowd create -q "$STORE" --base "$BASE"
cowd snapshot create -q "$STORE@golden"
sum "$BASE" >"$WORK/sums/golden"

snapshot_file() { echo "$M/.snapshots/$1"; }
nap() { sleep "$(awk -v ms=$((RANDOM % $1)) 'BEGIN { print ms / 1000 }')"; }

# Takes a snapshot, with what was acknowledged before; then its checksum.
snapshot_one() { # NAME
	local name=$1 sum log
	for log in direct fsync; do
		cp "$WORK/log.$log" "$WORK/before.$log" 2>/dev/null || true
	done
	cowd snapshot create -q "$STORE@$name" 2>/dev/null || return 0
	python3 "$ACKED" has "$(snapshot_file "$name")" "$WORK/before.direct" \
		"$WORK/before.fsync" >"$WORK/has" 2>&1 || {
		sleep 0.5
		[ -d "/proc/$pid" ] || return 0 # killed meanwhile
		sed "s/^/snapshot $name: /" "$WORK/has" >>"$WORK/wrong"
	}
	sum=$(sha256sum 2>/dev/null <"$(snapshot_file "$name")") || return 0
	echo "${sum%% *}" >"$WORK/sums/.new"
	mv "$WORK/sums/.new" "$WORK/sums/$name"
}
# Until it is killed: takes snapshots, drops some older ones.
snapshots() { # ROUND
	local i old
	for ((i = 0; ; i++)); do
		nap 600
		snapshot_one "r$1-$i"
		[ "$(find "$WORK/sums" -type f | wc -l)" -gt 8 ] || continue
		old=$(find "$WORK/sums" -type f -name 'r*' -printf '%f\n' |
			shuf -n 1)
		rm "$WORK/sums/$old"
		cowd snapshot delete -q "$STORE@$old" || true
	done
}
check_snapshots() { # COUNT: that many of them, by chance
	local name sum
	cowd snapshot list -H -o NAME "$STORE" >"$WORK/names"
	for name in $(find "$WORK/sums" -type f -printf '%f\n' | shuf -n "$1"); do
		grep -qx "$name" "$WORK/names" || {
			echo "snapshot $name is gone" >>"$WORK/wrong"
			continue
		}
		sum=$(sum "$(snapshot_file "$name")")
		compared=$((compared + 1))
		[ "$sum" = "$(cat "$WORK/sums/$name")" ] ||
			echo "snapshot $name changed" >>"$WORK/wrong"
	done
}
wrong_none() {
	[ ! -s "$WORK/wrong" ] || {
		head -n 20 "$WORK/wrong" >&2
		return 1
	}
}

open_most=0 acked=0 compared=0 moves=0
for ((round = 1; round <= rounds; round++)); do
	timed cowd mount -q "$STORE" "$M"
	if [ "$took_ms" -gt "$open_most" ]; then
		open_most=$took_ms
		replay=$(cowd status --json "$STORE" | json \
			'"%d records replayed in %d ms" % (
			d["log"]["recovered_records"], d["log"]["recovery_ms"])')
	fi
	pid=$(tr -dc 0-9 <"$STORE/lock")
	image=$M/base.img
	# What the last round left, before anybody writes again.
	if counts=$(python3 "$ACKED" check "$image" "$WORK/expected" \
		"$WORK/log.direct" "$WORK/log.fsync" 2>>"$WORK/wrong"); then
		read -r writes _ <<<"$counts"
		acked=$((acked + writes))
	else
		echo "round $((round - 1)): $counts" >>"$WORK/wrong"
	fi
	check_snapshots $((round % 10 == 0 ? 99 : 3))
	wrong_none || fail "after the kill of round $((round - 1))"
	rm -f "$WORK"/log.* "$WORK"/before.*

	live=
	if [ $((round % 5)) -eq 0 ]; then # a rollback or a clone
		name=$(find "$WORK/sums" -type f -printf '%f\n' | shuf -n 1)
		moves=$((moves + 1))
		case $((round % 15)) in
		0)
			cowd rollback -q "$STORE@$name"
			cp "$image" "$WORK/expected"
			[ "$(sum "$image")" = "$(cat "$WORK/sums/$name")" ] ||
				fail "round $round: rollback to $name"
			;;
		5)
			cowd clone -q "$STORE@$name" "c$round"
			cowd mount -q "$STORE:c$round" "$WORK/c"
			cp "$WORK/c/base.img" "$WORK/expected.c"
			[ "$(sum "$WORK/c/base.img")" = \
				"$(cat "$WORK/sums/$name")" ] ||
				fail "round $round: clone of $name"
			python3 "$ACKED" write "$WORK/c/base.img" direct 0 \
				20000 "$WORK/clone.log" &
			clone_writer=$!
			;;
		10) live=$name ;;
		esac
	fi
	python3 "$ACKED" write "$image" direct 0 $REGION "$WORK/log.direct" &
	writers=($!)
	python3 "$ACKED" write "$image" fsync $REGION $REGION \
		"$WORK/log.fsync" &
	writers+=($!)
	snapshots "$round" 2>/dev/null &
	snapper=$!
	nap 2500
	if [ -n "$live" ] && [ -e "$WORK/sums/$live" ]; then
		# Under the writers, and killed right after or in the midst.
		kill_tree $snapper
		cowd rollback -q --live "$STORE@$live" 2>/dev/null &
		roller=$!
		nap 60
	fi
	kill -9 "$pid"
	for writer in "${writers[@]}"; do
		wait_gone "$writer" 20 || {
			umount -f "$M"
			fail "round $round: a writer waits for ever"
		}
	done
	wait "${writers[@]}" 2>/dev/null || true
	kill_tree $snapper
	wait_gone "$pid" 10 || fail "$pid does not die"
	umount "$M" 2>/dev/null || umount -l "$M"

	if [ -n "$live" ] && [ -e "$WORK/sums/$live" ]; then
		rolled=0
		wait $roller || rolled=$?
		cowd mount -q "$STORE" "$M"
		if [ "$(sum "$image")" = "$(cat "$WORK/sums/$live")" ]; then
			cp "$image" "$WORK/expected"
			rm -f "$WORK"/log.*
		elif [ $rolled -eq 0 ]; then
			fail "round $round: a rollback was lost"
		fi
		cowd umount "$M"
	elif [ $((round % 15)) -eq 5 ]; then
		wait $clone_writer || true
		umount "$WORK/c" 2>/dev/null || umount -l "$WORK/c"
		cowd mount -q "$STORE:c$round" "$WORK/c"
		python3 "$ACKED" check "$WORK/c/base.img" "$WORK/expected.c" \
			"$WORK/clone.log" >/dev/null ||
			fail "round $round: the clone"
		rm -f "$WORK/clone.log"
		cowd umount "$WORK/c"
		cowd branch delete -q "$STORE:c$round"
	fi
	[ $((round % 10)) -ne 0 ] || cowd gc -q "$STORE"
done

cowd mount -q "$STORE" "$M"
python3 "$ACKED" check "$M/base.img" "$WORK/expected" "$WORK/log.direct" \
	"$WORK/log.fsync" >/dev/null || fail "the last round"
check_snapshots 99
claim "kill9: $rounds kills, $acked acknowledged blocks, all there" wrong_none
claim "kill9: $compared snapshots compared after a kill, none changed" \
	wrong_none
claim "kill9: $moves rollbacks and clones in between" [ "$moves" -gt 0 ]
claim "kill9: opening again took at most $open_most ms, $replay (1000)" \
	[ "$open_most" -lt 1000 ]
finish
