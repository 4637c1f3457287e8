#!/usr/bin/env bash
# Every command works on a store over directories, mounted or not, or says why
# it is not for one, and what to do instead.
. "$(dirname "$0")/../support/lib.sh"
need python3
cd "$WORK"

mkdir top low
echo top >top/file
echo low >low/file
s=s.cowd

say "create"
cowd create -n $s --base top --base low | grep -q 'over 2 directories' ||
	fail "dry run"
[ ! -e $s ] || fail "the dry run made something"
cowd create --json $s --base top --base below=low >out
[ "$(json 'd["base"]["kind"], [(x["name"], x["path"], x["position"]) for x in
	d["base"]["layers"]], d["branch"]["size_bytes"]' <out)" = \
	"directory [('top', '$WORK/top', 1), ('below', '$WORK/low', 2)] None" ] ||
	fail "$(cat out)"

say "looking"
cowd status $s >out || fail "$(cat out)"
grep -q 'healthy .*over 2 directories' out || fail "$(cat out)"
grep -q "below .*$WORK/low, ok" out || fail "$(cat out)"
cowd status --json $s >out
[ "$(json 'd["base"]["size_bytes"], d["branches"][0]["size_bytes"],
	d["base"]["changed"]' <out)" = "None None False" ] ||
	fail "$(cat out)"
cowd df $s | grep -q TOTAL || fail "df"
cowd stats $s | grep -q checksum_errors || fail "stats"
cowd branch list -H -o NAME,SIZE $s | grep -qx $'main\t-' || fail "branch list"

say "history"
cowd snapshot create -q $s@s1 $s@s2
[ "$(cowd snapshot list -H -o NAME,SIZE $s)" = $'s1\t-\ns2\t-' ] ||
	fail "$(cowd snapshot list $s)"
cowd snapshot show $s@s1 >out
grep -q '^Written: *0B since its parent$' out || fail "$(cat out)"
cowd snapshot show --json $s@s1 | json 'd["snapshot"]["written_extents"]' |
	grep -qx None || fail "snapshot show"
cowd snapshot rename -q $s@s2 second
cowd snapshot hold -q tag $s@s1
refused 14 'held' cowd snapshot delete $s@s1
cowd snapshot release -q tag $s@s1
cowd rollback -q $s@s1
cowd undo -q $s
cowd clone -q $s@s1 try
cowd branch rename -q $s:try tried
cowd tree --ascii $s >out
grep -q '^top + below (base)' out && grep -q 'tried \*' out || fail "$(cat out)"
cowd tree --dot $s | grep -q '"base:top + below"' || fail "dot"
cowd branch delete -q $s:tried
cowd snapshot delete -q $s@second
cowd gc -q $s
cowd compact -q $s
cowd config set -q $s compress=off
[ "$(cowd config get $s compress)" = off ] || fail "config"
cowd log -H $s | grep -q 'clone @s1 to' || fail "$(cowd log $s)"

say "what only images have"
refused 2 'no size' cowd resize $s +1G
grep -q 'hint: a tree grows' out || fail "$(cat out)"
refused 2 'no size' cowd branch resize $s:main 1G
refused 2 'no image' cowd export $s out.img
grep -q 'hint: a tree: -O dir or -O tar' out || fail "$(cat out)"
refused 2 'no image' cowd export -O raw $s@s1 out.img
refused 2 'differs are paths' cowd diff --blocks $s@s1
[ ! -e out.img ] || fail "something was exported"

say "nothing of it touched the layers"
[ "$(cat top/file low/file)" = $'top\nlow' ] || fail "the layers changed"
