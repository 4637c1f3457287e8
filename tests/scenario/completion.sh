#!/usr/bin/env bash
# The completion scripts load, and bash completes commands, options, the words
# of an option, files, snapshots and branches.
. "$(dirname "$0")/../support/lib.sh"

cd "$WORK"
cowd completion bash >cowd.bash
bash -n cowd.bash
# shellcheck source=/dev/null
. ./cowd.bash
complete -p cowd | grep -q -- '-F _cowd' || fail "nothing is registered"
compopt() { :; } # speaks to readline, which isn't here

# answers LINE WORD...: exactly these words are offered at the end of LINE.
answers() {
	COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
	COMP_WORDS=(cowd "${1##*[ :@]}") COMP_CWORD=1 # as bash cuts it
	COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
	shift
	_cowd
	local got want
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort)
	want=$(printf '%s\n' "$@" | sort)
	[ "$got" = "$want" ] ||
		fail "'$COMP_LINE' offers: ${COMPREPLY[*]}, not: $*"
}

say "commands"
answers "cowd sna" snapshot
answers "cowd st" status stats
answers "cowd snapshot re" rename release
answers "cowd snap l" list
answers "cowd --json branch d" delete
answers "cowd layer " list add remove
answers "cowd -s some config " get set show
answers "cowd completion " bash zsh fish
answers "cowd help comp" compact completion

say "options, and their words"
answers "cowd create --ba" --base --base-id
answers "cowd snap rm --no" --no-heading --now
answers "cowd layer add --bo" --bottom
answers "cowd --ver" --verbose --version
answers "cowd create --compress i" idle inline
answers "cowd log --time " relative iso unix

say "files, snapshots, branches"
cowd create -q web.cowd --size 1M
cowd snapshot create -q web.cowd@clean web.cowd@configured
cowd clone -q web.cowd@clean try
answers "cowd df web" web.cowd
answers "cowd rollback web.cowd@" @clean @configured
answers "cowd rollback web.cowd@con" @configured
answers "cowd mount web.cowd:t" try
answers "cowd snapshot show web.cowd@clean web.cowd:main@cl" @clean
answers "cowd status none.cowd@" ""

say "the others"
for shell in zsh fish; do
	cowd completion "$shell" >"cowd.$shell"
	[ "$(wc -l <"cowd.$shell")" -gt 50 ] || fail "$shell: short"
	! command -v "$shell" >/dev/null || "$shell" -n "cowd.$shell"
done
if command -v fish >/dev/null; then
	export HOME=$WORK
	fish -c 'source cowd.fish; complete -C "cowd snapshot re"' >out
	grep -q '^rename' out && grep -q '^release' out || fail "$(cat out)"
	! grep -q '^resize' out || fail "fish mixes groups up: $(cat out)"
fi
