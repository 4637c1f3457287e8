#!/usr/bin/env bash
# A tree mounted with -o rules=FILE: plain files where rules say so, all else
# in the store; @readonly, @hide and @scratch; and how it begins and ends.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_fuse
cd "$WORK"
refuses() { # TEXT COMMAND: fails, and says so
	local text=$1 && shift
	(eval "$*") 2>err && fail "$*"
	grep -q "$text" err || fail "$*: $(cat err)"
}
on() { cowd mount -q -o rules=my.rules "$STORE" "$M"; }
mounts() { grep -c " $M " /proc/mounts || true; }

mkdir -p "$B/src" "$B/secret"
echo base >"$B/src/a.c"
echo base >"$B/src/old.o"
echo hidden >"$B/secret/x"
echo fixed >"$B/fixed.txt"
cp -a "$B" before
cat >my.rules <<'RULES'
@store      ext<keep>         # an exception
@readonly   ext<txt>
@hide       regex<^secret$>
@scratch    dregex<^build$> || ext<tmp>
objects     ext<o>            # relative to this file
RULES
cowd create -q "$STORE" --base "$B"
on

say "what rules give a path is a plain file, all else is in the store"
echo obj >"$M/src/a.o"
echo code >"$M/src/b.c"
echo more >>"$M/src/old.o"
[ "$(cat objects/src/a.o)" = obj ] || fail "a.o: $(find objects)"
[ "$(cat "$M/src/old.o")" = $'base\nmore' ] || fail "old.o"
[ ! -e objects/src/b.c ] || fail "b.c is a plain file"
[ "$(ls "$M/src")" = $'a.c\na.o\nb.c\nold.o' ] || fail "$(ls "$M/src")"
mv "$M/src/b.c" "$M/src/b.o" && [ "$(cat objects/src/b.o)" = code ] ||
	fail "it did not follow its name"
mv "$M/src/b.o" "$M/src/b.c" && [ ! -e objects/src/b.o ] || fail "nor back"
mv "$M/src" "$M/sources" && [ -f objects/sources/a.o ] || fail "directory"
mv "$M/sources" "$M/src"
ln "$M/src/a.o" "$M/src/also.o"
[ objects/src/a.o -ef objects/src/also.o ] || fail "no link"
cowd which "$M/src/b.c" >which && grep -q delta which || fail "which"

say "@readonly can't be changed"
for try in "echo x >>$M/fixed.txt" "rm $M/fixed.txt" "chmod 600 $M/fixed.txt" \
	"mv $M/fixed.txt $M/f" ": >$M/new.txt" "mv $M/src/a.c $M/fixed.txt"; do
	refuses 'Read-only' "$try"
done
[ "$(cat "$M/fixed.txt")" = fixed ] || fail "fixed.txt"

say "@hide is neither listed nor found"
[ "$(ls "$M")" = $'fixed.txt\nsrc' ] || fail "$(ls "$M")"
refuses 'No such file' cat "$M/secret/x"
refuses 'Read-only' mkdir "$M/secret"

say "@scratch is in no snapshot, and gone after the unmount"
mkdir "$M/build" "$M/build/deep"
echo x >"$M/build/deep/f"
echo x >"$M/x.tmp"
echo x >"$M/build/x.keep" # an exception to that
cowd snapshot create -q "$STORE@s1"
[ "$(find "$M/.snapshots/s1" -printf '%P\n' | sort | tr '\n' ' ')" = \
	" build build/x.keep fixed.txt src src/a.c src/b.c src/old.o " ] ||
	fail "$(find "$M/.snapshots/s1")"
cowd umount -q "$M"
[ "$(mounts)" -eq 0 ] && [ ! -e "$STORE/scratch" ] || fail "not all ended"
on
[ "$(find "$M/build" -printf '%P\n' | sort)" = $'\nx.keep' ] && [ ! -e "$M/x.tmp" ] ||
	fail "$(find "$M")"

say "a rollback is seen at once"
echo later >"$M/src/later.c"
cat "$M/src/b.c" >/dev/null
echo changed >"$M/src/b.c"
cowd rollback -q --live "$STORE@s1"
[ "$(cat "$M/src/b.c")" = code ] && [ ! -e "$M/src/later.c" ] ||
	fail "$(ls "$M/src")"
[ "$(cat "$M/src/a.o")" = obj ] || fail "a plain file was rolled back"

say "it ends however it is ended, and both mounts with it"
umount "$M"
until_true 5 eval '[ "$(mounts)" -eq 0 ]'
on && cowd umount -q "$STORE" && [ "$(mounts)" -eq 0 ] || fail "by the store"
on && exec 5<"$M/src/a.c"
refused 11 'in use' cowd umount "$M"
cowd umount -q -l "$M" && [ "$(mounts)" -eq 0 ] || fail "lazily"
[ "$(cat <&5)" = base ] || fail "what was open"
exec 5<&-
until_true 10 eval '[ -z "$(daemon_pid "$STORE")" ]'
on && kill -9 "$(pgrep -f "^cowd-rules $M ")"
cowd umount -q "$M" && [ "$(mounts)" -eq 0 ] || fail "killed"
on && kill -9 "$(daemon_pid "$STORE")"
sleep 0.2
on && [ "$(cat "$M/src/b.c")" = code ] || fail "mounted again after a kill"
kill "$(daemon_pid "$STORE")"
until_true 10 eval '[ "$(mounts)" -eq 0 ]'

say "@nocompress is stored as it is"
cowd create -q n.cowd --base "$B" --compress inline
echo '@nocompress ext<raw>' >n.rules
mkdir n
cowd mount -q -o rules=n.rules n.cowd n
stored() { cowd stats --json n.cowd | json 'd["counters"]["stored_bytes"]'; }
zero=$(stored)
seq 100000 >n/f.raw && sync -f n && one=$(stored)
seq 100000 >n/f.txt && sync -f n && two=$(stored)
[ $((one - zero)) -ge 580000 ] && [ $((two - one)) -lt 450000 ] ||
	fail "$zero, $one, $two"
cowd umount -q n
cowd mount -q n.cowd n # chattr knows it as m
if command -v lsattr >/dev/null; then
	[ "$(lsattr n | grep -- '-m ' | cut -d/ -f2)" = f.raw ] ||
		fail "$(lsattr n)"
	chattr -m n/f.raw && chattr +m n/f.txt || fail "chattr"
	chattr +i n/f.txt 2>/dev/null && fail "chattr +i"
fi
cowd umount -q n

say "what can't be used is told, and nothing mounted"
echo '/objects ext<o' >bad
refused 2 'bad: 1:15' cowd mount -o rules=bad "$STORE" "$M"
refused 1 'no such file' cowd mount -o rules=none "$STORE" "$M"
make_base 1M
cowd create -q i.cowd --base "$BASE"
refused 2 'directory trees' cowd mount -o rules=my.rules i.cowd "$M"
[ "$(mounts)" -eq 0 ] || fail "it was mounted"
diff -r before "$B" || fail "the base has changed"
