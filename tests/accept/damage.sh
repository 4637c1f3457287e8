#!/usr/bin/env bash
# damage.sh [COUNT=10000] [SEED]: every field of every structure of a store
# damaged in each way, and COUNT times damage by chance: never a crash, a hang,
# or wrong data; cowd-fsck finds it, repairs it, and finds nothing then. Built
# with the sanitizers of address and undefined behaviour: COWD_CAMPAIGN names
# such a build of tests/damage/campaign, else one is made.
. "$(dirname "$0")/../support/accept.sh"

count=${1:-10000}
seed=${2:-$(date +%s)}
root=$(cd "$(dirname "$0")/../.." && pwd)
campaign=${COWD_CAMPAIGN:-}
if [ -z "$campaign" ]; then
	need meson ninja
	meson setup "$WORK/build" "$root" -Db_sanitize=address,undefined \
		-Db_lundef=false >"$WORK/log" || fail "$(tail "$WORK/log")"
	meson compile -C "$WORK/build" campaign >"$WORK/log" ||
		fail "$(tail "$WORK/log")"
	campaign=$WORK/build/tests/damage/campaign
fi
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1

# holds NAME ARGUMENTS...: prints what is broken, and the counts.
holds() {
	local name=$1 rc=0 && shift
	"$campaign" "$@" >"$WORK/$name" 2>"$WORK/$name.err" || rc=$?
	grep -m 20 VIOLATION "$WORK/$name" || true
	tail -n 1 "$WORK/$name"
	return "$rc"
}
claim "each field of each structure" holds table table
claim "damage by chance: seeds $seed to $((seed + count - 1))" \
	holds random random "$seed" "$count"
finish
