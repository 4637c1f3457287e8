# shellcheck shell=bash
# For tests of cowd-fsck: source it first. Each case is a fresh store, some
# damage, and what becomes of it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need sqlite3

FSCK=$(readlink -f "${COWD_FSCK:?the path of the cowd-fsck binary}")
T=$WORK/t.cowd # the store of the case
"$FSCK" --list-problems >"$WORK/problems"

class_of() { # CODE
	awk -F'\t' -v code="$1" '$2 == code { print $4 }' "$WORK/problems"
}
# What each file of the store holds, and how it may be used.
state() { # STORE
	(cd "$1" && find . -not -type s -not -name lock -printf '%p %y %m %l\n' |
		sort && find . -type f -not -name lock -exec sha256sum {} + |
		sort -k2)
}
# fsck EXIT OPTION... STORE: what it says is in $WORK/said.
fsck() {
	local want=$1 rc=0
	shift
	timeout 120 "$FSCK" "$@" >"$WORK/said" 2>&1 </dev/null || rc=$?
	[ "$rc" -eq "$want" ] || {
		echo "FAILED at line ${BASH_LINENO[*]}: cowd-fsck $*" >&2
		echo "exit $rc, want $want:" >&2
		cat "$WORK/said" >&2
		exit 1
	}
}
says() { # CODE
	grep -q "\[$1\]" "$WORK/said" || {
		cat "$WORK/said" >&2
		fail "cowd-fsck does not say $1"
	}
}
# fresh [STORE]: the case's store is a copy of that one.
fresh() {
	rm -rf "$T"
	cp -a "${1:-$STORE}" "$T"
}
sql() { sqlite3 "$T/index.db" "$@" >"$WORK/sql"; }
unchanged() { # FILE: as it was when state was written there
	state "$T" | diff "$1" - >&2 || fail "bytes of the store were changed"
}

# What was repaired can be put back to the byte, and is repaired again.
undoes() {
	cp -a "$T" "$WORK/repaired.cowd"
	fsck 0 --undo "$WORK/undo" "$T"
	unchanged "$WORK/before"
	rm -rf "$T"
	mv "$WORK/repaired.cowd" "$T"
}

# finds CODE: the damage of $T is seen. What -n, -p or -y, and then a second
# run do follows from the class that the table has.
finds() {
	local code=$1 class mode=-p
	class=$(class_of "$code")
	say "$code ($class)"
	[ -n "$class" ] || fail "there is no problem $code"
	state "$T" >"$WORK/before"
	fsck "$([ "$class" = note ] && echo 0 || echo 4)" -n -v "$T"
	says "$code"
	unchanged "$WORK/before"
	[ "$class" != note ] || return 0
	[ "$class" != no ] || {
		fsck 4 -y "$T"
		says "$code"
		return 0
	}
	if [ "$class" = with-loss ]; then
		fsck 4 -p "$T"
		says "$code"
		unchanged "$WORK/before"
		mode=-y
	fi
	rm -f "$WORK/undo"
	fsck 1 $mode --undo-file "$WORK/undo" "$T"
	says "$code"
	undoes
	fsck 0 -y "$T"
	grep -q 'no problems' "$WORK/said" || fail "the second run finds more"
	cowd status "$T" >"$WORK/status" || fail "the store does not open"
}
