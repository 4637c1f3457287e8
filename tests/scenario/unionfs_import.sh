#!/usr/bin/env bash
# Row 000-8: what unionfs-fuse left is taken over: branches as it writes them,
# its whiteouts, its options.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory has no layers"

rw=$WORK/rw ro=$WORK/ro
mkdir -p "$ro/dir/deep" "$ro/gone/full" "$ro/keep" "$rw/dir" "$rw/again"
for name in file dir/file dir/other dir/deep/x gone/full/y keep/z again; do
	[ "$name" = again ] || echo ro >"$ro/$name"
done
echo rw >"$rw/dir/file"
mkdir -p "$rw/.unionfs/dir/deep" "$rw/.unionfs/gone_HIDDEN~"
touch "$rw/.unionfs/file_HIDDEN~" "$rw/.unionfs/dir/other_HIDDEN~" \
	"$rw/.unionfs/dir/deep/x_HIDDEN~" "$rw/.unionfs/nothing_HIDDEN~" \
	"$rw/.unionfs/no/where_HIDDEN~" 2>/dev/null || true
tree_listing "$rw" >"$WORK/rw.before"
tree_listing "$ro" >"$WORK/ro.before"
names() { (cd "$1" && find . -mindepth 1 | sort | xargs); }

say "branches and whiteouts"
cowd create -q "$STORE" --branches "$rw=RW:$ro=RO"
cowd mount -q -o cow,hide_meta_files,statfs_omit_ro,preserve_branch \
	"$STORE" "$M" 2>"$WORK/err"
[ ! -s "$WORK/err" ] || fail "$(cat "$WORK/err")"
[ "$(names "$M")" = "./again ./dir ./dir/deep ./dir/file ./keep ./keep/z" ] ||
	fail "$(names "$M")"
[ "$(cat "$M/dir/file" "$M/keep/z" | xargs)" = "rw ro" ] || fail "contents"
echo new >"$M/file"
rm -r "$M/keep"
cowd umount "$M"
tree_listing "$rw" | diff "$WORK/rw.before" - || fail "rw has changed"
tree_listing "$ro" | diff "$WORK/ro.before" - || fail "ro has changed"

say "without what was written to, and without kinds"
cowd create -q "$WORK/two.cowd" --branches "$ro:$rw"
cowd mount -q "$WORK/two.cowd" "$M"
[ "$(cat "$M/dir/file")" = ro ] || fail "the first is the topmost"
cowd umount "$M"

say "options that do nothing say what does"
for option in max_files=1000 relaxed_permissions chroot=/x debug_file=/x; do
	cowd mount -q -o "$option" "$STORE" "$M" 2>"$WORK/err"
	grep -q "${option%%=*}.*has no effect" "$WORK/err" || fail "$option"
	cowd umount "$M"
done

say "refused"
refused 2 'only the first' cowd create "$WORK/x.cowd" --branches "$ro=RO:$rw=RW"
refused 2 'takes the place of' cowd create "$WORK/x.cowd" --branches "$ro" \
	--base "$rw"
refused 2 'neither a base' cowd create "$WORK/x.cowd"
refused 2 'empty' cowd create "$WORK/x.cowd" --branches "$ro::$rw"
[ ! -e "$WORK/x.cowd" ] || fail "something is left"
