#!/usr/bin/env bash
# A17: a million lines, each of which left the one before, and one that is its
# own ancestor, are a loop each, neither deep nor slow.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"

count=1000000
fresh
sql "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE
	i <= $count) INSERT INTO lines SELECT i, i - 1, i - 1, i FROM n;
	UPDATE branches SET line = $count, gen = $count + 1;
	UPDATE meta SET value = $count + 10 WHERE key IN
	('next_line', 'next_gen')"
cp -a "$T" "$WORK/long.cowd"
begin=$(date +%s)
(
	ulimit -s 256 # KiB of stack
	fsck 0 -n "$T"
)
took=$(($(date +%s) - begin))
say "$count lines: $took s"
[ "$took" -lt 60 ] || fail "it takes $took s"

# A cycle of all, and one in the midst.
for change in "parent = $count WHERE id = 2" "parent = id WHERE id = 500000"; do
	fresh "$WORK/long.cowd"
	sql "UPDATE lines SET $change"
	fsck 4 -n "$T"
	says P3-LINELOST
	fsck 1 -y "$T"
	fsck 0 -n "$T"
done
