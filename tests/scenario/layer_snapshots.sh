#!/usr/bin/env bash
# A snapshot of another store as a layer: made over it, added, changed above,
# remounted, shared by two stores, three deep; whoever is killed leaves nothing.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3
cd "$WORK"

some_tree "$B"
seq 100000 >"$B/large"
tree_up
low=$STORE
echo "of the store" >"$M/made"
rm "$M/sub/deep/er/file"
printf XX | dd of="$M/large" conv=notrunc status=none
mkdir want
cp -a "$M/." want/
cowd snapshot create -q $low@v1
echo later >"$M/later"
# Others may be at work in these places, too.
no_place() { ! compgen -G '/run/cowd-layer-*' >/dev/null; }
nothing_left() { # MOUNTS
	[ "$(grep -c "^$WORK/" /proc/mounts)" = "$1" ] ||
		fail "mounts: $(grep "^$WORK/" /proc/mounts)"
	until_true 10 no_place
}
gone() { [ -z "$(daemon_pid "$1")" ]; }

say "over a snapshot of a store that is mounted"
cowd create -q up.cowd --base $low@v1
cowd layer list -H -o NAME,STATE,PATH up.cowd >out
[ "$(cat out)" = "s.cowd-v1	ok	$low@v1" ] || fail "$(cat out)"
cowd layer list --json up.cowd | json 'd["layers"][0]["kind"],
	d["layers"][0]["snapshot_id"], d["layers"][0]["store_uuid"]' >out
uuid=$(cowd status --json $low | json 'd["store"]["uuid"]')
[ "$(cat out)" = "snapshot 00000001 $uuid" ] || fail "$(cat out)"
refused 14 "held by 'layer-of-up.cowd-" cowd snapshot delete $low@v1
mkdir u
cowd mount -q up.cowd u
nothing_left 2
same_trees u want
[ "$(ls -A u)" = "$(ls -A want)" ] || fail "$(ls -A u)"
cowd which u/made | grep -q "layer s.cowd-v1, $low@v1/made" || fail "which"
cowd status -q up.cowd || fail "status: $?"

say "changed above; the same after a remount without the other daemon"
printf YY | dd of=u/large conv=notrunc bs=1 seek=5000 status=none
printf YY | dd of=want/large conv=notrunc bs=1 seek=5000 status=none
mv u/sub u/moved && mv want/sub want/moved
rm u/made want/made
tree_listing u >before
(cd u && find . -printf '%p %i\n' | sort) >numbers
cowd snapshot create -q up.cowd@u1
cowd umount -q u
cowd umount -q "$M"
until_true 10 gone $low
cowd mount -q up.cowd u
tree_listing u | cmp - before || fail "after a remount"
(cd u && find . -printf '%p %i\n' | sort) | cmp - numbers || fail "numbers"
cowd status $low >out
grep -q 'daemon *pid' out && grep -q 'in use *main@v1, at no mount' out ||
	fail "who serves it? $(cat out)"
refused 1 'mounted nowhere, and in use' cowd umount $low
nothing_left 1

say "renamed, and shared by a second store"
cowd snapshot rename $low@v1 first
mkdir more two
echo more >more/more
cowd create -q two.cowd --base more
cowd layer add -q --bottom two.cowd lib="$low@first"
cowd snapshot holds -H -o TAG $low | sed 's/-[0-9a-f]*$//' | sort >out
[ "$(cat out)" = $'layer-of-two.cowd\nlayer-of-up.cowd' ] || fail "$(cat out)"
cowd mount -q two.cowd two
[ "$(cat two/more two/made)" = $'more\nof the store' ] || fail "two"
cowd umount -q u
[ "$(head -c 2 two/large)" = XX ] || fail "it went with the other one"
cowd umount -q two
until_true 10 gone $low

say "three deep"
cowd create -q top.cowd --base up.cowd@u1
mkdir t
cowd mount -q top.cowd t
tree_listing t | cmp - before || fail "top"
nothing_left 1
for store in up.cowd $low; do
	[ -n "$(daemon_pid $store)" ] || fail "no daemon of $store"
done
cowd umount -q t
until_true 10 gone up.cowd
until_true 10 gone $low

say "who asked for it is dead by then"
id=$(cowd layer list --json up.cowd | json 'd["layers"][0]["snapshot_id"]')
! (exec -a cowd-layer "$COWD" open "$low@v1" "$uuid" $((16#$id)) 3>&-) ||
	fail "it has nobody to tell"
until_true 10 gone $low
nothing_left 0

say "kill -9 of the upper one, and of the lower one"
cowd mount -q top.cowd t
kill -9 "$(daemon_pid top.cowd)"
until_true 10 gone up.cowd
until_true 10 gone $low
umount t
cowd mount -q top.cowd t
cat t/large >large
echo new >t/new
kill -9 "$(daemon_pid $low)"
until_true 10 gone $low
echo 3 >/proc/sys/vm/drop_caches
refused 1 'input/output error' cat t/moved/random
refused 3 'daemon that served it has ended' cowd status up.cowd
cowd layer list up.cowd | grep -q 'missing' || fail "$(cowd layer list up.cowd)"
echo more >>t/new || fail "what is above can't be written"
cowd umount -q t
cowd mount -q top.cowd t
cmp large t/large || fail "large"
[ "$(cat t/new)" = $'new\nmore' ] || fail "new"
cowd umount -q t
until_true 10 gone $low
nothing_left 0
