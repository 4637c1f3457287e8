#!/usr/bin/env bash
# cowd diverge: its options, their defaults, and whose a holefile is. Rows
# 002-1 to 002-4 and 002-15 of divergefs' behaviours.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3
cd "$WORK"

row() { say "row $*"; }
off() { cowd umount "$M"; }
echo base >"$M/file"
echo base >"$M/gone"

row "002-2: -p makes PATH, PATH/files, PATH/rules and PATH/holes"
cowd diverge -q -p "$WORK/P" "$M"
[ "$(cat P/rules)" = "$WORK/P/files all<>" ] || fail "$(cat P/rules)"
[ -d P/files ] && [ -f P/holes ] || fail "$(ls P)"
echo new >"$M/new"
[ "$(cat P/files/new)" = new ] || fail "new is not in P/files"

row "002-3: what is removed is appended to the holefile and stays removed"
rm "$M/gone"
[ "$(tail -n 1 P/holes)" = /gone ] || fail "$(cat P/holes)"
off
[ -e "$M/gone" ] || fail "base lost a file"
cowd diverge -q -p "$WORK/P" "$M"
[ ! -e "$M/gone" ] && [ "$(ls "$M")" = $'file\nnew' ] || fail "$(ls "$M")"
pid=$(cowd diverge --json -n -p "$WORK/Q" "$WORK" | json 'd["pid"]')
[ "$pid" = None ] && [ ! -e Q ] || fail "a dry run did something"

row "002-3: kill -9 loses no hole"
rm "$M/file"
pid=$(pgrep -f "diverge -q -p $WORK/P" | head -n 1)
kill -9 "$pid"
wait_gone "$pid" 10 || fail "$pid does not die"
cowd diverge -q -p "$WORK/P" "$M"
[ "$(ls "$M")" = new ] || fail "$(ls "$M")"
off

row "002-3: a holefile that is there masks names from the start; -h"
printf '/file\nsub/x\n' >mine
cowd diverge -q -p "$WORK/P" -h mine "$M"
[ ! -e "$M/file" ] && [ -e "$M/gone" ] || fail "$(ls "$M")"

row "002-15: the holefile of another session, or mount, is left alone"
mkdir m2
cp mine before
refused 11 "in use by the session of $M" cowd diverge -p P -h mine m2
cmp mine before
off
cp mine before
refused 13 'not from' cowd diverge -p P -h mine m2
cmp mine before || fail "another mount's holefile was changed"
echo 'no /path' >notes
printf 'x\001y\n' >binary
refused 2 'no holefile' cowd diverge -p P -h binary m2
ln -s mine link
refused 2 'symbolic link' cowd diverge -p P -h link m2
[ -z "$(ls -A m2)" ] && ! mountpoint -q m2 || fail "something was mounted"

row "002-1: -f alone makes nothing; the holefile is that of -h"
echo "$WORK/objects ext<o>" >my.rules
cowd diverge -q -f my.rules -h holes.f "$M"
echo x >"$M/a.o"
[ "$(cat objects/a.o)" = x ] || fail "a.o is not in objects"
refused 11 'already' cowd diverge -f my.rules -h holes.f "$M"
off
refused 2 'one of 1, 2, 3, 4, 5' cowd diverge -d 6 m2
refused 2 'missing' cowd diverge
refused 1 'no such file' cowd diverge -f nowhere m2

row "002-1: the mountpoint alone is -p /tmp"
[ "$(cowd diverge -n --json m2 | json 'd["rules"], d["holes"]')" = \
	"/tmp/rules /tmp/holes" ] || fail "other defaults"
[ "$(cowd diverge -n --json -f my.rules m2 | json 'd["holes"]')" = \
	/tmp/holes ] || fail "other holefile"

row "002-4: -d says how much is told; 3 is the default"
told() {
	rm -f holes.d holes.d.log
	cowd diverge -q -p P -h holes.d "$@" "$M"
	: >"$M/told"
	rm "$M/told"
	off
	sleep 0.3 # it says goodbye
	wc -l <holes.d.log
}
one=$(told -d 1) three=$(told -d 3) default=$(told) five=$(told -d 5)
[ "$one" -lt "$three" ] && [ "$three" -lt "$five" ] &&
	[ "$three" -eq "$default" ] || fail "$one, $three, $default, $five"

say "a directory is listed with what is in it, without a request for each"
mkdir -p many && touch many/{1..300}
cowd diverge -q --foreground -o debug -f my.rules -h holes.g many \
	2>trace &
until_true 10 mountpoint -q many
# And a.o.
[ "$(ls -l many | tail -n +2 | wc -l)" -eq 301 ] || fail "$(ls -l many)"
umount many
wait
lookups=$(grep -c LOOKUP trace || true)
grep -q READDIRPLUS trace && [ "$lookups" -lt 30 ] || fail "$lookups look-ups"
