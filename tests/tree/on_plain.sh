#!/usr/bin/env bash
# on_plain.sh COMMAND...: runs it where @1, @2, ... stand for new directories
# on a plain file system, which are removed afterwards; @1/NAME is in one.
set -euo pipefail
work=$(mktemp -d "${TMPDIR:-/tmp}/cowd-tree-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 711 "$work" # for operations as another user
words=()
for word in "$@"; do
	[[ $word != @* ]] || {
		word=$work/${word#@}
		case $word in
		"$work"/*/*) mkdir -p "${word%/*}" ;;
		*) mkdir "$word" ;;
		esac
	}
	words+=("$word")
done
"${words[@]}"
