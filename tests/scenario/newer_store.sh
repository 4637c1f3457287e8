#!/usr/bin/env bash
# A store that a newer cowd wrote is refused, and left as it is.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need sqlite3

make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
put "content" 5000 "$(image "$M")"
cowd umount "$M"
cp -a "$STORE" "$WORK/saved"
restore() {
	rm -rf "$STORE"
	cp -a "$WORK/saved" "$STORE"
}

say "another version"
sqlite3 "$STORE/index.db" 'PRAGMA user_version = 99'
refused 19 'newer cowd .format 99' cowd status "$STORE"
refused 19 'newer' cowd mount "$STORE" "$M"

say "features"
restore
sqlite3 "$STORE/index.db" \
	"UPDATE meta SET value = 4 WHERE key = 'incompatible_features'"
find "$STORE" -type f ! -name lock -exec sha256sum {} + >"$WORK/before"
refused 19 'newer cowd .feature bits 4' cowd status "$STORE"
refused 19 'newer' cowd snapshot create "$STORE"
sha256sum --quiet -c "$WORK/before"

say "a version in a segment, by a checksum that does not fit"
restore
printf '\002' | dd of="$STORE/segments/00000001.seg" bs=1 seek=8 conv=notrunc \
	status=none
refused 16 'segment|record' cowd mount "$STORE" "$M"

restore
cowd mount -q "$STORE" "$M"
grep -q content "$(image "$M")" || fail "the content is gone"
cowd umount "$M"
