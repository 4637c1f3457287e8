#!/usr/bin/env bash
# What is installed works where it is put, mount(8) finds its helper, and
# uninstalling leaves nothing.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need meson ninja
build=$(dirname "$(dirname "$COWD")")
[ -d "$build/meson-info" ] || skip "$build was not made by meson"

# `ninja uninstall` of a real installation goes on working.
log=$build/meson-logs/install-log.txt
on_exit "rm -f $log; [ ! -e $WORK/log ] || mv $WORK/log $log"
[ ! -e "$log" ] || cp -p "$log" "$WORK/log"
mkdir "$WORK/root"
install() { DESTDIR=$WORK/root meson install -C "$build" --no-rebuild --quiet; }
files() { find "$WORK/root" ! -type d | sort; }

say "everything is there; uninstalling takes all of it away"
install
for file in bin/cowd sbin/cowd-fsck sbin/fsck.cowd sbin/mount.cowd sbin/umount.fuse.cowd man/man8/cowd.8 \
	man/man5/cowd-format.5 man/man1/cowd-diverge.1 \
	bash-completion/completions/cowd.bash site-functions/_cowd \
	vendor_completions.d/cowd.fish; do
	files | grep -q "/$file\$" || fail "$file is not installed"
done
ninja -C "$build" uninstall >"$WORK/out"
[ -z "$(files)" ] || fail "left behind: $(files)"

say "it runs from anywhere, without the build folder"
install
bin=$(dirname "$(files | grep '/bin/cowd$')")
mv "$(dirname "$bin")" "$WORK/opt"
COWD_DAEMON=$WORK/opt/bin/cowd
cd "$WORK"
PATH=$WORK/opt/bin:/usr/bin:/bin
[ "$(command -v cowd)" = "$COWD_DAEMON" ] || fail "another cowd"
cowd --version | grep -qE '^cowd [0-9]+(\.[0-9]+)+$' || fail "no version"
! ldd "$COWD_DAEMON" | grep "$build" || fail "it needs the build folder"

say "create, mount, write, umount"
make_base $((1 << 20))
cowd create "$STORE" --base "$BASE"
cowd mount "$STORE" "$M"
put "installed" 5000 "$(image "$M")"
cowd umount "$M"

say "mount.cowd by its path, with all that fstab and systemd may say"
"$WORK/opt/sbin/mount.cowd" "$STORE" "$M" \
	-o rw,nofail,_netdev,x-systemd.automount,defaults,branch=main
grep -q installed "$(image "$M")" || fail "another content"
umount "$M"
gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 gone
"$WORK/opt/sbin/mount.cowd" "$STORE" "$M" -v -n -s -t cowd -o "rw,auto,user=me" \
	-o nouser,group,owner,nosuid,nodev,noexec,noatime,nodiratime,lazytime \
	-o strictatime,iversion,mand,silent,nosymfollow,dirsync,X-y,comment=z
umount "$M"
until_true 10 gone
refused 2 'unknown mount option' "$WORK/opt/sbin/mount.cowd" "$STORE" "$M" \
	-o errors=remount-ro
refused 12 nobranch "$WORK/opt/sbin/mount.cowd" "$STORE" "$M" -o branch=nobranch
refused 2 'store and a directory' "$WORK/opt/sbin/mount.cowd" "$STORE"

say "mount -t cowd, and fstab"
[ "$(id -u)" -eq 0 ] && [ ! -e /sbin/mount.cowd ] && [ -w /sbin ] || exit 0
on_exit "rm -f /sbin/mount.cowd /sbin/umount.fuse.cowd"
ln -s "$COWD_DAEMON" /sbin/mount.cowd
ln -s "$COWD_DAEMON" /sbin/umount.fuse.cowd
mount -t cowd "$STORE" "$M"
grep -q installed "$(image "$M")" || fail "another content"
umount "$M" # waits for the daemon
gone || fail "umount does not wait for the daemon"
cowd snapshot create "$STORE@s1"
echo "$STORE $M cowd ro,snapshot=s1,nofail,x-test 0 0" >"$WORK/fstab"
mount -T "$WORK/fstab" "$M"
grep -q installed "$(image "$M")" || fail "another content"
if (put x 0 "$(image "$M")") 2>"$WORK/err"; then
	fail "a snapshot was written to"
fi
umount "$M"
until_true 10 gone
