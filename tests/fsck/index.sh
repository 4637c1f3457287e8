#!/usr/bin/env bash
# Pass 2: the index as a database.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"
for name in one two three; do
	cowd snapshot create "$STORE@$name" >"$WORK/out"
done
cowd clone "$STORE@two" other >"$WORK/out"

# The three snapshots are in index.bak or in the log.
all_there() {
	cowd snapshot list "$T" >"$WORK/list"
	for name in one two three; do
		grep -q "$name" "$WORK/list" || fail "$name is gone"
	done
	[ "$(cowd branch list "$T" | grep -c .)" = 3 ] || fail "no clone"
}

fresh
rm "$T/index.db"
finds P2-MISSING
all_there
fresh
rm "$T/index.db"
ln -s /etc/passwd "$T/index.db"
finds P2-DAMAGED
all_there

for damage in "0 100" "16384 8192" "40960 8192"; do
	fresh
	read -r offset length <<<"$damage"
	dd if=/dev/urandom of="$T/index.db" conv=notrunc status=none bs=1 \
		seek="$offset" count="$length"
	finds P2-DAMAGED
	all_there
done
fresh
truncate -s 50000 "$T/index.db"
finds P2-DAMAGED
all_there
fresh
sql "DROP TABLE snapshots"
finds P2-DAMAGED
all_there
fresh
sql "DELETE FROM meta WHERE key = 'log_segment'"
finds P2-DAMAGED
all_there

# An entry of an index that points nowhere: the root page of one is another's.
fresh
sql "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql =
	replace(sql, 'line, gen', 'gen, line') WHERE name = 'items_by_line'"
finds P2-SCHEMA
fresh
sql "DROP INDEX windows_by_line"
finds P2-SCHEMA
all_there
fresh
root=$(sqlite3 "$T/index.db" "SELECT rootpage FROM sqlite_schema
	WHERE name = 'items_by_line'")
# A leaf page with no cells.
printf '\x0a\x00\x00\x00\x00\x20\x00\x00' | dd of="$T/index.db" bs=1 \
	seek=$(((root - 1) * 8192)) conv=notrunc status=none
finds P2-ORDER
all_there

fresh
sql "PRAGMA application_id=1"
finds P2-VERSION
all_there
fresh
sql "PRAGMA user_version=0"
finds P2-VERSION

fresh
sql "CREATE VIEW v AS SELECT 1; CREATE TABLE odd(a);
	CREATE TRIGGER t AFTER INSERT ON lines BEGIN DELETE FROM meta; END"
finds P2-EXTRA
all_there

fresh
sql "UPDATE meta SET value = value + 1 WHERE key = 'seed'"
finds P2-META
fresh
sql "DELETE FROM meta WHERE key = 'uuid'"
finds P2-META
all_there

fresh
sql "PRAGMA journal_mode=DELETE"
finds P2-WAL
all_there

fresh
: >"$T/index.bak"
finds P2-BACKUP
fresh
dd if=/dev/urandom of="$T/index.bak" conv=notrunc status=none bs=1 \
	seek=16384 count=8192
cp -a "$T" "$WORK/again.cowd"
finds P2-BACKUP
fsck 1 -p "$WORK/again.cowd"
cmp "$WORK/again.cowd/index.bak" "$WORK/again.cowd/index.db" ||
	fail "the copy is another"
fresh
rm "$T/index.bak"
finds P2-NOBACKUP

# An index of another store is none of this one.
fresh
cowd create "$WORK/o.cowd" --base "$BASE" >"$WORK/out"
cp "$WORK/o.cowd/index.db" "$T/index.db"
finds P2-DAMAGED
all_there
