#!/usr/bin/env bash
# Pass 4: names and inodes of a tree with snapshots and a clone.
source "$(dirname "$0")/../support/fsck.sh"
need_root
need_fuse
DAMAGE_ITEMS=$(readlink -f "${DAMAGE_ITEMS:?}")
mkdir "$WORK/base"
echo base >"$WORK/base/old"
cowd create "$STORE" --base "$WORK/base" >"$WORK/out"
cowd mount "$STORE" "$M" >"$WORK/out"
mkdir -p "$M/d/e"
head -c 100000 /dev/urandom >"$M/d/data"
ln "$M/d/data" "$M/d/e/link"
ln -s data "$M/d/symlink"
echo more >>"$M/old"
mkfifo "$M/d/fifo"
echo short >"$M/d/brief"
brief=$(stat -c %i "$M/d/brief")
cowd snapshot create "$STORE@one" >"$WORK/out"
rm "$M/d/e/link" "$M/d/brief"
echo new >"$M/d/e/new"
mv "$M/d/e" "$M/moved"
cowd snapshot create "$STORE@two" >"$WORK/out"
cowd clone "$STORE@one" other >"$WORK/out"
data=$(stat -c %i "$M/d/data")
dir=$(stat -c %i "$M/moved")
top=$(stat -c %i "$M/d")
new=$(stat -c %i "$M/moved/new")
sum "$M/d/data" >"$WORK/sum"
cowd umount "$M"
fsck 0 -n "$STORE"

damage() { "$DAMAGE_ITEMS" "$T" "$@"; }
# mounted COMMAND...: in the case's store.
mounted() {
	cowd mount "$T${branch:+:$branch}" "$M" >"$WORK/out"
	"$@" || fail "$*"
	cowd umount "$M"
}
data_is() { [ "$(sum "$1")" = "$(cat "$WORK/sum")" ]; }

fresh
damage inode "$data" nlink 7
finds P4-NLINK
has_names() { [ "$(stat -c %h "$M/d/data")" = "$1" ]; }
mounted has_names 1
fresh
damage inode "$dir" nlink 5
finds P4-NLINK

fresh
damage delete "$top" 2 data
finds P4-NONAME
mounted data_is "$M/lost+found/#$data"
branch=other mounted data_is "$M/d/e/link"
fresh
damage absent 1 2 moved
finds P4-NONAME
mounted grep -q new "$M/lost+found/#$dir/new"

fresh
damage delete "$data" 1
finds P4-NOINODE
check_data() { cmp -n 100000 "$M/d/data" <(head -c 100000 "$M/d/data") &&
	[ "$(head -c 100000 "$M/d/data" | sha256sum | cut -d' ' -f1)" = \
		"$(cat "$WORK/sum")" ]; }
mounted check_data
fresh
damage delete "$top" 1
finds P4-NOINODE
mounted data_is "$M/d/data"

fresh
damage inode "$dir" parent "$top"
finds P4-PARENT
fresh
damage orphan "$new"
finds P4-ORPHAN
mounted grep -q new "$M/moved/new"

fresh
sql "UPDATE items SET value = x'0000000000000000' || substr(value, 9) WHERE
	id = (SELECT max(id) FROM items WHERE length(value) = 104)"
finds P4-ITEM
fresh
sql "UPDATE items SET value = substr(value, 1, length(value) - 1) || x'ff'
	WHERE length(value) = 17"
finds P4-ITEM
# index.bak has some of the names, lost+found the rest.
somewhere() {
	find "$M" -type f -size 100000c -exec sha256sum {} + |
		grep -q "$(cat "$WORK/sum")"
}
mounted somewhere
fresh
sql "UPDATE items SET key = x'00' WHERE id = (SELECT max(id) FROM items WHERE
	hex(key) LIKE '%06')"
finds P4-ITEM

# What a snapshot alone has stays there; a clone of it is a head.
fresh
damage delete "$top" 2 brief
finds P4-NONAME
branch=other mounted grep -q short "$M/lost+found/#$brief"
fresh
cowd branch delete --now "$T:other" >"$WORK/out"
cowd gc "$T" >"$WORK/out"
damage delete "$top" 2 brief
finds P4-KEPT
