#!/usr/bin/env bash
# Without root: a snapshot of one's own store is a layer, one of another's not.
# With mounts of its own: /dev/fuse for everybody.
[ "$(id -u)" -ne 0 ] || [ -n "${OWN_MOUNTS:-}" ] ||
	OWN_MOUNTS=1 exec unshare -m "$0" "$@"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need setpriv fusermount3 unshare
chmod 755 "$WORK"
user=$WORK/user
install -d -o 65534 -g 65534 "$user"
cat >"$WORK/bin/as_user" <<SH
#!/bin/sh
cd "$user" || exit
exec setpriv --reuid 65534 --regid 65534 --clear-groups \
	env -u XDG_RUNTIME_DIR "\$@"
SH
chmod 755 "$WORK/bin/as_user"
as_user test -x "$COWD" || skip "others can't run $COWD"
mknod -m 666 "$WORK/fuse" c 10 229
mount --bind "$WORK/fuse" /dev/fuse
on_exit umount /dev/fuse
on_exit as_user fusermount3 -uz m

say "both are the user's"
as_user mkdir base m
as_user touch base/file
as_user cowd create -q low.cowd --base base
as_user cowd snapshot create -q low.cowd@v1
as_user cowd create -q up.cowd --base low.cowd@v1
as_user cowd mount -q up.cowd m
[ "$(as_user ls m)" = file ] || fail "$(as_user ls m)"
as_user touch m/new
[ "$(grep -c "^$user/" /proc/mounts)" -eq 1 ] || fail "$(cat /proc/mounts)"
no_place() {
	! find /tmp /run -maxdepth 1 -user 65534 -name 'cowd-layer-*' | grep -q .
}
until_true 10 no_place
as_user cowd umount -q m
gone() { [ -z "$(daemon_pid "$1")" ]; }
until_true 10 gone "$user/low.cowd"

say "one is somebody else's"
mkdir "$WORK/base"
cowd create -q "$WORK/root.cowd" --base "$WORK/base"
cowd snapshot create -q "$WORK/root.cowd@v1"
refused 1 'belongs to uid 0|denied' as_user cowd create x.cowd \
	--base "$WORK/root.cowd@v1"
[ ! -e "$user/x.cowd" ] || fail "something was left behind"
