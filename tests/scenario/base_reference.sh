#!/usr/bin/env bash
# A20: a store that names something else as its base does not make cowd show
# it: files that are not what was recorded, devices, and names of other systems.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_root
need sqlite3

make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"
echo "nobody's business" >"$WORK/secret"
set_base() { sqlite3 "$STORE/index.db" "UPDATE base SET $1" >/dev/null; }

say "another path, then with what can be seen of the file from outside"
for path in "$WORK/secret" /etc/shadow /dev/zero /proc/self/environ \
	'json:{"driver":"file"}' 'nbd://localhost/x' relative; do
	set_base "path = '${path//\'/}'"
	rc=0
	timeout 20 "$COWD" mount "$STORE" "$M" >"$WORK/out" 2>&1 || rc=$?
	[ "$rc" -ne 0 ] && [ "$rc" -lt 100 ] || fail "$path: exit $rc"
	! mountpoint -q "$M" || fail "$path is shown"
	! grep -q "nobody's business" "$WORK/out" || fail "$(cat "$WORK/out")"
done
read -r device inode size seconds rest < <(
	stat -c '%d %i %s %Y %y' "$WORK/secret")
fraction=${rest#*.}
set_base "path = '$WORK/secret', device = $device, inode = $inode,
	size_bytes = $size, mtime_ns = $seconds${fraction%% *}"
refused 17 "base" cowd mount "$STORE" "$M"

say "a symlink in its place"
set_base "path = '$WORK/link'"
ln -s "$WORK/secret" "$WORK/link"
refused 17 "base" cowd mount "$STORE" "$M"

say "a device where a file was, a directory where an image was"
set_base "kind = 2, path = '/dev/zero'"
rc=0
timeout 20 "$COWD" mount "$STORE" "$M" >"$WORK/out" 2>&1 || rc=$?
[ "$rc" -ne 0 ] && [ "$rc" -lt 100 ] || fail "/dev/zero: exit $rc"
set_base "kind = 3, path = '/etc'"
rc=0
timeout 20 "$COWD" mount "$STORE" "$M" >"$WORK/out" 2>&1 || rc=$?
[ "$rc" -ne 0 ] && [ "$rc" -lt 100 ] || fail "/etc: exit $rc"
! mountpoint -q "$M" || fail "/etc is shown"
