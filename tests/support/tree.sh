# shellcheck shell=bash
# For tests of directory trees: source it after lib.sh (or accept.sh). Gives
# B, a base directory that is still empty, and need_trees, tree_up, tree_down.
B=$WORK/base
mkdir "$B"
chmod 711 "$WORK" # operations as another user come through here
TREE_TESTS=${TREE_TESTS:-$(dirname "$COWD")/../tests/tree}
TREE_OPTIONS=${TREE_OPTIONS:-dev,suid,allow_other}

need_trees() {
	need_fuse
	need_root
}
# need_program NAME...: of those that are built in tests/tree.
need_program() {
	local name
	for name in "$@"; do
		[ -x "$TREE_TESTS/$name" ] || skip "no $TREE_TESTS/$name"
	done
}

# A store over B (or the directories that are given), mounted at M.
tree_up() { # [DIR...]
	local dir bases=()
	[ $# -gt 0 ] || set -- "$B"
	for dir in "$@"; do
		bases+=(--base "$dir")
	done
	cowd create -q "$STORE" "${bases[@]}"
	tree_mount
}
tree_mount() { cowd mount -q -o "$TREE_OPTIONS" "$STORE" "$M"; }
tree_down() { cowd umount -q "$M"; }
remount() {
	tree_down
	tree_mount
}
# kill -9 of the daemon, and mounted again.
tree_kill() {
	local pid
	pid=$(daemon_pid "$STORE")
	[ -n "$pid" ] || fail "no daemon"
	kill -9 "$pid"
	wait_gone "$pid" 10 || fail "$pid does not die"
	umount "$M" 2>/dev/null || umount -l "$M"
	tree_mount
}

# For tree_model --without: what this kernel can't do in M.
cannot() {
	python3 -c 'import os, sys
os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR)' "$M" 2>/dev/null ||
		printf tmpfile,
}

# Where a snapshot is seen.
snapshot_at() { echo "$M/.snapshots/$1"; }
# shellcheck source=tests/support/tree_plain.sh
[ -z "${TREE_PLAIN:-}" ] ||
	. "$(dirname "${BASH_SOURCE[0]}")/tree_plain.sh"

# Some of everything, with contents, attributes and links, in a directory.
some_tree() { # DIR
	mkdir -p "$1"/sub/deep/er "$1"/empty "$1"/many
	seq 1000 >"$1/numbers"
	head -c 300000 /dev/urandom >"$1/sub/random"
	truncate -s 1M "$1/sub/hole"
	printf x | dd of="$1/sub/hole" bs=1 seek=500000 conv=notrunc \
		status=none
	: >"$1/sub/deep/nothing"
	echo text >"$1/sub/deep/er/file"
	ln "$1/numbers" "$1/sub/numbers-too"
	ln -s ../numbers "$1/sub/link"
	ln -s /nonexistent/dangling "$1/dangling"
	mkfifo -m 640 "$1/fifo"
	python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1/socket"
	[ "$(id -u)" -ne 0 ] || mknod "$1/null" c 1 3
	touch "$1"/many/{1..200}
	setfattr -n user.note -v "of the base" "$1/numbers" 2>/dev/null ||
		true
	chmod 1777 "$1/many"
	chmod 6755 "$1/sub/deep/nothing"
	chmod 600 "$1/sub/random"
	[ "$(id -u)" -ne 0 ] || chown 12345:54321 "$1/sub/random"
	touch -h -d 2001-02-03T04:05:06.789 "$1/sub/link" "$1/numbers"
	touch -d 1999-12-31 "$1/sub/deep"
}

# Links of it that lead out if they are moved: not in random operations.
no_dots() { # DIR...
	find "$@" -type l -lname '../*' -exec ln -sfn deep {} \;
}

# All that can be seen of a tree, a line for each object and xattr; the same
# for equal trees. Contents as checksums; links by the first of their names.
tree_listing() { # DIR
	(
		cd "$1" || exit
		find . -mindepth 1 \( -type d -printf \
			'%p %y %m %U:%G %T@\n' -o -type l -printf \
			'%p %y %m %U:%G %T@ %l %n\n' -o -printf \
			'%p %y %m %U:%G %T@ %s %n\n' \) | LC_ALL=C sort
		find . -type f -print0 | LC_ALL=C sort -z |
			xargs -0 -r sha256sum
		find . -type f -links +1 -printf '%i %p\n' | LC_ALL=C sort |
			awk '{ first[$1] = first[$1] == "" ? $2 : first[$1]
				print "link", $2, first[$1] }' |
			LC_ALL=C sort
		find . -mindepth 1 \( -type c -o -type b \) -exec stat -c \
			'device %n %t:%T' {} + | LC_ALL=C sort
		! command -v getfattr >/dev/null ||
			find . -print0 | LC_ALL=C sort -z |
			xargs -0 -r getfattr -h -d -m - --absolute-names \
				2>/dev/null
	)
}
# same_trees A B [TEXT]
same_trees() {
	tree_listing "$1" >"$WORK/listing.a"
	tree_listing "$2" >"$WORK/listing.b"
	cmp -s "$WORK/listing.a" "$WORK/listing.b" && return 0
	echo "FAILED at line ${BASH_LINENO[0]}: ${3:-$1 and $2 differ}" >&2
	diff "$WORK/listing.a" "$WORK/listing.b" | head -n 20 >&2
	exit 1
}
