#!/usr/bin/env bash
# Pass 3: lines, branches, snapshots, holds, operations, counters.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
{
	cowd create "$STORE" --base "$BASE"
	cowd snapshot create "$STORE@one" -m "the first"
	cowd clone "$STORE@one" other
	cowd snapshot create "$STORE:other@two"
	cowd clone "$STORE@two" third
	cowd branch resize "$STORE:third" 4M
	cowd snapshot create "$STORE:third@three" --hold tag
	cowd rollback "$STORE@one"
	cowd snapshot create "$STORE@four"
	cowd gc "$STORE"
} >"$WORK/out"
fsck 0 -n "$STORE"

lists() { cowd snapshot list --time iso "$T" && cowd branch list "$T"; }
fresh
lists | sort >"$WORK/lists"
as_before() {
	lists | sort | diff "$WORK/lists" - || fail "history is another"
}
query() { sqlite3 "$T/index.db" "$@"; }
highest=$(sqlite3 "$STORE/index.db" "SELECT max(id) FROM lines")

fresh
sql "UPDATE lines SET parent = id WHERE id = $highest"
finds P3-LINE
as_before
fresh
sql "UPDATE lines SET parent = 'x' WHERE id = 2"
finds P3-LINE
as_before
fresh
sql "DELETE FROM lines WHERE id > 1"
finds P3-LINE
as_before
# The operation log is no help, index.bak is.
fresh
sql "DELETE FROM lines WHERE id = 2; DELETE FROM operations"
finds P3-LINE
fresh
sql "DELETE FROM lines WHERE id = 2; DELETE FROM operations"
rm "$T/index.bak"
finds P3-LINELOST
cowd branch list "$T" | grep -q other || fail "the branch is gone"

# What is left of a branch: its data, and what line it was on.
fresh
line=$(query "SELECT line FROM branches WHERE name = 'third'")
sql "DELETE FROM branches WHERE name = 'third';
	DELETE FROM holds; DELETE FROM snapshots WHERE name = 'three';
	DELETE FROM lines WHERE id = $line"
finds P3-ROWS
cowd branch list "$T" >"$WORK/list"
grep -q "lost-$line.* 4M" "$WORK/list" || fail "no branch of it"

fresh
sql "UPDATE branches SET state = 9 WHERE name = 'other'"
finds P3-BRANCH
as_before
fresh
sql "UPDATE branches SET changed = 'yes', refer_blocks = -1"
finds P3-BRANCH

fresh
sql "UPDATE branches SET name = 'main'"
finds P3-BRANCHNAME
[ "$(query "SELECT count(DISTINCT name) FROM branches")" = 3 ] ||
	fail "names are not distinct"
fresh
sql "UPDATE branches SET name = 'a/b' || char(27) WHERE name = 'other'"
finds P3-BRANCHNAME
! grep -q $'\033' "$WORK/said" || fail "control characters on the terminal"
fresh
sql "UPDATE branches SET name = x'ff00' WHERE name = 'other'"
finds P3-BRANCHNAME

fresh
sql "UPDATE branches SET gen = 1 WHERE name = 'third'"
finds P3-HEAD
as_before
fresh
sql "UPDATE branches SET line = (SELECT line FROM branches WHERE
	name = 'other') WHERE name = 'third'"
finds P3-HEADS
[ "$(query "SELECT count(DISTINCT line) FROM branches")" = 3 ] ||
	fail "two heads on a line"
fresh
sql "DELETE FROM branches"
finds P3-NOBRANCH
fresh
sql "UPDATE branches SET line = 'x' WHERE name = 'third'"
finds P3-BRANCHLOST
as_before
fresh
sql "UPDATE branches SET id = 0 WHERE name = 'third'"
finds P3-BRANCHLOST

fresh
sql "UPDATE snapshots SET state = 7, kind = -1, size_bytes = 'x'"
finds P3-SNAPSHOT
fresh
sql "UPDATE snapshots SET name = 'same'"
finds P3-SNAPNAME
[ "$(query "SELECT count(DISTINCT name) FROM snapshots")" -ge 4 ] ||
	fail "names are not distinct"
fresh
sql "UPDATE snapshots SET line = NULL WHERE 0;
	UPDATE snapshots SET gen = 'x' WHERE name = 'four'"
finds P3-SNAPLOST
! cowd snapshot list "$T" | grep -q four || fail "it is still there"

fresh
sql "INSERT INTO holds VALUES(999, 'tag', 1); INSERT INTO holds VALUES(
	998, x'00ff', 1)"
finds P3-HOLD
as_before
cowd snapshot holds "$T" | grep -q three || fail "the other hold is gone"

fresh
sql "UPDATE operations SET record = x'0102' WHERE id = 2"
finds P3-OPERATION
as_before

for counter in line gen snapshot branch operation inode; do
	fresh
	sql "UPDATE meta SET value = 1 WHERE key = 'next_$counter'"
	finds P3-COUNTER
	as_before
done
