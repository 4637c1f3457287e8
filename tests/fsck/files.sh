#!/usr/bin/env bash
# Pass 1: what stands in a store's directory.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"
cowd snapshot create "$STORE@one" >"$WORK/out"
fsck 0 -n "$STORE"

fresh
chmod g+w "$T"
finds P1-MODE
[ "$(stat -c %a "$T")" = 700 ] || fail "others may still write"

fresh
ln "$T/segments/00000001.seg" "$WORK/other"
finds P1-NAMES
[ "$(stat -c %h "$T/segments/00000001.seg")" = 1 ] || fail "two names"
same "$WORK/other" "$STORE/segments/00000001.seg" "the other name"
fresh
ln "$T/index.db" "$WORK/another"
finds P1-NAMES

fresh
echo precious >"$WORK/target"
rm "$T/lock"
ln -s "$WORK/target" "$T/lock"
finds P1-KIND
grep -q precious "$WORK/target" || fail "the link's target was changed"

fresh
mv "$T/segments/00000001.seg" "$WORK/segment"
ln -s "$WORK/segment" "$T/segments/00000001.seg"
finds P1-SEGMENT
[ -L "$T/segments/00000001.seg" ] || fail "the link is gone"

fresh
echo mine >"$T/notes.txt"
finds P1-STRAY
grep -q mine "$T/notes.txt" || fail "the file was changed"

fresh
: >"$T/index.bak.tmp"
: >"$T/segments/next.tmp"
finds P1-LEFTOVER

fresh
echo journal >"$T/index.db-journal"
finds P1-JOURNAL
[ ! -e "$T/index.db-journal" ] || fail "it is still there"
