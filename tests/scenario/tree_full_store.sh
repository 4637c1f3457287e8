#!/usr/bin/env bash
# D5, D9: removing and renaming in a full store either fails and changes
# nothing, or succeeds and lasts; and what was removed gives room.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees

mkdir "$B/full"
for i in {1..300}; do echo "$i" >"$B/full/$i"; done
mkdir "$WORK/small"
mount -t tmpfs -o size=24M none "$WORK/small"
STORE=$WORK/small/s.cowd
# On a plain directory that is where the tree is.
[ -z "${TREE_PLAIN:-}" ] || M=$WORK/small
tree_up
head -c 60M /dev/urandom >"$M/filler" 2>"$WORK/err" && fail "it is not full"
grep -q 'No space' "$WORK/err" || fail "$(cat "$WORK/err")"
gone=()
for i in {1..300}; do
	case $((i % 2)) in
	0) ! rm "$M/full/$i" 2>>"$WORK/err" || gone+=("$i") ;;
	1) ! mv "$M/full/$i" "$M/full/$i-moved" 2>>"$WORK/err" ||
		gone+=("$i") ;;
	esac
done
echo "${#gone[@]} of 300 were removed or renamed"
[ ${#gone[@]} -gt 0 ] || fail "nothing can be removed from a full store"
check_full() {
	for i in {1..300}; do
		case " ${gone[*]} " in
		*" $i "*) [ ! -e "$M/full/$i" ] || fail "$1: $i is back" ;;
		*) [ "$(cat "$M/full/$i")" = "$i" ] || fail "$1: $i is lost" ;;
		esac
	done
}
check_full "at once"
rm "$M/filler" || fail "a full store can't be emptied"

say "what was removed gives room at once"
for round in 1 2 3; do
	mkdir "$M/dir$round" || fail "round $round: no room for a name"
	head -c 8M /dev/urandom |
		dd of="$M/dir$round/8m" bs=1M conv=fsync status=none ||
		fail "round $round: no room for data"
	head -c 60M /dev/urandom >"$M/filler" 2>/dev/null && fail "not full"
	sync "$M/filler" 2>/dev/null || true # what is to be told of it
	case $round in
	1) rm -r "$M/filler" "$M/dir1" ;;
	2) truncate -s 0 "$M/filler" "$M/dir2/8m" ;;
	3) fallocate -p -o 0 -l 60M "$M/filler" ;;
	esac || fail "round $round: a full store can't be emptied"
done
remount
check_full "mounted again"
echo "room again" >"$M/new" || fail "no room"
tree_down
