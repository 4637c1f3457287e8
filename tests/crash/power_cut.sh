#!/usr/bin/env bash
# Claim: a power cut loses nothing that an fsync or a snapshot acknowledged.
#
# A store lives on an ext4 file system inside an image of an outer store.
# Snapshots of the outer image are what a power cut at that moment leaves of
# the inner one: what ext4 had written to its disk, and nothing of its page
# cache. Each is opened on a clone and checked.
#   power_cut.sh [CUTS]
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_loop
need mkfs.ext4 python3
cuts=${1:-30}
blocks=3000

truncate -s 2G "$BASE"
cowd create "$STORE" --base "$BASE" -q
cowd mount "$STORE" "$M" -q
loop=$(losetup -f --show --direct-io=on "$M/base.img")
on_exit "losetup -d $loop"
mkfs.ext4 -q "$loop"
disk=$WORK/disk
mkdir "$disk" "$WORK/inner" "$WORK/again" "$WORK/cut" "$WORK/open"
mount "$loop" "$disk"
on_exit "umount $disk"

make_base 64M "$WORK/golden.img"
inner=$disk/in.cowd
cowd create "$inner" --base "$WORK/golden.img" -q
cowd config set "$inner" checkpoint.log=1M checkpoint.every=1s -q
cowd mount "$inner" "$WORK/inner" -q
on_exit "cowd umount $WORK/inner"
pid=$(daemon_pid "$inner")
on_exit "kill -9 $pid"
image=$WORK/inner/golden.img

writers=()
for first in 0 "$blocks"; do
	python3 "$SUPPORT/writer.py" write "$image" fsync "$first" "$blocks" \
		"$WORK/log.$first" >"$WORK/writer.$first" 2>&1 &
	writers+=($!)
done
on_exit "kill ${writers[*]}"

# Snapshots come and go; their names are listed once they are durable.
snapshots() {
	local nr name
	for ((nr = 1; ; nr++)); do
		name=s$nr
		cat "$WORK/log.0" >"$WORK/snapshot.$name"
		cowd snapshot create "$inner@$name" -q || return
		echo "$name" >>"$WORK/taken"
		if ((nr > 8)); then
			echo "s$((nr - 8))" >>"$WORK/deleted"
			cowd snapshot delete "$inner@s$((nr - 8))" --now -q ||
				return
		fi
		sleep 0.1
	done
}
until_true 5 test -s "$WORK/log.0"
touch "$WORK/taken" "$WORK/deleted"
snapshots >"$WORK/snapshots.out" 2>&1 &
on_exit "kill $!"
taker=$!

sleep 2
for ((cut = 1; cut <= cuts; cut++)); do
	sleep "0.$((RANDOM % 9))"
	mkdir "$WORK/cut/$cut"
	cp "$WORK/log.0" "$WORK/log.$blocks" "$WORK/taken" "$WORK/cut/$cut"
	cowd snapshot create "$STORE@cut$cut" -q
	cp "$WORK/deleted" "$WORK/cut/$cut"
done
kill "$taker" "${writers[@]}" 2>/dev/null || true
wait "$taker" "${writers[@]}" 2>/dev/null || true

kept=0
for ((cut = 1; cut <= cuts; cut++)); do
	logs=$WORK/cut/$cut
	cowd clone "$STORE@cut$cut" "try$cut" -q
	cowd mount "$STORE:try$cut" "$WORK/again" -q
	try=$(losetup -f --show "$WORK/again/base.img")
	mount "$try" "$WORK/open"
	mkdir -p "$WORK/view"
	cowd mount "$WORK/open/in.cowd" "$WORK/view" -q ||
		fail "cut $cut: the store does not open"
	python3 "$SUPPORT/writer.py" check "$WORK/view/golden.img" 0 "$blocks" \
		"$logs/log.0" >/dev/null || fail "cut $cut: first writer"
	python3 "$SUPPORT/writer.py" check "$WORK/view/golden.img" "$blocks" \
		"$blocks" "$logs/log.$blocks" >/dev/null ||
		fail "cut $cut: second writer"
	while read -r name; do
		[ -s "$WORK/snapshot.$name" ] || continue
		python3 "$SUPPORT/writer.py" check \
			"$WORK/view/.snapshots/$name" 0 "$blocks" \
			"$WORK/snapshot.$name" >/dev/null ||
			fail "cut $cut: snapshot $name"
		kept=$((kept + 1))
	done < <(grep -vxFf "$logs/deleted" "$logs/taken")
	cowd umount "$WORK/view" -q
	umount "$WORK/open"
	losetup -d "$try"
	cowd umount "$WORK/again" -q
	cowd branch delete "$STORE:try$cut" -q --yes
done
((kept > 0)) || fail "no snapshot: $(cat "$WORK/snapshots.out")"
echo "power_cut: $cuts cuts, $(($(stat -c %s "$WORK/log.0") / 16)) and" \
	"$(($(stat -c %s "$WORK/log.$blocks") / 16)) acknowledged writes," \
	"$kept snapshots checked: nothing lost"
