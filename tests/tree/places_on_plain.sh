#!/usr/bin/env bash
# places_on_plain.sh TREE_PLACES: its table on a plain file system, where a
# read-only bind mount of a copy is the snapshot.
set -euo pipefail
[ "$(id -u)" -eq 0 ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/cowd-tree-XXXXXX")
clean_up() {
	umount "$work/snapshot" 2>/dev/null || true
	rm -rf "$work"
}
trap clean_up EXIT
chmod 711 "$work" # some rows are done as another user
mkdir "$work/tree" "$work/snapshot"
"$1" base "$work/tree"
"$1" delta "$work/tree"
cp -a "$work/tree" "$work/copy"
mount --bind "$work/copy" "$work/snapshot" 2>/dev/null || exit 77
mount -o remount,bind,ro "$work/snapshot"
"$1" run "$work/tree" "$work/snapshot"
