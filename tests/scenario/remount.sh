#!/usr/bin/env bash
# Claim: -o remount changes how a mount may be used, and nothing else of it.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
mkdir "$WORK/base"
printf '#!/bin/sh\necho ran\n' >"$WORK/base/run"
chmod 755 "$WORK/base/run"
cowd create "$STORE" --base "$WORK/base" -q
cowd mount "$STORE" "$M" -q
has() { [[ ,$(findmnt -no OPTIONS "$M"), == *,$1,* ]]; }

say "ro and back; a file that is open for writing is in the way"
echo 1 >"$M/file"
exec 5>>"$M/file"
refused 11 "open for writing" cowd mount -o remount,ro "$STORE" "$M"
exec 5>&-
cowd mount -o remount,ro "$STORE" "$M" | grep -q '(ro,' || fail "does not say ro"
has ro || fail "not ro: $(findmnt -no OPTIONS "$M")"
! touch "$M/new" 2>"$WORK/err" || fail "written to"
grep -q 'Read-only file system' "$WORK/err" || fail "$(cat "$WORK/err")"
cowd mount -o remount,rw "$STORE" "$M" --json | grep -q '"read_only": false' ||
	fail "does not say rw"
echo 2 >>"$M/file"
[ "$(cat "$M/file")" = "$(printf '1\n2')" ] || fail "another content"

say "noexec, suid, dev; what can't change is said"
[ "$("$M/run")" = ran ] || fail "does not run"
cowd mount -q -o remount,noexec,suid,dev "$STORE" "$M"
! "$M/run" 2>/dev/null || fail "runs with noexec"
! has nosuid && ! has nodev || fail "nosuid or nodev is left"
cowd mount -q -o remount,exec,max_read=8192 "$STORE" "$M" 2>"$WORK/err"
grep -q 'max_read=8192 stays' "$WORK/err" || fail "$(cat "$WORK/err")"
cowd mount -q -o remount,exec,default_permissions "$STORE" "$M" 2>"$WORK/err"
[ ! -s "$WORK/err" ] || fail "not new, but: $(cat "$WORK/err")"
[ "$("$M/run")" = ran ] || fail "does not run again"

say "a dry run, a place that is no mount, a snapshot"
cowd mount -q -n -o remount,ro "$STORE" "$M"
! has ro || fail "a dry run did it"
refused 12 'not mounted' cowd mount -o remount,ro "$STORE" "$WORK"
cowd snapshot create "$STORE@s" -q
mkdir "$WORK/s"
cowd mount "$STORE@s" "$WORK/s" -q
refused 1 'snapshot' cowd mount -o remount,rw "$STORE@s" "$WORK/s"
cowd umount "$WORK/s" -q
cowd umount "$M" -q
