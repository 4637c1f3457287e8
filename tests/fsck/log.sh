#!/usr/bin/env bash
# The log behind the index: replayed, torn, damaged.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"
"$MAKE_LOG" "$STORE" 12
damage() { "$DAMAGE" "$T" "$@"; }
# content STORE WHAT: what a head or snapshot shows
content() {
	rm -f "$WORK/content"
	cowd export "$1$2" "$WORK/content" >"$WORK/out" 2>&1 ||
		fail "$(cat "$WORK/out")"
	sum "$WORK/content"
}
fresh
cp -a "$T" "$WORK/kept.cowd"
content "$WORK/kept.cowd" :main >"$WORK/head"
for nr in 0 5 11; do
	content "$WORK/kept.cowd" "@step$nr" >"$WORK/step$nr"
done

finds P2-REPLAY
[ "$(content "$T" :main)" = "$(cat "$WORK/head")" ] || fail "other content"

# What a repair installs has the log in it: the store with another repair.
fresh
printf '\0' | dd of="$T/index.bak" bs=1 conv=notrunc status=none
finds P2-BACKUP
[ "$(content "$T" :main)" = "$(cat "$WORK/head")" ] || fail "other content"
[ "$(content "$T" @step5)" = "$(cat "$WORK/step5")" ] || fail "other content"

# The last record is torn: nothing says that it was durable.
fresh
damage records >"$WORK/records"
last=$(tail -n 1 "$WORK/records" | cut -d' ' -f1)
damage flip "$last"
finds P2-TORN

# One in the midst: records behind it say that it was durable.
fresh
write=$(awk '$2 == 1 { print $1 }' "$WORK/records" | sed -n 7p)
damage flip "$write"
refused 16 'the log is damaged' cowd status "$T"
finds P2-LOG
[ "$(content "$T" @step5)" = "$(cat "$WORK/step5")" ] || fail "step5"
for nr in 0 5 11; do
	cowd snapshot list "$T" | grep -q "step$nr " || fail "no step$nr"
done
# The seventh write is lost, all others are there.
content "$T" @step11 >"$WORK/out"
cowd export "$WORK/kept.cowd@step11" "$WORK/kept.img" >"$WORK/out"
cmp -n $((6 * 65536)) "$WORK/content" "$WORK/kept.img" || fail "before it"
cmp -i $((7 * 65536)) "$WORK/content" "$WORK/kept.img" || fail "behind it"
if cmp -s "$WORK/content" "$WORK/kept.img"; then
	fail "nothing was lost?"
fi
[ "$(cowd snapshot list "$T" -H | wc -l)" -ge 12 ] || fail "snapshots are gone"

# A whole record block.
fresh
read -r _ _ segment block _ < <(sed -n 9p "$WORK/records")
dd if=/dev/urandom of="$T/segments/$(printf %08x "$segment").seg" bs=4096 \
	seek="$block" count=1 conv=notrunc status=none
if cowd status "$T" >"$WORK/out" 2>&1; then
	fail "the store opens"
fi
finds P2-LOG

# A record of a line that is not there; one of an older generation.
fresh
damage field "$write" 0 4 99
finds P2-RECORD
fresh
damage field "$write" 4 4 1
finds P2-RECGEN
