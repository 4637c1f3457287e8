#!/usr/bin/env bash
# A scrub of a store in use names what is damaged, can be paused, goes on after
# a restart, and takes nothing for damage that goes away meanwhile.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

make_base $((8 << 20))
cowd create "$STORE" --base "$BASE"
cowd config set "$STORE" compress=off >"$WORK/out"
cowd mount "$STORE" "$M"
image=$(image "$M")
rand() {
	dd if=/dev/urandom of="$image" bs=4k conv=notrunc,fsync status=none "$@"
}
# scrub CODE COMMAND...: with this exit code.
scrub() {
	local code=$1 rc=0 && shift
	cowd scrub "$@" "$STORE" >"$WORK/out" 2>&1 || rc=$?
	[ "$rc" -eq "$code" ] || fail "scrub $*: exit $rc: $(cat "$WORK/out")"
}
state() { { cowd scrub status --json "$STORE" || true; } | json "$1"; }
is() { [ "$(state 'd["state"]')" = "$1" ] || fail "no $1: $(state d)"; }
daemon_gone() { [ -z "$(daemon_pid "$STORE")" ]; }

say "a sound store"
rand count=1024
cowd snapshot create "$STORE@s1"
scrub 0 status
grep -qx 'scrub: never' "$WORK/out" || fail "$(cat "$WORK/out")"
scrub 0 start -w
grep -q '^scrub: finished' "$WORK/out" || fail "$(cat "$WORK/out")"
cowd status "$STORE" >"$WORK/out" || fail "$(cat "$WORK/out")"
grep -q 'scrub .*0 errors' "$WORK/out" || fail "$(cat "$WORK/out")"

say "a block goes bad under the daemon: found and named"
# The block at 1 MiB, wherever it is stored.
head -c $((1 << 20 | 4096)) "$image" | tail -c 4096 >"$WORK/block"
python3 -c '
import glob, sys
block = open(sys.argv[2], "rb").read()
for path in glob.glob(sys.argv[1] + "/segments/*.seg"):
    with open(path, "r+b") as f:
        at = f.read().find(block)
        if at >= 0:
            f.seek(at + 1000)
            f.write(bytes(8))
            sys.exit()
sys.exit("the block is nowhere")
' "$STORE" "$WORK/block"
scrub 16 start -w
[ "$(state 'len(d["findings"])')" = 1 ] || fail "$(cat "$WORK/out")"
keys='("kind","branch","snapshot","others","offset","length")'
got=$(state "[d['findings'][0][k] for k in $keys]")
[ "$got" = "['data', 'main', None, 1, 1048576, 4096]" ] || fail "$got"
rc=0
cowd status "$STORE" >"$WORK/out" || rc=$?
[ "$rc" -eq 16 ] || fail "status: $rc"
grep -q 'a scrub found 1 damaged place' "$WORK/out" || fail "$(cat "$WORK/out")"
cowd stats --format prometheus "$STORE" >"$WORK/out"
grep -qE '^cowd_scrub_errors\{store=".*"\} 1$' "$WORK/out" ||
	fail "$(cat "$WORK/out")"

say "pause, resume, cancel"
scrub 16 start --rate 64k
is running
refused 11 'a scrub is running' cowd scrub start "$STORE"
scrub 16 pause
is paused
scrub 16 resume
is running
[ "$(state 'd["rate_bytes"]')" = 65536 ] || fail "another rate"
scrub 16 cancel
is cancelled
refused 1 'no scrub is' cowd scrub resume "$STORE"

say "it goes on after the daemon was ended, and after it was killed"
scrub 16 start --rate 64k
cowd umount "$M"
until_true 10 daemon_gone
is interrupted
cowd mount "$STORE" "$M"
is running
kill -9 "$(daemon_pid "$STORE")"
until_true 10 daemon_gone
umount -l "$M"
scrub 16 resume --rate 0 # here, without a daemon
is finished

say "written again, and the snapshot gone: no damage any more"
cowd mount "$STORE" "$M"
rand count=1 seek=256
cowd snapshot delete --now "$STORE@s1"
scrub 0 start -w
cowd status "$STORE" >"$WORK/out" || fail "$(cat "$WORK/out")"

say "writes, deletes and compaction meanwhile are no damage"
churn() {
	for i in 1 2 3 4 5 6; do
		rand count=512 seek=$((i * 200))
		cowd snapshot create -q "$STORE@t$i"
		rand count=300 seek=$((i * 190))
		cowd snapshot delete -q --now "$STORE@t$i"
		cowd gc -q "$STORE"
		cowd compact -q --threshold 5 "$STORE"
	done
}
churn &
churner=$!
rounds=0
while kill -0 "$churner" 2>/dev/null || [ "$rounds" -lt 3 ]; do
	scrub 0 start -w
	rounds=$((rounds + 1))
done
wait "$churner"
cowd umount "$M"
