#!/usr/bin/env bash
# Layers of cowd diverge: reading, removing, renaming. Rows 002-10, 002-12 and
# 002-14 of divergefs' behaviours.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
cd "$WORK"

row() { say "row $*"; }
on() { cowd diverge -q -p "$WORK/P" "$@" "$M"; }
again() {
	cowd umount "$M"
	on "$@"
}
mkdir -p "$M/d/sub" "$M/big"
echo low >"$M/both" && echo low >"$M/d/f" && echo low >"$M/d/sub/g"
touch "$M"/big/{1..500}
(cd "$M" && find . -printf '%p %y %m %s %T@\n' && cat both d/f d/sub/g) >before
on

row "002-12: reading prefers the top layer"
echo top >"$M/both"
[ "$(cat "$M/both" P/files/both)" = $'top\ntop' ] || fail "$(cat "$M/both")"

row "002-12: removing the upper one does not bring the lower one back"
rm "$M/both"
[ ! -e "$M/both" ] && [ ! -e P/files/both ] || fail "both is there"
grep -qx /both P/holes || fail "no hole"
again
[ ! -e "$M/both" ] || fail "both is back"

row "002-12: removing a lower one masks it"
rm "$M/d/f"
[ "$(ls "$M/d")" = sub ] || fail "$(ls "$M/d")"

row "002-12: making it anew removes the hole"
echo new >"$M/both"
again
[ "$(cat "$M/both")" = new ] || fail "both"
cowd umount "$M"
grep -x /both P/holes && fail "the hole is still there"
on

row "002-12: a directory that is made anew is empty"
rm -r "$M/d"
mkdir "$M/d"
[ -z "$(ls "$M/d")" ] || fail "$(ls "$M/d")"
again
[ -z "$(ls "$M/d")" ] || fail "$(ls "$M/d")"
rmdir "$M/d"

row "002-14: a directory of the base is renamed, whatever is in it"
mv "$M/big" "$M/large"
[ "$(find P/files/large | wc -l)" -eq 1 ] || fail "it was copied"
[ "$(find "$M/large" -type f | wc -l)" -eq 500 ] || fail "not all of it"
[ ! -e "$M/big" ] || fail "big is there"
echo x >"$M/large/7" && rm "$M/large/8"
mkdir "$M/big" && mv "$M/large" "$M/big/deep"
again
[ "$(find "$M/big/deep" -type f | wc -l)" -eq 499 ] || fail "not all of it"
[ "$(cat "$M/big/deep/7")" = x ] || fail "the change is lost"
[ "$(find "$M/big" -maxdepth 1 | wc -l)" -eq 2 ] || fail "big is not new"
mv "$M/big/deep" "$M/back" && rmdir "$M/big" && mv "$M/back" "$M/big"
[ "$(find "$M/big" -type f | wc -l)" -eq 499 ] || fail "not back"

row "002-14: with --strict-diverge it is an error, as it was"
again --strict-diverge
mv "$M/big" "$M/large" 2>err && fail "renamed"
grep -q 'Read-only file system' err || fail "$(cat err)"
mkdir "$M/own" && mv "$M/own" "$M/mine" || fail "what is not base's"

row "base was not touched"
cowd umount "$M"
(cd "$M" && find . -printf '%p %y %m %s %T@\n' && cat both d/f d/sub/g) |
	diff before - || fail "base changed"
