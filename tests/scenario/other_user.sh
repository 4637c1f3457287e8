#!/usr/bin/env bash
# Another user reaches a mount with allow_other only, and then meets the modes
# of the files (A7). He can't end it, either (A22).
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need setpriv

make_base $((1 << 20))
chmod 755 "$WORK"
other=(setpriv --reuid 65534 --regid 65534 --clear-groups)
cowd create -q "$STORE" --base "$BASE"

say "without allow_other: nothing at all"
cowd mount -q "$STORE" "$M"
image=$(image "$M")
chmod 666 "$image"
refused 1 "permission denied" "${other[@]}" stat "$M"
refused 1 "permission denied" "${other[@]}" cat "$image"
cowd umount "$M"

say "with it: what the modes allow"
cowd mount -q -o allow_other "$STORE" "$M"
"${other[@]}" head -c 1 "$image" >/dev/null || fail "it can't be read"
put "root" 0 "$image"
"${other[@]}" dd if=/dev/zero of="$image" bs=4k count=1 conv=notrunc \
	status=none || fail "mode 666 can't be written"
chmod 600 "$image"
refused 1 "permission denied" "${other[@]}" cat "$image"
refused 1 'not permitted' "${other[@]}" chmod 666 "$image"
refused 1 . "${other[@]}" "$COWD" umount "$M"
refused 1 . "${other[@]}" "$COWD" umount -l "$STORE"
mountpoint -q "$M" || fail "another user unmounted it"
cowd umount "$M"

say "as whose file it is, and for whom"
cowd mount -q -o allow_other,uid=65534,gid=65534,umask=077 "$STORE" "$M"
[ "$(stat -c '%u %g %a' "$M")" = "65534 65534 700" ] ||
	fail "$(stat -c '%u %g %a' "$M")"
"${other[@]}" head -c 1 "$image" >/dev/null || fail "the owner can't read"
cowd umount "$M"
