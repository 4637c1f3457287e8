#!/usr/bin/env bash
# Layers are listed, added and removed: for one branch, snapshots keep theirs;
# what is missing or another directory is told, and can be taken out.
. "$(dirname "$0")/../support/lib.sh"
need python3
cd "$WORK"

mkdir a b c d
s=s.cowd
layers() { cowd layer list -H -o NAME,POSITION "$@" | tr '\t\n' ': '; }
shows() {
	local want=$1 got
	shift
	got=$(layers "$@")
	[ "$got" = "$want " ] || fail "$* has '$got', not '$want'"
}
cowd create -q $s --base a --base b
shows "a:1 b:2" $s

say "adding"
cowd layer add -n $s c | grep -q 'would see .*position 1' || fail "dry run"
shows "a:1 b:2" $s
cowd layer add -q $s c --below a
shows "a:1 c:2 b:3" $s
cowd layer add --bottom $s floor=d | grep -q 'floor.*position 4' || fail "bottom"
cowd snapshot create -q $s@four
cowd clone -q $s other

say "removing"
cowd layer rm $s c | grep -q 'layer c no more' || fail "remove"
cowd layer remove -q $s d/. 2>/dev/null && fail "by a path that is not its own"
cowd layer remove -q $s "$WORK/d"
shows "a:1 b:2 c:- floor:-" $s
shows "a:1 c:2 b:3 floor:4" $s:other
cowd layer remove -q $s:other c
shows "a:1 b:2 c:unused floor:-" $s

say "history keeps what it saw"
cowd rollback -q $s@four
shows "a:1 c:2 b:3 floor:4" $s
cowd undo -q $s
shows "a:1 b:2 c:unused floor:-" $s

say "in the log, and undone"
cowd layer add -q $s c
cowd log $s | grep -q "layer add main c" || fail "$(cowd log $s)"
cowd undo $s | grep -q "layer add main c" || fail "undo"
shows "a:1 b:2 c:unused floor:-" $s
cowd layer remove -q $s b
cowd undo -n $s | grep -q "layer remove main b" || fail "undo -n"
shows "a:1 b:- c:unused floor:-" $s
cowd undo -q $s
shows "a:1 b:2 c:unused floor:-" $s

say "an id is of one directory for ever"
mkdir e
cowd layer add -q $s e
cowd layer add -q $s c
[ "$(cowd layer list -H -o NAME,ID --sort NAME $s | tr '\t\n' ': ')" = \
	"a:1 b:2 c:3 e:5 floor:4 " ] || fail "$(cowd layer list -o +ID $s)"

say "what can't be"
refused 13 'already' cowd layer add $s c
refused 2 'knows this directory as the layer c' cowd layer add $s x=c
refused 13 'of this name' cowd layer add $s:other "$(mkdir f && echo e=f)"
refused 1 'not exist' cowd layer add $s none
refused 1 'not a directory' cowd layer add $s $s/lock
refused 2 'inside the store' cowd layer add $s $s/segments
refused 2 'contains the store' cowd layer add $s .
refused 2 'contains the store' cowd layer add $s /
refused 2 'path is empty' cowd layer add $s x=
refused 12 'no such layer' cowd layer add $s f --below none
refused 12 'no such layer' cowd layer remove $s none
refused 12 'no layer of this branch' cowd layer remove $s floor
refused 2 'below one, or at the bottom' cowd layer add $s f --below a --bottom
cowd layer remove -q $s e
cowd layer remove -q $s c
cowd layer remove -q $s a
refused 2 'only layer' cowd layer remove $s b
refused 12 'nobranch' cowd layer list $s:nobranch
cowd create -q i.cowd --size 1M
refused 2 'over an image' cowd layer list i.cowd

say "missing, and another directory"
cowd layer add -q $s c
mv c away
rc=0
cowd status $s >out || rc=$?
[ "$rc" -eq 3 ] && grep -q 'attention .*layer c.*not exist' out ||
	fail "$rc, $(cat out)"
mkdir c
rc=0
cowd status --json $s >out || rc=$?
[ "$rc" -eq 3 ] && [ "$(json '[x["state"] for x in d["base"]["layers"]
	if x["name"] == "c"], d["health"], d["base"]["changed"]' <out)" = \
	"['changed'] attention True" ] || fail "$rc, $(cat out)"
cowd layer remove -q $s c
cowd status -q $s || fail "status: $?"
rmdir c && mv away c
cowd layer add -q $s c
cowd status -q $s || fail "status: $?"
