#!/usr/bin/env bash
# tree_parallel.sh [SECONDS=8]: many processes at once, changing the same names
# and each a file of its own, with snapshots meanwhile: what is listed is
# there, links count what there is, and all is the same when mounted again.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need_program tree_fsx
need python3

mkdir -p "$B"/n{0..5}/n{0..5} "$B/files"
for i in {0..5}; do echo "$i" >"$B/n$i/n$i/n0"; done
for i in 1 2 3; do make_base 100000 "$B/files/$i"; done
tree_up
storms=() fsx=()
on_exit 'kill "${storms[@]}" "${fsx[@]}"'
for seed in 1 2 3 4; do
	python3 "$SUPPORT/names_storm.py" "$M" $seed 100000000 &
	storms+=($!)
done
for i in 1 2 3; do
	"$TREE_TESTS/tree_fsx" --seed "$i" --ops 4000 "$M/files/$i" \
		>"$WORK/fsx.$i" 2>&1 &
	fsx+=($!)
done
for ((i = 1; i <= ${1:-8}; i++)); do
	sleep 1
	[ "$i" -gt 3 ] || cowd snapshot create -q "$STORE@s$i"
done
kill "${storms[@]}"
wait "${storms[@]}" 2>/dev/null || true
for i in 0 1 2; do
	wait "${fsx[i]}" || fail "$(tail -n 20 "$WORK/fsx.$((i + 1))")"
done

python3 - "$M" <<'PY'
import collections, os, sys
links, names, dirs = {}, collections.Counter(), {}
for path, folders, files in os.walk(sys.argv[1]):
    st = os.lstat(path)
    assert st.st_nlink in (1, 2 + len([
        f for f in folders if not os.path.islink(os.path.join(path, f))])), \
        f"{path}: {st.st_nlink} links"
    assert st.st_ino not in dirs, f"{path} and {dirs[st.st_ino]}: one inode"
    dirs[st.st_ino] = path
    for entry in os.scandir(path):
        st = os.lstat(entry.path)
        assert entry.inode() == st.st_ino, entry.path
        if not entry.is_dir(follow_symlinks=False):
            names[st.st_ino] += 1
            links[st.st_ino] = (st.st_nlink, entry.path)
for inode, (count, path) in links.items():
    assert names[inode] == count, f"{path}: {names[inode]} of {count} links"
print(len(links), "objects,", len(dirs), "directories")
PY
tree_listing "$M" >"$WORK/after"
for i in 1 2 3; do tree_listing "$(snapshot_at s$i)" >"$WORK/s$i"; done
remount
tree_listing "$M" | diff "$WORK/after" - || fail "mounted again"
for i in 1 2 3; do
	tree_listing "$(snapshot_at s$i)" | diff "$WORK/s$i" - || fail "@s$i"
done
tree_kill
tree_listing "$M" | diff "$WORK/after" - || fail "after kill -9"
rm -rf "${M:?}"/*
[ -z "$(ls -A "$M")" ] || fail "something stays"
tree_down
