#!/usr/bin/env bash
# scripts/try ends well, twice, with an image of its own or a given one, and
# leaves nothing behind, whenever it is stopped.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_loop
need mke2fs setsid
export TMPDIR=$WORK COWD
try=$(realpath "$(dirname "$0")/../../scripts/try")

nothing_left() {
	! grep -F "$WORK/" /proc/mounts || fail "$1: still mounted"
	! losetup -n -O BACK-FILE | grep -F "$WORK/" ||
		fail "$1: a loop device is left"
	[ -z "$(find "$WORK" -maxdepth 1 -name 'cowd-try-*')" ] ||
		fail "$1: its folder is left"
}

say "with an image of its own, and once more"
for _ in 1 2; do
	"$try" --no-deps >"$WORK/out" 2>&1 || fail "$(cat "$WORK/out")"
	grep -q 'after the accident' "$WORK/out" || fail "$(cat "$WORK/out")"
	nothing_left "made"
done

say "with images that are given"
truncate -s 64M "$WORK/ext4.img"
mke2fs -q -t ext4 -d /usr/share/common-licenses "$WORK/ext4.img"
images=(ext4.img)
if command -v mkfs.xfs >/dev/null && grep -qw xfs /proc/filesystems; then
	truncate -s 320M "$WORK/xfs.img"
	mkfs.xfs -q "$WORK/xfs.img"
	images+=(xfs.img)
fi
for image in "${images[@]}"; do
	before=$(sum "$WORK/$image")
	(cd "$WORK" && "$try" "$image") >"$WORK/out" 2>&1 ||
		fail "$image: $(cat "$WORK/out")"
	[ "$(sum "$WORK/$image")" = "$before" ] || fail "$image was changed"
	nothing_left "$image"
done

say "what it can't use"
make_base 65536
refused 1 "can't be mounted" "$try" "$BASE"
nothing_left "no file system"
refused 1 "can't be read" "$try" "$WORK/none.img"
refused 2 "unknown option" "$try" --bogus

say "stopped at any moment"
for moment in 0.2 0.5 0.8 1.1; do
	rc=0
	setsid "$try" >"$WORK/out" 2>&1 &
	pid=$!
	sleep "$moment"
	kill -TERM -- -"$pid" 2>/dev/null || true
	wait "$pid" || rc=$?
	[ "$rc" -eq 143 ] || [ "$rc" -eq 0 ] ||
		fail "exit $rc after $moment s: $(cat "$WORK/out")"
	nothing_left "stopped after $moment s"
done
