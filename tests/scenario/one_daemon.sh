#!/usr/bin/env bash
# One store has one daemon, and other users get nowhere.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((1 << 20))
cowd create "$STORE" --base "$BASE"
(cd "$WORK" && exec 9>"$WORK/held" && exec cowd mount s.cowd m)
pid=$(daemon_pid "$STORE")
[ -n "$pid" ] || fail "no daemon"

say "it keeps nothing of the shell that started it"
[ "$(readlink "/proc/$pid/cwd")" = / ] || fail "it stays where the user was"
[ -z "$(find "/proc/$pid/fd" -lname "$WORK/held")" ] || fail "it kept a file"

say "a second mount is served by the same daemon"
mkdir "$WORK/again"
cowd clone "$STORE" other
cowd mount "$STORE:other" "$WORK/again"
[ "$(daemon_pid "$STORE")" = "$pid" ] || fail "another daemon took over"
cowd umount "$WORK/again"

say "without its socket the daemon still holds the store"
mv "$STORE/cowd.sock" "$WORK/sock"
refused 11 "$pid|use|lock" cowd mount "$STORE:other" "$WORK/again"
mv "$WORK/sock" "$STORE/cowd.sock"
[ "$(stat -c %a "$STORE/cowd.sock")" = 600 ] || fail "the socket is open"

say "a socket that nobody answers is no obstacle"
cowd umount "$M"
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 daemon_gone
cowd mount "$STORE" "$M"
pid=$(daemon_pid "$STORE")
kill -9 "$pid"
wait_gone "$pid" 10
umount "$M" 2>/dev/null || umount -l "$M"
cowd mount "$STORE" "$M"
[ -n "$(daemon_pid "$STORE")" ] || fail "no daemon"

say "SIGTERM unmounts and leaves a clean store"
put "kept" 1000 "$(image "$M")"
kill "$(daemon_pid "$STORE")"
until_true 20 daemon_gone
! mountpoint -q "$M" || fail "still mounted"
cowd mount "$STORE" "$M"
dd if="$(image "$M")" bs=1 skip=1000 count=4 status=none | grep -qx kept ||
	fail "a write was lost"

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	say "another user"
	chmod 755 "$WORK"
	other=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	rc=0
	"${other[@]}" "$COWD" status "$STORE" >"$WORK/out" 2>&1 || rc=$?
	[ "$rc" -ne 0 ] || fail "another user may ask"
	"${other[@]}" ls "$M" 2>/dev/null && fail "another user looks inside"
	cowd umount "$M"
	until_true 10 daemon_gone
	chmod 777 "$STORE"
	rc=0
	cowd mount "$STORE" "$M" >"$WORK/out" 2>&1 || rc=$?
	[ "$rc" -ne 0 ] || fail "a store that anybody can write to"
	grep -qF "$STORE" "$WORK/out" || fail "the store is not named"
	chmod 700 "$STORE"
	chown 65534 "$STORE"
	rc=0
	cowd mount "$STORE" "$M" >"$WORK/out" 2>&1 || rc=$?
	[ "$rc" -ne 0 ] || fail "a store of another user"
	chown 0 "$STORE"
	cowd mount "$STORE" "$M"
fi
cowd umount "$M"
