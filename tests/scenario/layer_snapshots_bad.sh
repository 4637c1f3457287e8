#!/usr/bin/env bash
# Snapshots that can't be a layer are refused, by name and with a reason, and
# leave nothing; so are those that went, moved or are another one now.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3
cd "$WORK"

mkdir a b m2
echo one >a/file
echo b >b/file
cowd create -q low.cowd --base a
cowd snapshot create -q low.cowd@v1
s=s.cowd
# refuses CODE TEXT BASE...
refuses() {
	local code=$1 text=$2 base bases=()
	shift 2
	for base in "$@"; do
		bases+=(--base "$base")
	done
	refused "$code" "$text" cowd create $s "${bases[@]}"
	[ ! -e $s ] || fail "$*: something was left behind"
	refused "$code" "$text" cowd create -n $s "${bases[@]}"
}

say "that are none"
refuses 1 'neither such a directory nor the store none.cowd' none.cowd@v1
refuses 10 'a is no store' a@v1
refuses 12 'no such snapshot' low.cowd@v2
refuses 12 'no such branch' low.cowd:none@v1
refuses 1 'does not exist' low.cowd@
refuses 2 'itself a store.*low.cowd@NAME|low.cowd@NAME' low.cowd
refuses 2 'twice' low.cowd@v1 low.cowd:main@v1
refuses 12 'no such snapshot' b low.cowd@v1 low.cowd@v3
[ -z "$(cowd snapshot holds -H low.cowd)" ] || fail "a hold is left"
make_base 8192 image
cowd create -q image.cowd --base image
cowd snapshot create -q image.cowd@v1
refuses 2 'snapshot of an image' image.cowd@v1
refuses 2 'snapshot of an image' a image.cowd@v1

say "a directory that is called so is that directory"
mkdir low.cowd@x 'dir@v1'
cowd create -q $s --base dir@v1 --base x=low.cowd@v1
cowd layer list --json $s | json '[l["kind"] for l in d["layers"]]' >out
[ "$(cat out)" = "['directory', 'snapshot']" ] || fail "$(cat out)"
refused 2 'knows this snapshot as the layer x' cowd layer add $s y=low.cowd@v1
refused 13 'is a layer of the branch already' cowd layer add $s low.cowd@v1

say "in a circle"
refused 2 'of this very store' cowd layer add low.cowd low.cowd@v1
cowd snapshot create -q $s@s1
refused 2 'above itself' cowd layer add low.cowd $s@s1
cowd create -q top.cowd --base $s@s1
cowd snapshot create -q top.cowd@t1
refused 2 'above itself' cowd layer add low.cowd top.cowd@t1
cowd mount -q low.cowd "$M"
refused 2 'of this very store' cowd layer add low.cowd:main low.cowd@v1
refused 2 'above itself' cowd layer add low.cowd:main top.cowd@t1
cowd umount -q "$M"
[ -z "$(cowd snapshot holds -H top.cowd)" ] || fail "a hold is left"

say "a volatile store leaves no hold, a dry run none either"
cowd snapshot create -q low.cowd@v2
cowd mount -q --volatile --base low.cowd@v2 "$M"
[ "$(cat "$M/file")" = one ] || fail "volatile"
cowd umount -q "$M"
cowd layer add -q -n $s low.cowd@v2
cowd snapshot delete -q low.cowd@v2

say "the store moves, is missing, is another one"
tag=$(cowd snapshot holds -H -o TAG low.cowd)
mv low.cowd away.cowd
refused 1 'store of this layer does not exist' cowd mount $s "$M"
refused 3 'low.cowd@v1, missing: the store does not exist' cowd status $s
mkdir low.cowd
refused 1 'store of this layer does not exist' cowd mount $s "$M"
rmdir low.cowd
cowd create -q low.cowd --base b
cowd snapshot create -q low.cowd@v1
refused 17 'not in this store' cowd mount $s "$M"
refused 17 'of another store' cowd mount --base x=low.cowd@v1 $s "$M"
refused 17 'this is a directory' cowd mount --base x=b $s "$M"
cowd snapshot create -q away.cowd@v3
refused 17 'another snapshot' cowd mount --base x=away.cowd@v3 $s "$M"
cowd mount -q --base x=away.cowd@v1 $s "$M"
[ "$(cat "$M/file")" = one ] || fail "it is another one"
cowd umount -q "$M"
cowd mount -q $s "$M"
cowd umount -q "$M"

say "made anew under the same name"
cowd snapshot release -q "$tag" away.cowd@v1
cowd snapshot delete -q --now away.cowd@v1
cowd snapshot create -q away.cowd@v1
refused 17 'not in this store.*' cowd mount $s "$M"
[ -z "$(ls -A "$M")" ] || fail "something is mounted"
no_place() { ! compgen -G '/run/cowd-layer-*' >/dev/null; }
until_true 10 no_place # others may be at work there, too
