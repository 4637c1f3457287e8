#!/usr/bin/env bash
# What cowd-fsck does not touch: no store, one in use, one of a newer cowd,
# somebody else's.
source "$(dirname "$0")/../support/fsck.sh"
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"

# refuses EXIT TEXT OPTION... : the case's store stays as it is.
refuses() {
	local want=$1 text=$2
	shift 2
	state "$T" >"$WORK/before"
	fsck "$want" "$@" "$T"
	grep -q -- "$text" "$WORK/said" || fail "no word of: $text"
	unchanged "$WORK/before"
}

for mode in -n -p -y; do
	fresh
	sql "PRAGMA user_version=2"
	refuses 8 "newer cowd" $mode
	fresh
	sql "UPDATE meta SET value = 1 WHERE key = 'incompatible_features'"
	refuses 8 "newer cowd" $mode
done

fresh
exec 9<>"$T/lock"
python3 - "$$" <<'EOF'
import fcntl, struct, os, sys
F_OFD_SETLK = 37
fcntl.fcntl(9, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
os.ftruncate(9, 0)
os.pwrite(9, b"%d\n" % int(sys.argv[1]), 0)
EOF
for mode in -n -p -y; do
	refuses 8 "in use by pid $$ (" $mode
done
exec 9>&-
fsck 0 -n "$T"

fresh
rm -rf "$T/segments"
refuses 8 "not a cowd store" -y
fsck 8 -n "$WORK/nothing"
fsck 16 -n
fsck 16 -n -y "$T"
fsck 16 --nonsense "$T"
fsck 16 --check=nothing "$T"
fsck 16 -n --heal-from="$WORK/not there" "$T"
fsck 16 -n "$T" "$T"

[ "$(id -u)" -eq 0 ] || exit 0
# Root looks at somebody's store as that user.
fresh
chmod 755 "$WORK"
chown -R 65534:65534 "$T"
rm "$T/index.db"
fsck 1 -p "$T"
[ "$(stat -c %u "$T/index.db")" = 65534 ] || fail "a file of root's"
fsck 0 -p "$T"
