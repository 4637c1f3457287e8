#!/usr/bin/env bash
# cowd-fsck(8) lists the problems that the program knows, and its options are
# those of --help.
#   COWD_FSCK=... tests/fsck/manual.sh [--fix]    writes the list anew
set -euo pipefail
fsck=$(readlink -f "${COWD_FSCK:?the path of the cowd-fsck binary}")
page=$(dirname "$0")/../../man/cowd-fsck.8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$fsck" --list-problems | awk -F'\t' '
	function sentence(text) {
		return toupper(substr(text, 1, 1)) substr(text, 2) "."
	}
	BEGIN { print ".Bl -tag -width Ds" }
	{
		print ".It Sy " $2 " Pq " $1 ", " $4
		print sentence($5)
		if ($6 != "-")
			print "Repair: " $6 "."
		if ($7 != "-")
			print "Lost: " $7 "."
	}
	END { print ".El" }' | sed "s/^'/\\\\\&'/" >"$work/list"
awk -v list="$work/list" '
	/^\.\\" end of the list/ { skip = 0 }
	!skip { print }
	/^\.\\" begin of the list/ {
		skip = 1
		while ((getline line <list) > 0)
			print line
	}' "$page" >"$work/page"
if [ "${1:-}" = --fix ]; then
	cat "$work/page" >"$page"
	exit
fi
diff -u "$page" "$work/page" || {
	echo "cowd-fsck(8) and the table differ: tests/fsck/manual.sh --fix"
	exit 1
}

"$fsck" --help | grep -o -- '--[a-z][a-z-]*' | sort -u >"$work/help"
sed -n 's/^\.It .*Fl -\([a-z][a-z-]*\).*/--\1/p' "$page" | sort -u \
	>"$work/options"
diff -u "$work/options" "$work/help" || {
	echo "cowd-fsck(8) and --help differ"
	exit 1
}
command -v mandoc >/dev/null || exit 0
mandoc -T lint -W warning "$page"
