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
tree_up
(cd "$M/dir" && seq -f 'delta-%.0f' $((count / 2)) | xargs touch)
(cd "$M/dir" && seq -f 'gone-%.0f' $((count / 4)) | xargs rm)
(cd "$M/dir" && seq -f 'base-%.0f' 3 7 "$count" | xargs chmod 600)
python3 "$SUPPORT/readdir_storm.py" "$M/dir" "$count" $((count / 2)) 6
remount
python3 "$SUPPORT/readdir_storm.py" "$M/dir" "$count" $((count / 2)) 3
tree_down
