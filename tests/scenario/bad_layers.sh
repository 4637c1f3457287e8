#!/usr/bin/env bash
# Directories that a store can't be made over are refused, by name and with a
# reason; nothing is left.
. "$(dirname "$0")/../support/lib.sh"
need python3
cd "$WORK"

mkdir a b a/in
make_base 4096 image
ln -s a link
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

say "not directories"
refuses 1 'none: the (base|layer) does not exist' none
refuses 1 'none: the layer does not exist' a none
refuses 1 'image/x' image/x a
refuses 2 'is no directory, and another' a image
refuses 2 'is no directory, and another' image b
refuses 2 'not the only base' image image
refuses 2 'path is empty' a ''
refuses 2 'path is empty' a x=
mkfifo fifo
refuses 2 'is no directory' a fifo
refuses 2 'regular file' fifo

say "one twice, or two of one name"
refuses 2 'twice' a a
refuses 2 'twice' a b link
refuses 13 'name' x=a x=b
refuses 2 'name' x@y=a
refuses 2 'name' .x=a
long=$(printf 'x%.0s' {1..300})
refuses 2 'name' "$long=a"
many=()
for ((i = 0; i < 65; i++)); do
	mkdir -p many/$i
	many+=(many/$i)
done
refuses 2 'at most 64' "${many[@]}"

say "the store in a layer, a layer in a store"
for place in a/s.cowd a/in/s.cowd link/s.cowd a/../a/in/s.cowd; do
	refused 2 'contains the store' cowd create $place --base a
	refused 2 'contains the store' cowd create $place --base b --base a
done
refused 2 'contains the store' cowd create $s --base /
[ -z "$(ls a/in)" ] || fail "something was left behind"
cowd create -q other.cowd --size 1M
refuses 2 'is itself a store' other.cowd
refuses 2 'inside the store' other.cowd/segments
refuses 2 'inside the store' a other.cowd/segments

say "options of images"
refused 2 'no size' cowd create $s --base a --size 1G
refused 2 'for images' cowd create $s --base a --base-id full
refused 2 'neither' cowd create $s

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	say "one that may not be read"
	mkdir -m 777 open
	mkdir -m 700 secret
	chmod 711 "$WORK"
	refused 1 'permission' setpriv --reuid 65534 --clear-groups \
		"$COWD" create "$WORK/open/s.cowd" --base "$WORK/secret"
	[ -z "$(ls open)" ] || fail "something was left behind"
fi

say "names with odd bytes, and links, are taken"
mkdir 'a=b' $'new\nline' $'\xff'
cowd create -q $s --base link --base a=b --base $'new\nline' --base $'\xff'
cowd layer list -H -o NAME $s >out
[ "$(wc -l <out)" -eq 4 ] || fail "$(cat out)"
cowd layer list --json $s | json 'len(d["layers"])' | grep -qx 4 || fail "json"
