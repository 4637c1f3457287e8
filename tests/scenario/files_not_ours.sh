#!/usr/bin/env bash
# A9: a store is its owner's alone, whatever umask it was made with.
# A13: files of a store that became symlinks, hard links or fifos are refused,
# at once, and what they lead to stays as it is.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((1 << 20))
say "A9: modes"
(umask 0 && cowd create -q "$STORE" --base "$BASE" &&
	cowd mount -q "$STORE" "$M")
put "some content" 5000 "$(image "$M")"
cowd snapshot create -q "$STORE@a"
find "$STORE" -printf '%y %m %P\n' | while read -r type mode name; do
	case $type in
	d) [ "$mode" = 700 ] || fail "$name: mode $mode" ;;
	*) [ "$mode" = 600 ] || fail "$name: mode $mode" ;;
	esac
done
kill -9 "$(daemon_pid "$STORE")" # so that there is an index.db-wal
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 daemon_gone
umount "$M" || umount -l "$M"
cp -a "$STORE" "$WORK/saved"
restore() {
	rm -rf "$STORE"
	cp -a "$WORK/saved" "$STORE"
}

say "A13: links and fifos"
tried=0
for file in index.db index.db-wal store.conf lock segments/00000001.seg \
	segments; do
	[ -e "$WORK/saved/$file" ] || continue
	for how in symlink link fifo; do
		[ "$file$how" != segmentslink ] || continue
		restore
		rm -rf "$WORK/victim"
		mv "$STORE/$file" "$WORK/victim"
		before=$(find "$WORK/victim" -type f -exec cat {} + | sha256sum)
		case $how in
		symlink) ln -s "$WORK/victim" "$STORE/$file" ;;
		link) ln "$WORK/victim" "$STORE/$file" ;;
		fifo) mkfifo -m 600 "$STORE/$file" ;;
		esac
		rc=0
		timeout 20 "$COWD" mount "$STORE" "$M" >"$WORK/out" 2>&1 ||
			rc=$?
		[ "$rc" -ne 0 ] && [ "$rc" -lt 100 ] ||
			fail "$file as $how: exit $rc: $(cat "$WORK/out")"
		[ "$before" = "$(find "$WORK/victim" -type f -exec cat {} + |
			sha256sum)" ] || fail "$file as $how was written to"
		tried=$((tried + 1))
	done
done
[ "$tried" -ge 14 ] || fail "only $tried were tried"

say "A13: where a copy of the index is about to be written"
restore
rm -rf "$WORK/victim"
echo "not yours" >"$WORK/victim"
ln -sf "$WORK/victim" "$STORE/index.bak.tmp"
cowd mount -q "$STORE" "$M"
put "other content" 9000 "$(image "$M")"
cowd umount -q "$M"
until_true 10 daemon_gone
[ "$(cat "$WORK/victim")" = "not yours" ] || fail "a symlink was followed"
