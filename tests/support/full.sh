# shellcheck shell=bash
# For tests on a host file system that others fill to the last byte. Source it
# after lib.sh: full_host ext4|xfs|tmpfs MIB makes one at HOST.
HOST=$WORK/host

full_host() { # KIND MIB
	mkdir -p "$HOST"
	case $1 in
	ext4)
		need mke2fs
		truncate -s "$2M" "$WORK/host.img"
		# No blocks for root either.
		mke2fs -q -F -t ext4 -m 0 "$WORK/host.img"
		mount -o loop "$WORK/host.img" "$HOST"
		;;
	xfs)
		need mkfs.xfs
		truncate -s "$2M" "$WORK/host.img"
		mkfs.xfs -q "$WORK/host.img" || skip "mkfs.xfs makes none"
		mount -o loop "$WORK/host.img" "$HOST"
		;;
	tmpfs) mount -t tmpfs -o size="$2M" none "$HOST" ;;
	esac
	on_exit "umount $HOST"
	# shellcheck disable=SC2034 # for who sources this
	STORE=$HOST/s.cowd
}

free_bytes() { df -B1 --output=avail "$HOST" | tail -n 1 | tr -d ' '; }

# Others take all there is, and what comes free meanwhile.
fill_host() {
	local i size
	for i in {1..4}; do
		for size in 1M 64k 4k 1k; do
			dd if=/dev/zero bs=$size status=none 2>/dev/null \
				of="$HOST/filler.$i.$size" || true
		done
		sync -f "$HOST"
	done
	echo "$(free_bytes) bytes are free"
}

# They go on taking it.
fill_on() {
	(
		exec >/dev/null 2>&1
		i=0
		while :; do
			i=$((i + 1))
			dd if=/dev/zero bs=4k of="$HOST/filler.on.$i" || true
			[ -s "$HOST/filler.on.$i" ] || rm -f "$HOST/filler.on.$i"
			sleep 0.01
		done
	) &
	FILLER=$!
	on_exit "kill $FILLER"
}
fill_no_more() {
	kill "$FILLER" 2>/dev/null || true
	wait "$FILLER" 2>/dev/null || true
}
free_host() {
	rm -f "$HOST"/filler.*
	sync -f "$HOST"
}

# What the daemon said, and how it is: never read-only.
still_writable() {
	cowd status --json "$STORE" >"$WORK/status" || [ $? -le 3 ] ||
		fail "no status"
	[ "$(json 'd["read_only"]' <"$WORK/status")" = False ] ||
		fail "the store is read-only: $(cat "$WORK/status")"
}
