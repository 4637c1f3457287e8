#!/usr/bin/env bash
# A store or base that is not what it was is refused, or used, but never mixed.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need sqlite3

make_base $((2 << 20))
cowd create "$STORE" --base "$BASE"
cowd mount "$STORE" "$M"
head -c 1M "$BASE" | tr a-m n-z | dd of="$(image "$M")" conv=notrunc \
	bs=64k status=none
cowd snapshot create "$STORE@s1"
sum "$(image "$M")" >"$WORK/sum"
cowd umount "$M"
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 daemon_gone
cp -a "$STORE" "$WORK/saved"
restore() {
	rm -rf "$STORE"
	cp -a "$WORK/saved" "$STORE"
}

say "the base changed, moved, is gone"
touch -r "$BASE" "$WORK/stamp"
touch "$BASE"
refused 17 'base' cowd mount "$STORE" "$M"
touch -r "$WORK/stamp" "$BASE"
mv "$BASE" "$WORK/away.img"
rc=0
cowd mount "$STORE" "$M" 2>"$WORK/out" || rc=$?
[ "$rc" -ne 0 ] || fail "mounted without its base"
grep -qF "$BASE" "$WORK/out" || fail "the base is not named"
mv "$WORK/away.img" "$BASE"

say "a segment is cut short, or missing"
for damage in "truncate -s 8192" "rm -f"; do
	restore
	segment=$(find "$STORE/segments" -name '*.seg' | sort | head -n 1)
	$damage "$segment"
	rc=0
	cowd mount "$STORE" "$M" >"$WORK/out" 2>&1 || rc=$?
	if [ "$rc" -eq 0 ]; then
		# Never other bytes than those that were written.
		! now=$(sum "$(image "$M")" 2>/dev/null) ||
			[ "$now" = "$(cat "$WORK/sum")" ] ||
			fail "$damage: wrong data"
		cowd umount "$M"
		until_true 10 daemon_gone
	else
		[ "$rc" -eq 16 ] || fail "$damage: exit $rc"
		grep -qi segment "$WORK/out" || fail "$(cat "$WORK/out")"
	fi
done

say "no index: says how to repair"
restore
rm -f "$STORE"/index.db "$STORE"/index.db-wal
refused 16 'index' cowd mount "$STORE" "$M"
repair=$(sed -n 's/^  hint: \(.*index\.db\) restores .*/\1/p' "$WORK/out")
[ -n "$repair" ] || fail "$(cat "$WORK/out")"
eval "$repair" # as it says
cowd mount "$STORE" "$M"
[ "$(sum "$(image "$M")")" = "$(cat "$WORK/sum")" ] || fail "content differs"
cowd umount "$M"
rm -f "$STORE"/index.db "$STORE"/index.bak
refused 16 'index.bak is missing too' cowd mount "$STORE" "$M"

say "files that are not ours"
for file in index.db segments/00000001.seg lock; do
	[ -e "$WORK/saved/$file" ] || continue
	restore
	mv "$STORE/$file" "$WORK/moved"
	ln -s "$WORK/moved" "$STORE/$file"
	rc=0
	timeout 20 "$COWD" status "$STORE" >"$WORK/out" 2>&1 || rc=$?
	[ "$rc" -ne 0 ] || fail "$file may be a symlink"
	rm -f "$WORK/moved"
done
restore
cowd mount "$STORE" "$M"
[ "$(sum "$(image "$M")")" = "$(cat "$WORK/sum")" ] || fail "content differs"
cowd umount "$M"
