#!/usr/bin/env bash
# A repair that is killed at any moment leaves the old index or the new one:
# the next run ends it, and the undo file leads back.
source "$(dirname "$0")/../support/fsck.sh"
need strace
export TMPDIR=$WORK # what is killed leaves its copy there
strace -f true 2>/dev/null || skip "strace may not trace"
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"
for name in one two; do
	cowd snapshot create "$STORE@$name" >"$WORK/out"
done

damage() {
	fresh
	rm -f "$WORK/undo"
	sql "UPDATE branches SET name = 'a/b'; PRAGMA user_version=0"
	chmod g+w "$T"
	echo journal >"$T/index.db-journal"
}
calls=renameat,renameat2,unlinkat,fchmod,fsync,ftruncate
damage
state "$T" >"$WORK/before"
strace -f -o "$WORK/calls" -e "trace=$calls" "$FSCK" -y "$T" >"$WORK/said" ||
	[ $? -eq 1 ] || fail "$(cat "$WORK/said")"
sed -i '/+++\|---/d' "$WORK/calls"
count=$(wc -l <"$WORK/calls")
[ "$count" -gt 8 ] || fail "only $count calls"
say "$count calls"

for ((nr = 1; nr <= count; nr++)); do
	damage
	# The n-th of all of them: when= counts each call by itself.
	call=$(sed -n "${nr}p" "$WORK/calls" | sed 's/^[0-9]* *//; s/(.*//')
	of_call=$(head -n "$nr" "$WORK/calls" | grep -c " $call(")
	strace -f -o /dev/null -e "trace=$calls" \
		-e "inject=$call:signal=KILL:when=$of_call" \
		"$FSCK" -y --undo-file "$WORK/undo" "$T" >"$WORK/said" 2>&1 ||
		true
	rm -rf "$WORK/copy.cowd"
	cp -a "$T" "$WORK/copy.cowd"
	if "$FSCK" -y "$T" >"$WORK/said"; then
		:
	elif [ $? -ne 1 ]; then
		cat "$WORK/said"
		fail "after call $nr ($call) it can't go on"
	fi
	fsck 0 -y "$T"
	[ "$(cowd snapshot list "$T" | grep -cw 'one\|two')" = 2 ] ||
		fail "a snapshot is gone after call $nr"
	# Before the undo file was whole nothing had been changed.
	rm -rf "$T"
	mv "$WORK/copy.cowd" "$T"
	rc=0
	"$FSCK" --undo "$WORK/undo" "$T" >"$WORK/said" 2>&1 || rc=$?
	rm -f "$T/index.db.new"
	unchanged "$WORK/before"
	[ "$rc" = 0 ] || grep -q damaged "$WORK/said" ||
		[ ! -e "$WORK/undo" ] || fail "$(cat "$WORK/said")"
done
