#!/usr/bin/env bash
# Pass 8: base, and what the index says of it.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
cowd create "$STORE" --base "$BASE" --base-id full >"$WORK/out"
cp -a "$BASE" "$WORK/kept"
back() { cp -a "$WORK/kept" "$BASE"; }

fresh
sql "UPDATE base SET size_bytes = -5, path = x'00'"
finds P8-ROW
fresh
sql "UPDATE base SET kind = 77"
rm "$T/index.bak"
finds P8-ROWLOST

fresh
mv "$BASE" "$WORK/elsewhere"
finds P8-MISSING
mv "$WORK/elsewhere" "$BASE"
fsck 0 -n "$T"

printf 'x' | dd of="$BASE" bs=1 seek=1000 conv=notrunc status=none
finds P8-CHANGED
# One byte, with the time as it was: only all bytes tell.
touch -r "$WORK/kept" "$BASE"
printf 'y' | dd of="$BASE" bs=1 seek=1234567 conv=notrunc status=none
touch -r "$WORK/kept" "$BASE"
finds P8-CHANGED
fsck 0 -n --check index "$T"
back
fsck 0 -n "$T"

# Layers of directories.
mkdir "$WORK/one" "$WORK/two"
cowd create "$WORK/tree.cowd" --base "$WORK/one" >"$WORK/out"
cowd layer add "$WORK/tree.cowd" "$WORK/two" >"$WORK/out"
fsck 0 -n "$WORK/tree.cowd"
fresh "$WORK/tree.cowd"
sql "DELETE FROM base WHERE layer = 2"
finds P8-ROW
fresh "$WORK/tree.cowd"
mv "$WORK/two" "$WORK/three"
finds P8-MISSING
mkdir "$WORK/two"
finds P8-CHANGED
rmdir "$WORK/two"
mv "$WORK/three" "$WORK/two"

# A snapshot of another store.
cowd create "$WORK/upper.cowd" --base "$WORK/one" >"$WORK/out"
cowd snapshot create "$WORK/tree.cowd@kept" >"$WORK/out"
cowd layer add "$WORK/upper.cowd" "$WORK/tree.cowd@kept" >"$WORK/out"
fresh "$WORK/upper.cowd"
finds P8-STORE
