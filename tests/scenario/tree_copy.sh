#!/usr/bin/env bash
# A copy within a mount shares what is stored: it takes no space and hardly any
# time, and each side may be changed or removed without the other.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

make_base $((3 << 20)) "$B/solid"
put changed 4100 "$B/solid"
tree_up

data_bytes() {
	cowd --json df "$STORE" | python3 -c 'import json, sys
usage = json.load(sys.stdin)
print(usage["total_bytes"] - usage["metadata_bytes"] - usage["dead_bytes"])'
}

head -c 64M /dev/urandom >"$M/big"
put "a longer end" 67108864 "$M/big"
sync "$M/big"
before=$(data_bytes)
cp "$M/big" "$M/copy"
same "$M/copy" "$M/big" "the copy"
after=$(data_bytes)
((after - before < 1000000)) || fail "the copy took $((after - before)) bytes"

# A base file, parts of it changed; to and fro, and over what is there.
put "in the store" 50000 "$M/solid"
cp "$M/solid" "$M/other"
cp "$M/solid" "$M/copy2"
cp "$M/big" "$M/copy2"
same "$M/other" "$M/solid" "a copy of what is base in part"
same "$M/copy2" "$M/big" "a copy over a file"

# Each on its own.
put "only in the copy" 1000000 "$M/copy"
cp "$M/big" "$WORK/big"
put "only in the copy" 1000000 "$WORK/big"
same "$M/copy" "$WORK/big" "the changed copy"
cowd snapshot create -q "$STORE@s1"
cp "$M/big" "$WORK/big"
rm "$M/big" "$M/copy2"
cowd gc -q "$STORE"
remount
put "only in the copy" 1000000 "$WORK/big"
same "$M/copy" "$WORK/big" "the copy of what is gone"

# From a snapshot, as a user restores a file.
before=$(data_bytes)
cp "$(snapshot_at s1)/big" "$M/back"
same "$M/back" "$(snapshot_at s1)/big" "a copy from a snapshot"
after=$(data_bytes)
((after - before < 1000000)) || fail "it took $((after - before)) bytes"
tree_kill
cowd snapshot delete -q --now "$STORE@s1"
rm "$M/copy"
cowd gc -q "$STORE"
rm "$M/back"
cowd gc -q "$STORE"
after=$(data_bytes)
((after < 8000000)) || fail "$after bytes are left of what was removed"
cmp "$M/other" "$M/solid" || fail "what was never removed"
tree_down
