#!/usr/bin/env bash
# Commands that meet: they wait for each other, and none hangs or lies when the
# daemon that serves it is killed.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
cd "$WORK"
make_base $((1 << 20))
cowd create -q s.cowd --base "$BASE"

# at_once COMMAND...: eight of it, N in the words is 1 to 8.
at_once() {
	local n pids=()
	for n in 1 2 3 4 5 6 7 8; do
		timeout 60 "$COWD" "${@//N/$n}" >"out.$n" 2>&1 &
		pids+=($!)
	done
	for n in "${!pids[@]}"; do
		wait "${pids[n]}" || fail "$*: $(cat "out.$((n + 1))")"
	done
}
names() { cowd "$1" list -H -o NAME s.cowd | sort | tr '\n' ' '; }

say "without a daemon, with one, and while it comes and goes"
at_once snapshot create s.cowd@aN
mkdir mN m1 m2 m3 m4 m5 m6 m7 m8
at_once clone s.cowd bN
at_once mount s.cowd:bN mN
at_once snapshot create s.cowd:bN@cN
at_once umount mN
at_once rollback s.cowd@aN
[ "$(cowd snapshot list -H -o NAME s.cowd | grep -c '^[ac][1-8]$')" -eq 16 ] ||
	fail "$(names snapshot)"
[ "$(names branch)" = "b1 b2 b3 b4 b5 b6 b7 b8 main " ] ||
	fail "$(names branch)"
cowd status s.cowd >out || fail "$(cat out)"

say "one name for all: one gets it"
for n in 1 2 3 4 5 6 7 8; do
	"$COWD" snapshot create s.cowd@same >"out.$n" 2>&1 &
done
taken=0
for pid in $(jobs -p); do
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" -eq 0 ] || [ "$rc" -eq 13 ] || fail "exit $rc: $(cat out.*)"
	[ "$rc" -ne 13 ] || taken=$((taken + 1))
done
[ "$taken" -eq 7 ] || fail "$taken of 8 were told that the name is taken"

say "the daemon dies before it reads a command: that does it by itself"
truncate -s 64G big.img
cowd create -q big.cowd --base big.img
for words in "export big.cowd out.img -f" "diff big.cowd@s" \
	"snapshot delete big.cowd@s" "rollback big.cowd@s"; do
	cowd mount -q big.cowd m
	cowd snapshot list big.cowd | grep -q '^s ' ||
		cowd snapshot create -q big.cowd@s
	pid=$(daemon_pid big.cowd)
	kill -STOP "$pid"
	# shellcheck disable=SC2086
	timeout 60 "$COWD" $words >out 2>&1 &
	command=$!
	sleep 0.3
	kill -KILL "$pid"
	rc=0
	wait "$command" || rc=$?
	[ "$rc" -eq 0 ] || fail "$words: exit $rc, $(cat out)"
	rm -f out.img
	until_true 5 test ! -e "/proc/$pid"
done

say "the daemon dies in the middle of a command"
head -c 600M /dev/urandom >full.img
cowd create -q full.cowd --base full.img
cowd mount -q full.cowd m
pid=$(daemon_pid full.cowd)
timeout 60 "$COWD" export full.cowd out.img >out 2>&1 &
command=$!
begun() { [ "$(awk '$1 == "rchar:" { print $2 }' "/proc/$pid/io")" -gt 50000000 ]; }
until_true 10 begun
kill -KILL "$pid"
rc=0
wait "$command" || rc=$?
[ "$rc" -eq 1 ] || fail "exit $rc, $(cat out)"
grep -q 'the daemon went away' out || fail "$(cat out)"
[ ! -e out.img ] || fail "half an export passes for one"
