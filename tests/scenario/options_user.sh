#!/usr/bin/env bash
# Mounting without root, through fusermount3. Rows 001-33 (fuse.conf) and
# 001-34 (where a user may mount, and who sees it). A3, A8, A22.
# With mounts of its own: /dev/fuse for everybody, and another fuse.conf.
[ "$(id -u)" -ne 0 ] || [ -n "${OWN_MOUNTS:-}" ] ||
	OWN_MOUNTS=1 exec unshare -m "$0" "$@"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need setpriv fusermount3 unshare
chmod 755 "$WORK"
cat >"$WORK/bin/as_user" <<'SH'
#!/bin/sh
uid=$1
shift
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
SH
chmod 755 "$WORK/bin/as_user"
as_user 65534 test -x "$COWD" || skip "others can't run $COWD"
mknod -m 666 "$WORK/fuse" c 10 229
mount --bind "$WORK/fuse" /dev/fuse
touch "$WORK/fuse.conf"
mount --bind "$WORK/fuse.conf" /etc/fuse.conf
on_exit umount /etc/fuse.conf
on_exit umount /dev/fuse

say "001-34: without root, only the user sees it, root neither"
user=$WORK/user
mkdir -m 700 "$user"
mkdir "$user/m"
make_base $((1 << 20)) "$user/base.img"
chown -R 65534:65534 "$user"
on_exit "as_user 65534 fusermount3 -uz $user/m"
as_user 65534 cowd create -q "$user/s.cowd" --base "$user/base.img"
as_user 65534 cowd mount -q -o suid,dev "$user/s.cowd" "$user/m" 2>"$WORK/err"
[ "$(grep -c 'warning: .*only root' "$WORK/err")" -eq 2 ] ||
	fail "$(cat "$WORK/err")"
as_user 65534 cat "$user/m/base.img" | cmp - "$user/base.img"
refused 1 "denied" cat "$user/m/base.img"
grep -q " $user/m fuse.cowd .*nosuid,nodev" /proc/mounts ||
	fail "it is not nosuid,nodev"
as_user 65534 cowd umount "$user/m"

say "001-34: three places where a user can't mount"
mkdir "$WORK/roots" "$WORK/sticky"
chmod 1777 "$WORK/sticky"
refused 1 "only root may mount" as_user 65534 cowd mount "$user/s.cowd" \
	"$WORK/roots"
refused 1 "sticky" as_user 65534 cowd mount "$user/s.cowd" "$WORK/sticky"
refused 2 "inside the store" as_user 65534 cowd mount -o nonempty \
	"$user/s.cowd" "$user/s.cowd"

say "001-33: fuse.conf says whether users may let others in"
for option in allow_other allow_root; do
	refused 1 "user_allow_other" as_user 65534 cowd mount -o $option \
		"$user/s.cowd" "$user/m"
done
echo user_allow_other >/etc/fuse.conf
as_user 65534 cowd mount -q -o allow_root "$user/s.cowd" "$user/m"
chmod 711 "$user"
same "$user/m/base.img" "$user/base.img" "what root sees"
refused 1 denied as_user 65532 stat "$user/m/base.img"
as_user 65534 cat "$user/m/base.img" >/dev/null
refused 1 denied as_user 65532 stat "$user/m/base.img"
as_user 65534 cowd umount "$user/m"
as_user 65534 cowd mount -q -o allow_other "$user/s.cowd" "$user/m"
as_user 65532 stat "$user/m/base.img" >/dev/null || fail "allow_other"
as_user 65534 cowd umount "$user/m"
echo "mount_max = 0" >/etc/fuse.conf
refused 1 "kernel refused|too many" as_user 65534 cowd mount \
	"$user/s.cowd" "$user/m"
