#!/usr/bin/env bash
# tree_layers.sh [OPS=3000]: three layers are one tree, at every depth: the
# topmost that has a name decides, directories are merged down to the first
# layer where the name is something else. It is what a plain merged copy is,
# also under random operations.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_program tree_model
need python3 setfattr

L1=$WORK/layer1 L2=$WORK/layer2 L3=$WORK/layer3 # topmost first
mkdir "$L1" "$L2" "$L3"
some_tree "$L3/common"
some_tree "$L2/common/sub"
some_tree "$L2/two"
no_dots "$L2" "$L3"
mkdir -p "$L1/common/sub/deep/er" "$L1/one" "$L1/kinds" "$L2/kinds" "$L3/kinds"
echo "of 1" >"$L1/common/sub/deep/er/file"
echo "of 1" >"$L1/common/sub/deep/er/new"
for layer in 1 2 3; do
	echo "top $layer" >"$WORK/layer$layer/file"
	mkdir "$WORK/layer$layer/only$layer" "$WORK/layer$layer/kinds/dirs"
	echo "$layer" >"$WORK/layer$layer/kinds/dirs/$layer"
	echo "$layer" >"$WORK/layer$layer/kinds/dirs/all"
done
mkdir "$L1/kinds/dir-file" "$L3/kinds/file-dir" "$L3/kinds/dir-file-dir" \
	"$L1/kinds/dir-file-dir" "$L2/kinds/link-dir" "$L3/kinds/link-dir"
echo x >"$L2/kinds/dir-file"
echo x >"$L3/kinds/dir-file-dir/hidden"
echo x >"$L2/kinds/dir-file-dir"
echo x >"$L1/kinds/dir-file-dir/seen"
echo x >"$L1/kinds/file-dir"
echo x >"$L3/kinds/file-dir/hidden"
ln -s dirs "$L1/kinds/link-dir"
echo x >"$L3/kinds/link-dir/hidden"
chmod 700 "$L1/common" "$L2/kinds/dirs"
chmod 1777 "$L1/kinds/dirs"
touch -d 2003-03-03 "$L1/kinds/dirs" "$L1/common/sub" "$L1/common"

cat >"$WORK/merge.py" <<'PY'
"""merge.py TARGET LAYER...: what the layers are together, topmost first."""
import os, stat, subprocess, sys

def merge(target, layers):
    seen = set()
    for layer in layers:
        for name in sorted(os.listdir(layer)):
            if name in seen:
                continue
            seen.add(name)
            dirs = []
            for other in layers[layers.index(layer):]:
                path = os.path.join(other, name)
                if not os.path.lexists(path):
                    continue
                if not stat.S_ISDIR(os.lstat(path).st_mode):
                    break
                dirs.append(path)
            if dirs:
                os.mkdir(os.path.join(target, name))
                merge(os.path.join(target, name), dirs)
            else:
                subprocess.run(["cp", "-a", os.path.join(layer, name),
                                os.path.join(target, name)], check=True)
    st = os.stat(layers[0])
    os.chown(target, st.st_uid, st.st_gid)
    os.chmod(target, stat.S_IMODE(st.st_mode))
    os.utime(target, ns=(st.st_atime_ns, st.st_mtime_ns))

merge(sys.argv[1], sys.argv[2:])
PY
# A merged copy can't have links between what is copied one by one.
for name in "$L3"/common "$L2"/common/sub "$L2"/two; do
	rm "$name/sub/numbers-too"
done
mkdir "$WORK/merged"
python3 "$WORK/merge.py" "$WORK/merged" "$L1" "$L2" "$L3"
for layer in 1 2 3; do
	tree_listing "$WORK/layer$layer" >"$WORK/before.$layer"
done
if [ -n "${TREE_PLAIN:-}" ]; then
	tree_up "$WORK/merged"
else
	tree_up "$L1" "$L2" "$L3"
fi
same_trees "$WORK/merged" "$M" "the mount is not the merged layers"
[ ! -e "$M/kinds/dir-file-dir/hidden" ] || fail "hidden by a file between"

say "changed"
HOOK=$(readlink -f "$(dirname "$0")/../tree/cowd_hook.sh")
export COWD STORE M SEED=5 MOUNT_OPTIONS=$TREE_OPTIONS
[ -z "${TREE_PLAIN:-}" ] || exit 0
"$TREE_TESTS/tree_model" --seed $SEED --ops "${1:-3000}" --every 300 \
	--hook "$HOOK" --start "$WORK/merged" \
	--without "${TREE_WITHOUT:-$(cannot),dirlinks}" "$M" "$WORK/plain" ||
	fail "seed $SEED"
tree_down
for layer in 1 2 3; do
	tree_listing "$WORK/layer$layer" | diff "$WORK/before.$layer" - ||
		fail "layer $layer has changed"
done
