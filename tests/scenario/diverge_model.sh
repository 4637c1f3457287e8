#!/usr/bin/env bash
# diverge_model.sh [OPS=1500 [SEED=1]]: random operations below cowd diverge
# and on a plain directory, with unmounts in between; the base stays as it was.
# Hard links of the base are left out: they are plain files once changed.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_fuse
need_root
need_program tree_model
need python3 setfattr

some_tree "$B"
rm "$B/sub/numbers-too"
cp -a "$B/." "$M"
tree_listing "$M" >"$WORK/base.before"
echo "$WORK/files all<>" >"$WORK/rules"
cat >"$WORK/on" <<ON
cowd diverge -q -f "$WORK/rules" -h "$WORK/holes" -o "$TREE_OPTIONS" "$M"
ON
# What was set of the root is forgotten at the unmount: set it again.
cat >"$WORK/hook" <<HOOK
#!/usr/bin/env bash
set -e
case \$1 in
plan) printf 'close\nsync\n' ;;
act)
	umount "$M"
	. "$WORK/on"
	chown --reference="$WORK/plain" "$M"
	chmod --reference="$WORK/plain" "$M"
	touch --reference="$WORK/plain" "$M"
	;;
esac
HOOK
chmod +x "$WORK/hook"
. "$WORK/on"
"$TREE_TESTS/tree_model" --seed "${2:-1}" --ops "${1:-1500}" --every 250 \
	--hook "$WORK/hook" --start "$B" \
	--without tmpfile,whiteout,exchange,inodes,dirlinks,xattr,acl \
	"$M" "$WORK/plain" || fail "seed ${2:-1}"
umount "$M"
tree_listing "$M" | diff "$WORK/base.before" - || fail "the base has changed"
