#!/usr/bin/env bash
# A10: the control socket is the owner's and root's, whatever its mode.
# A11: halves of messages, NULs, no JSON, 4 GiB without an end, thousands of
# idle connections: memory is bounded, and the owner's commands are answered.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_root
need setpriv python3

make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"
cowd mount "$STORE" "$M"
pid=$(daemon_pid "$STORE")
ask() { timeout 60 python3 "$SUPPORT/abuse.py" "$STORE/cowd.sock" "$@"; }

say "A10: another user, even if the modes let him"
ask ask || fail "root gets no answer"
chmod 711 "$WORK" "$STORE"
chmod 666 "$STORE/cowd.sock"
rc=0
PATH=/usr/bin:/bin setpriv --reuid 65534 --regid 65534 --clear-groups \
	python3 - "$STORE/cowd.sock" ask <"$SUPPORT/abuse.py" || rc=$?
[ "$rc" -eq 3 ] || fail "exit $rc: another user was answered"
grep -q "uid 65534" "$STORE/daemon.log" || fail "it was not logged"
chmod 700 "$STORE"

say "A11: odd messages, and one without an end"
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
before=$(rss)
ask odd || fail "see above"
ask endless || fail "see above"
[ $(($(rss) - before)) -lt 65536 ] || fail "from $before to $(rss) KiB"

say "A11: idle connections"
mkfifo "$WORK/go"
exec 8<>"$WORK/go"
python3 "$SUPPORT/abuse.py" "$STORE/cowd.sock" idle <&8 >"$WORK/held" &
idle=$!
held() { [ -s "$WORK/held" ]; }
until_true 60 held
[ "$(ls "/proc/$pid/task" | wc -l)" -lt 100 ] || fail "too many threads"
put "still served" 0 "$(image "$M")"
echo >&8
wait "$idle"
answered() { ask ask; }
until_true 30 answered
[ $(($(rss) - before)) -lt 65536 ] || fail "from $before to $(rss) KiB"
[ "$(daemon_pid "$STORE")" = "$pid" ] || fail "the daemon died"
cowd umount -q "$M"
