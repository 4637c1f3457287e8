#!/usr/bin/env bash
# fsck(8) finds fsck.cowd by fstab's last field; at boot only what opening
# needs is looked at, unless -f is given.
source "$(dirname "$0")/../support/fsck.sh"
need_root
need fsck
make_base 3000000
cowd create "$STORE" --base "$BASE" >"$WORK/out"
cowd snapshot create "$STORE@one" >"$WORK/out"
mkdir "$WORK/sbin"
ln -s "$FSCK" "$WORK/sbin/fsck.cowd"
echo "$T $M cowd defaults 0 2" >"$WORK/fstab"

boot() { # EXIT OPTION...
	local want=$1 rc=0
	shift
	FSTAB_FILE=$WORK/fstab PATH=$WORK/sbin:$PATH timeout 60 \
		fsck -A "$@" >"$WORK/said" 2>&1 </dev/null || rc=$?
	[ "$rc" -eq "$want" ] || {
		cat "$WORK/said"
		fail "fsck -A $*: exit $rc, want $want"
	}
}

fresh
boot 0 -p
grep -q "no problems" "$WORK/said" || fail "it was not run"
! grep -q "Pass 6" "$WORK/said" || fail "all bytes were read"
boot 0 -p -- -f
grep -q "Pass 6" "$WORK/said" || fail "-f reads no bytes"
rm "$T/index.db"
boot 1 -p
boot 0 -a
fsck 0 -n "$T"

# Progress, as fsck -C passes it on.
fresh
"$FSCK" -n -C 5 "$T" 5>"$WORK/progress" >"$WORK/said"
