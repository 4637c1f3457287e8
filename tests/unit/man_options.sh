#!/usr/bin/env bash
# The manual page and the table of commands say the same, in both directions:
# every command with its arguments, every option with letter and argument.
#   man_options.sh COWD COWD.8 PAGE...    all pages are checked by mandoc
set -euo pipefail
cowd=$1 page=$2
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# As --dump-options: COMMAND<tab>--long<tab>-s<tab>ARGUMENT, and for the
# command itself COMMAND<tab><tab><tab>ARGUMENTS.
awk '
	/^\.Sh / { command = $0 == ".Sh GLOBAL OPTIONS" ? "global" : "" }
	/^\.Sh / { in_commands = $0 == ".Sh COMMANDS" }
	in_commands && /^\.Ss / {
		command = substr($0, 5)
		arguments = ""
	}
	in_commands && /^\.Ss /, /^\.Pp/ {
		if (/^\.Li /)
			arguments = substr($0, 5)
		if (/^\.Pp/)
			print command "\t\t\t" arguments
	}
	command && /^\.It Fl / {
		letter = long = argument = ""
		for (i = 2; i <= NF; i++)
			if ($i == "Fl" && $(i + 1) ~ /^-/)
				long = "-" $(i + 1)
			else if ($i == "Fl")
				letter = "-" $(i + 1)
			else if ($i == "Ar")
				argument = $(i + 1)
		print command "\t" long "\t" letter "\t" argument
	}' "$page" | sort >"$work/page"
"$cowd" help --dump-options | sed 's/\t \t/\t\t/' | sort >"$work/table"
[ "$(wc -l <"$work/table")" -gt 80 ] || {
	echo "the table of commands is short:"
	cat "$work/table"
	exit 1
}
diff -u --label "cowd(8)" --label "cowd help" "$work/page" "$work/table" || {
	echo "cowd(8) and the table of commands differ"
	exit 1
}

# --help is made of the same table: that each command has it is enough.
cut -f1 "$work/table" | sort -u | grep -vx global | while read -r command; do
	# shellcheck disable=SC2086
	"$cowd" $command --help >"$work/help"
	awk -F '\t' -v command="$command" '
		($1 == command || $1 == "global") && $2 { print $2 }
	' "$work/table" | while read -r option; do
		grep -q -- " $option\( \|\$\)" "$work/help" || {
			echo "cowd $command --help lacks $option"
			exit 1
		}
	done
done

command -v mandoc >/dev/null || {
	echo "no mandoc: what the pages say was checked, not their markup"
	exit 0
}
mandoc -T lint -W warning "$@"
