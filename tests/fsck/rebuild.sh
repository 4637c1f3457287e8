#!/usr/bin/env bash
# The index made anew, of index.bak and the log.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"
"$MAKE_LOG" "$STORE" 30
cowd clone "$STORE@step7" other >"$WORK/out"
cowd rollback "$STORE@step20" >"$WORK/out"
cowd snapshot delete "$STORE@step3" >"$WORK/out"
cp -a "$STORE" "$WORK/good.cowd"
"$CONTENT" "$WORK/good.cowd" >"$WORK/good"
[ "$(wc -l <"$WORK/good")" -ge 32 ] || fail "$(cat "$WORK/good")"
intact() {
	fsck 0 -n "$T"
	"$CONTENT" "$T" >"$WORK/now"
	same "$WORK/good" "$WORK/now" "content"
	fsck 0 -n "$T"
}
# As finds, with an option.
finds_asked() { # CODE OPTION
	state "$T" >"$WORK/before"
	fsck 4 -n "$2" "$T"
	says "$1"
	unchanged "$WORK/before"
	fsck 1 -y "$2" "$T"
	says "$1"
}

# A log that the index never saw: its inodes have no windows there.
cowd create "$WORK/new.cowd" --base "$BASE" >"$WORK/out"
"$MAKE_LOG" "$WORK/new.cowd" 8
fresh "$WORK/new.cowd"
"$CONTENT" "$WORK/new.cowd" >"$WORK/new"
fsck 1 -y --rebuild-index=segments "$T"
fsck 0 -n "$T"
"$CONTENT" "$T" >"$WORK/now"
same "$WORK/new" "$WORK/now" "content"

fresh
finds_asked P2-REBUILD --rebuild-index
intact
fresh
rm -f "$T"/index.db*
fsck 1 -p "$T"
intact

# Of the segments alone.
fresh
finds_asked P2-SEGMENTS --rebuild-index=segments
intact
fresh
rm -f "$T"/index.*
fsck 1 -y "$T"
intact
