# shellcheck shell=bash
# Power cuts: a store that lives on an ext4 file system inside an image of an
# outer store. Snapshots of the outer image are what a power cut at that moment
# leaves of the inner one: what ext4 had written to its disk, and nothing of
# its page cache.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_root
need_fuse
need_loop
need mkfs.ext4 python3

inner=$WORK/disk/in.cowd # the store under test
cut_logs=()		 # what writers acknowledged, one file each

power_up() { # COWD-CREATE-OPTION...: makes the inner store
	truncate -s 2G "$BASE"
	cowd create "$STORE" --base "$BASE" -q
	cowd mount "$STORE" "$M" -q
	loop=$(losetup -f --show --direct-io=on "$M/base.img")
	on_exit "losetup -d $loop"
	mkfs.ext4 -q "$loop"
	mkdir "$WORK/disk" "$WORK/inner" "$WORK/again" "$WORK/cut" \
		"$WORK/open" "$WORK/view"
	mount "$loop" "$WORK/disk"
	on_exit "umount $WORK/disk"
	cowd create "$inner" "$@" -q
	cowd config set "$inner" checkpoint.log=1M checkpoint.every=1s -q
	cowd mount "$inner" "$WORK/inner" -q
	on_exit "cowd umount $WORK/inner"
	inner_pid=$(daemon_pid "$inner")
	on_exit "kill -9 $inner_pid"
}

# Snapshots come and go; their names are listed once they are durable.
snapshots_forever() {
	local nr name
	for ((nr = 1; ; nr++)); do
		name=s$nr
		cat "${cut_logs[0]}" >"$WORK/snapshot.$name"
		cowd snapshot create "$inner@$name" -q || return
		cat "${cut_logs[0]}" >"$WORK/snapshot.$name.after"
		echo "$name" >>"$WORK/taken"
		if ((nr > 8)); then
			echo "s$((nr - 8))" >>"$WORK/deleted"
			cowd snapshot delete "$inner@s$((nr - 8))" --now -q ||
				return
		fi
		sleep 0.1
	done
}

# power_cuts COUNT WRITER...: cuts while the writers run, then ends them.
power_cuts() {
	local count=$1 cut taker
	shift
	touch "$WORK/taken" "$WORK/deleted"
	snapshots_forever >"$WORK/snapshots.out" 2>&1 &
	taker=$!
	on_exit "kill $taker"
	sleep 2
	for ((cut = 1; cut <= count; cut++)); do
		sleep "0.$((RANDOM % 9))"
		mkdir "$WORK/cut/$cut"
		cp "${cut_logs[@]}" "$WORK/taken" "$WORK/cut/$cut"
		cowd snapshot create "$STORE@cut$cut" -q
		mkdir "$WORK/cut/$cut/after"
		cp "${cut_logs[@]}" "$WORK/cut/$cut/after"
		cp "$WORK/deleted" "$WORK/cut/$cut"
	done
	kill "$taker" "$@" 2>/dev/null || true
	wait "$taker" "$@" 2>/dev/null || true
}

# power_check COUNT CHECK: opens each cut; CHECK VIEW DIRECTORY looks at the
# head, with the logs from just before the cut, and after/ the same from just
# after; CHECK_snapshot VIEW/.snapshots/NAME LOG (and LOG.after) at each
# snapshot that must be there.
power_check() {
	local count=$1 check=$2 cut logs try name
	kept=0
	for ((cut = 1; cut <= count; cut++)); do
		logs=$WORK/cut/$cut
		cowd clone "$STORE@cut$cut" "try$cut" -q
		cowd mount "$STORE:try$cut" "$WORK/again" -q
		try=$(losetup -f --show "$WORK/again/base.img")
		mount "$try" "$WORK/open"
		cowd mount "$WORK/open/in.cowd" "$WORK/view" -q ||
			fail "cut $cut: the store does not open"
		"$check" "$WORK/view" "$logs" || fail "cut $cut"
		while read -r name; do
			[ -s "$WORK/snapshot.$name" ] || continue
			"${check}_snapshot" "$WORK/view/.snapshots/$name" \
				"$WORK/snapshot.$name" ||
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
}
