#!/usr/bin/env bash
# Who reaches a mount. Rows 001-4 (default_permissions), 001-5 (allow_other),
# 001-6 (allow_root), 001-23 to 001-25 (umask, uid, gid).
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need setpriv
chmod 755 "$WORK"
cat >"$WORK/bin/as_user" <<'SH'
#!/bin/sh
uid=$1
shift
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
SH
chmod 755 "$WORK/bin/as_user"
make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"

say "001-5 and 001-6 together are refused"
refused 2 "together" cowd mount -o allow_other,allow_root "$STORE" "$M"

say "001-4, 001-5, A7: others meet the modes"
cowd mount -q -o allow_other "$STORE" "$M"
image=$(image "$M")
chmod 600 "$image"
refused 1 "denied" as_user 65534 cat "$image"
chmod 644 "$image"
as_user 65534 cat "$image" >/dev/null || fail "0644 can't be read"
cowd umount "$M"

say "001-23 to 001-25: what stat shows is what is checked"
cowd mount -q -o allow_other,uid=65534,gid=65533,umask=027 "$STORE" "$M"
[ "$(stat -c '%u %g %a' "$image")" = "65534 65533 750" ] ||
	fail "$(stat -c '%u %g %a' "$image")"
as_user 65534 cat "$image" >/dev/null || fail "the owner can't read"
refused 1 "denied" as_user 65532 cat "$image"
cowd umount "$M"
for option in uid=x uid=-1 gid= umask=9 umask=1000 uid=4294967296 umask; do
	refused 2 "${option%%=*}" cowd mount -o "$option" "$STORE" "$M"
done
