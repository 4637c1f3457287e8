#!/usr/bin/env bash
# tree_readdir_changes.sh [COUNT=6000]: D7: a listing in small pieces, with
# seeks, of a directory that others change at the same time has every name that
# was there all the time exactly once.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

count=${1:-6000}
mkdir "$B/dir"
(cd "$B/dir" && seq -f 'base-%.0f' "$count" | xargs touch)
(cd "$B/dir" && seq -f 'gone-%.0f' $((count / 4)) | xargs touch)
mkdir "$B/half"
touch "$B"/half/{1..30}
tree_up

say "one reads a part, the other the rest of what was changed meanwhile"
cat >"$WORK/half.py" <<'PY'
import ctypes, os, sys
sys.path.insert(0, sys.argv[2])
from readdir_storm import listing, piece
directory = sys.argv[1]
buffer = ctypes.create_string_buffer(32768)
fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
before = list(piece(fd, buffer))  # all, but not that this is the end
os.close(fd)
gone = [name for name, _ in before[2:-1:3]]
for name in gone:
    os.unlink(f"{directory}/{name}")
    open(f"{directory}/new{name}", "w").close()
want = {name for name, _ in before} - set(gone) | {f"new{n}" for n in gone}
fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
names = listing(fd, buffer)
assert {name for name, _ in names} == want, names
for nr, (name, place) in enumerate(names):
    os.lseek(fd, place, os.SEEK_SET)
    rest = listing(fd, buffer)
    assert rest == names[nr + 1:], f"behind {name}: {rest}"
PY
python3 "$WORK/half.py" "$M/half" "$SUPPORT"

say "names come and go while a directory is listed"
(cd "$M/dir" && seq -f 'delta-%.0f' $((count / 2)) | xargs touch)
(cd "$M/dir" && seq -f 'gone-%.0f' $((count / 4)) | xargs rm)
(cd "$M/dir" && seq -f 'base-%.0f' 3 7 "$count" | xargs chmod 600)
python3 "$SUPPORT/readdir_storm.py" "$M/dir" "$count" $((count / 2)) 6
remount
python3 "$SUPPORT/readdir_storm.py" "$M/dir" "$count" $((count / 2)) 3
tree_down
