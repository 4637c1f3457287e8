#!/usr/bin/env bash
# Setuid and setgid bits go with data and owner as they do on a plain file
# system: A4 of the abuse cases, Open and Setattr of rows 004.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need setpriv fallocate python3

tree_up
mkdir "$WORK/plain"
chmod 777 "$M" "$WORK/plain"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

# after MODE COMMAND: what is left of it, in both places, by root and others.
after() {
	local mode=$1 place who
	shift
	for who in root other; do
		for place in "$M" "$WORK/plain"; do
			cd "$place"
			rm -f f
			echo some text >f
			chmod "$mode" f
			if [ $who = root ]; then
				sh -c "$*" || true
			else
				"${nobody[@]}" sh -c "$*" || true
			fi
			stat -c %a f >"$WORK/left.${place##*/}"
			cd /
		done 2>/dev/null
		cmp -s "$WORK/left.m" "$WORK/left.plain" ||
			fail "$who, $mode, $*: $(cat "$WORK/left.m")," \
				"plain: $(cat "$WORK/left.plain")"
	done
}
for mode in 6777 4777 2777 2706 6706 1777; do
	after $mode 'echo more >>f'
	after $mode 'echo more >f'
	after $mode 'truncate -s 3 f'
	after $mode 'fallocate -l 100 f'
	after $mode 'chown 0:0 f'
	after $mode 'chown 5 f'
	after $mode 'python3 -c "import os; os.chown(\"f\", -1, -1)"'
	after $mode 'chgrp 6 f'
	after $mode "rm f; umask 0; python3 -c 'import os; os.open(\"f\", \
os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o$mode)'"
done
tree_down
