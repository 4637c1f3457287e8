#!/usr/bin/env bash
# D13: a store that is in use is refused to whoever else wants to write it, by
# any way; a lock lasts as long as the process that has it.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_root
need unshare sqlite3

make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"
mkdir "$WORK/m2"
cowd mount -q "$STORE" "$M"
pid=$(daemon_pid "$STORE")
mv "$STORE/cowd.sock" "$WORK/sock" # so that nobody asks the daemon

say "others, also from mounts of their own"
for words in "mount $STORE $WORK/m2" "snapshot delete $STORE@none"; do
	# shellcheck disable=SC2086
	refused 11 "in use.*$pid" cowd $words
done
refused 11 "in use.*$pid" unshare -m "$COWD" gc "$STORE"
! sqlite3 "$STORE/index.db" 'DELETE FROM branches' 2>"$WORK/out" ||
	fail "another one wrote into the index"
if [ -x "${COWD%/*/*}/fsck/cowd-fsck" ]; then
	for option in -n -p -y; do
		refused 8 "in use" "${COWD%/*/*}/fsck/cowd-fsck" $option "$STORE"
	done
fi

say "the text of the lock says nothing: who holds it does"
echo 1 >"$STORE/lock"
refused 11 "in use" cowd gc "$STORE"
mv "$WORK/sock" "$STORE/cowd.sock"
kill -9 "$pid"
wait_gone "$pid" 10 || fail "pid $pid is still there"
umount "$M" || umount -l "$M"
echo 1 >"$STORE/lock" # init is alive, and has nothing to do with it
cowd mount -q "$STORE" "$M" || fail "a dead one's lock is in the way"
same "$(image "$M")" "$BASE"
cowd umount -q "$M"
