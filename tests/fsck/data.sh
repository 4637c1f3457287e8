#!/usr/bin/env bash
# Passes 5 to 7: windows, segments and what is stored in them, space.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"
"$MAKE_LOG" "$STORE" 40
cowd status "$STORE" >"$WORK/out"
damage() { "$DAMAGE" "$T" "$@"; }
bytes_of() { # STORE WHAT: what a head or snapshot shows, in $WORK/content
	rm -f "$WORK/content"
	cowd export "$1$2" "$WORK/content" >"$WORK/out" 2>&1 ||
		fail "$(cat "$WORK/out")"
}
cp -a "$STORE" "$WORK/good.cowd"
bytes_of "$WORK/good.cowd" :main
mv "$WORK/content" "$WORK/head"
bytes_of "$WORK/good.cowd" @step20
mv "$WORK/content" "$WORK/step20"
intact() { # all content is as it was
	bytes_of "$T" :main
	same "$WORK/content" "$WORK/head" "the head"
	bytes_of "$T" @step20
	same "$WORK/content" "$WORK/step20" "step20"
}
# Of the head's newest version of window 0: ROW, and slots by block.
fresh
damage slots >"$WORK/slots"
row=$(awk '$3 == 0 { r = $1 } END { print r }' "$WORK/slots")
other=$(awk '$3 == 1 { r = $1 } END { print r }' "$WORK/slots")
# place BLOCK: where the newest version of window 0 has it
place() { awk -v r="$row" -v b="$1" '$1 == r && $6 == b { print $9 }' \
	"$WORK/slots"; }
break_blocks() { # PLACE...
	local at
	for at; do
		dd if=/dev/urandom of="$T/segments/00000001.seg" bs=4096 \
			seek="$at" count=1 conv=notrunc status=none
	done
}

say "windows"
broken="UPDATE windows SET slots = substr(slots, 1, 20) || x'ff' ||
	substr(slots, 22) WHERE id = $row"
fresh
sql "$broken"
finds P5-ROW
intact
fresh
rm "$T/index.bak"
sql "$broken"
finds P5-ROWLOST
bytes_of "$T" @step20
same "$WORK/content" "$WORK/step20" "what was not damaged"
fresh
damage slot "$row" 0 gen 999
finds P5-GEN
fresh
damage slot "$row" 0 birth 99999
finds P5-BIRTH
intact
fresh
damage add 77
finds P5-INODE

say "segments"
fresh
break_blocks 0
finds P6-HEADER
intact
fresh
sql "INSERT INTO segments SELECT 99, 1, 2, 2, 0, 0, 0, x'03' ||
	substr(zeroblob(2048), 2)"
finds P6-MISSING
intact

# Blocks 1 to 15 of a step are alike, so there are copies.
fresh
break_blocks "$(place 17)" "$(place 20)"
finds P6-HEAL
intact
# Block 0 of each step but the first is like no other.
fresh
break_blocks "$(place 16)" "$(place 48)"
refused 16 'damaged' cowd export "$T:main" "$WORK/x"
finds P6-BLOCK
if cowd export "$T:main" "$WORK/x" >"$WORK/out" 2>&1; then
	fail "what is lost can be read"
fi
fresh
break_blocks "$(place 16)" "$(place 48)"
fsck 1 -p --heal-from "$WORK/head" "$T"
says P6-HEAL
fsck 0 -n "$T"
intact
fresh
break_blocks "$(place 16)" "$(place 48)"
fsck 1 -p --heal-from "$WORK/good.cowd" "$T"
intact
mkdir "$WORK/tree"
(cd "$WORK" && ln head tree/file && tar cf tree.tar tree)
rm "$WORK/tree/file"
fresh
break_blocks "$(place 32)"
fsck 1 -p --heal-from "$WORK/tree" --heal-from "$WORK/tree.tar" "$T"
intact
# A file that is shorter than what is stored in it.
fresh
truncate -s $((4096 * ($(place 511) + 1))) "$T/segments/00000001.seg"
fsck 1 -y "$T"
says P6-BLOCK
fsck 0 -n "$T"
bytes_of "$T" @step20
same "$WORK/content" "$WORK/step20" "what is before the end"

say "space"
fresh
sql "UPDATE segments SET live = zeroblob(2048)"
finds P7-FREE
intact
fresh
python3 - "$T/index.db" <<'EOF'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
live = bytearray(db.execute("SELECT live FROM segments").fetchone()[0])
live[2000:2010] = b"\xff" * 10
db.execute("UPDATE segments SET live = ?", (bytes(live),))
db.commit()
EOF
finds P7-LEAK
intact
fresh
sql "UPDATE segments SET metadata_blocks = 77"
finds P7-RECORDS
fresh
sql "UPDATE segments SET used_blocks = 3"
finds P7-USED
fresh
sql "UPDATE segments SET sealed = 1"
finds P7-SEALED
fresh
sql "UPDATE segments SET live = x'00'"
finds P7-ROW
intact
fresh
sql "DELETE FROM segments"
finds P7-UNKNOWN
intact
# Two windows have one block: what a slot of another window names.
fresh
sum=$(awk -v r="$row" '$1 == r && $6 == 0 { print $11 }' "$WORK/slots")
damage slot "$other" 0 sum "$sum"
damage slot "$other" 0 place "$(place 0)"
finds P7-SHARED

say "a segment is gone"
cowd create "$WORK/big.cowd" --size 100M >"$WORK/out"
"$MAKE_LOG" "$WORK/big.cowd" 1100
cowd status "$WORK/big.cowd" >"$WORK/out"
bytes_of "$WORK/big.cowd" :main
mv "$WORK/content" "$WORK/head"
fresh "$WORK/big.cowd"
[ -e "$T/segments/00000002.seg" ] || fail "one segment was enough"
rm "$T/segments/00000001.seg"
refused 16 'missing' cowd status "$T"
finds P6-LOST
if cowd export "$T:main" "$WORK/x" >"$WORK/out" 2>&1; then
	fail "what is lost can be read"
fi
fresh "$WORK/big.cowd"
mv "$T/segments/00000001.seg" "$WORK/moved"
fsck 1 -y --heal-from "$WORK/head" "$T"
fsck 0 -n "$T"
