#!/usr/bin/env bash
# Which file goes where: the kinds of rules and their grammar, asked of a
# mount. Rows 002-5 to 002-11 and 002-13 of divergefs' behaviours.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
cd "$WORK"

row() { say "row $*"; }
# with RULES: mounts with these lines; {} is WORK.
with() {
	! mountpoint -q "$M" || cowd umount "$M"
	rm -rf holes one two three
	printf '%s\n' "$@" | sed "s|{}|$WORK|" >rules
	cowd diverge -q -f rules -h holes "$M"
}
# at DIR NAME: the file that was made as NAME in the mount is there.
at() { [ -e "$1/$2" ] || fail "$2 is not in $1: $(find one two three)"; }
wrong() { # LINE:COLUMN TEXT of rules
	printf '%s\n' "$2" >bad
	refused 2 "bad: $1:" cowd diverge -f bad -h holes.bad m2
	mountpoint -q m2 && fail "it was mounted"
	return 0
}
mkdir -p "$M/a/b" m2
echo old >"$M/a/old.c"

row "002-5: || and && group to the right, # begins a comment"
with '# the top rule is the top layer' \
	'{}/one  ext<a> || ext<b> && regex<x>  # as ext<a> || (...)' \
	'two (ext<b> || ext<c>) && regex<y>'
: >"$M/q.a" && : >"$M/x.b" && : >"$M/y.c"
at one q.a && at one x.b
at two y.c # relative to where cowd was started
(echo x >"$M/q.b") 2>/dev/null && fail "q.b is no rule's"

row "002-5: what is wrong is told with line and column, and nothing mounted"
wrong 1:5 '/one'
wrong 1:15 '/one all<> && '
wrong 1:13 '/one (all<> ; ext<a>)'
wrong 1:6 '/one what<x>'
wrong 3:10 $'/one all<>\n# fine\n/one all<x>'

row "002-6: all<> matches anything, and takes no setting"
with '{}/one all<>'
mkdir "$M/a/new" && : >"$M/a/new/f" && ln -s f "$M/a/new/l"
at one a/new/f
[ -L one/a/new/l ] || fail "no symlink in one"
wrong 1:10 '/one all<x>'

row "002-7: mode<>: one letter of A L f d r w x e"
with '{}/one mode<f> && mode<x>' '{}/two mode<d>' '{}/three mode<f>'
cp -p /bin/true "$M/prog" && mkdir "$M/dir" && : >"$M/plain"
at one prog && at two dir && at three plain
chmod +x "$M/plain" # what is placed stays
at three plain
with '{}/one mode<L>' '{}/two mode<e>' '{}/three all<>'
echo more >>"$M/a/old.c" # it exists
: >"$M/fresh"
at two a/old.c && at three fresh
for letter in A L f d r w x e; do
	echo "/one mode<$letter>" >bad
	cowd diverge -n -q -f bad m2 || fail "mode<$letter>"
done
wrong 1:11 '/one mode<z>'
wrong 1:12 '/one mode<rw>'

row "002-8: ext<> is what is behind the last dot"
with '{}/one ext<8>'
: >"$M/b.8" && : >"$M/a/c.d.8"
at one b.8 && at one a/c.d.8
(: >"$M/b8") 2>/dev/null && fail "b8"
(: >"$M/b.8.c") 2>/dev/null && fail "b.8.c"

row "002-9: fregex<> files, dregex<> directories, regex<> both"
with '{}/one fregex<^[ab]+$>' '{}/two dregex<^[ab]+$>' '{}/three regex<c|d>'
: >"$M/abba" && mkdir "$M/aa" "$M/c" && : >"$M/xdx"
at one abba && at two aa && at three c && at three xdx
mkdir "$M/x" 2>/dev/null && fail "x"

row "002-10: the path below is kept, and its directories made"
with '{}/one ext<8>' '{}/two all<>'
: >"$M/a/b/b.8" && : >"$M/a/b/b.c"
at one a/b/b.8 && at two a/b/b.c
[ ! -e one/a/b/b.c ] || fail "in both"
echo top >one/a/b/same && echo low >two/a/b/same
[ "$(cat "$M/a/b/same")" = top ] || fail "the top rule is not on top"

row "002-11: the example of the manual: executables to bin, *.8 to another"
with '{}/one/bin mode<f> && mode<x>' '{}/one ext<8>'
cp -p /bin/true "$M/a/prog" && : >"$M/a/b.8"
at one/bin a/prog && at one a/b.8
"$M/a/prog" || fail "can't be run"

row "002-13: without a rule it is EROFS, and base is not touched"
with '{}/one ext<8>'
for try in "echo x >$M/a/b.c" "echo x >>$M/a/old.c" "rm $M/a/old.c" \
	"mv $M/a/old.c $M/a/new.8" "chmod 600 $M/a/old.c" "mkdir $M/a/d" \
	"ln -s x $M/l" "rmdir $M/a/b"; do
	(eval "$try") 2>err && fail "$try"
	grep -q 'Read-only file system' err || fail "$try: $(cat err)"
done
cowd umount "$M"
[ "$(cat "$M/a/old.c")" = old ] && [ "$(find "$M" | wc -l)" -eq 4 ] ||
	fail "base was touched"
