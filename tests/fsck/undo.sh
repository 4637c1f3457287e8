#!/usr/bin/env bash
# An undo file fits the store and the moment that it was made for.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"
cowd create "$WORK/o.cowd" --base "$BASE" >"$WORK/out"

damage() {
	fresh
	rm -f "$WORK/undo"
	sql "UPDATE branches SET name = 'a/b'; PRAGMA user_version=0"
	chmod g+w "$T"
	echo journal >"$T/index.db-journal"
	state "$T" >"$WORK/before"
	fsck 1 -y --undo-file "$WORK/undo" "$T"
}
# refuses TEXT FILE STORE: and nothing is changed.
refuses() {
	state "$3" >"$WORK/now"
	fsck 8 --undo "$2" "$3"
	grep -q "$1" "$WORK/said" || fail "no word of: $1"
	state "$3" | diff "$WORK/now" - || fail "the store was changed"
}

damage
refuses "another store" "$WORK/undo" "$WORK/o.cowd"
# F-80, F-81: the header, an entry, its name, its bytes.
for at in 0 20 70 200 5000 100000; do
	cp "$WORK/undo" "$WORK/bad"
	printf '\x55\xaa\x55' | dd of="$WORK/bad" bs=1 seek=$at conv=notrunc \
		status=none
	refuses "damaged" "$WORK/bad" "$T"
done
head -c 3000 "$WORK/undo" >"$WORK/bad"
refuses "damaged" "$WORK/bad" "$T"
: >"$WORK/bad"
refuses "damaged" "$WORK/bad" "$T"

fsck 0 --undo "$WORK/undo" "$T"
unchanged "$WORK/before"
# Once more, as after a crash in the midst of it.
fsck 0 --json --undo "$WORK/undo" "$T"
[ "$(json 'd["restored"] > 2' <"$WORK/said")" = True ] || fail "no JSON"
unchanged "$WORK/before"

damage
cowd snapshot create "$T:renamed-1@late" >"$WORK/out"
refuses "changed since the repair" "$WORK/undo" "$T"
fsck 8 --json --undo "$WORK/undo" "$T"
[ "$(json 'd["schema"]' <"$WORK/said")" = cowd/error/1 ] || fail "no JSON"

# Nothing repaired, nothing to undo; nor is a file replaced, or made in there.
fresh
rm "$WORK/undo"
fsck 0 -y --undo-file "$WORK/undo" "$T"
[ ! -e "$WORK/undo" ] || fail "an undo file of nothing"
echo mine >"$WORK/undo"
fsck 8 -y --undo-file "$WORK/undo" "$T"
grep -q mine "$WORK/undo" || fail "a file was replaced"
fsck 16 -y --undo-file "$T/undo" "$T"
