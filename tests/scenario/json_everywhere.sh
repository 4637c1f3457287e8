#!/usr/bin/env bash
# --json on every command is one document with a schema; failures too; a dry
# run says so and changes nothing.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3
cd "$WORK"

make_base $((1 << 20)) && : >used
valid() {
	local schema=$1 && shift
	echo "$* " >>used
	cowd --json "$@" >out 2>err || fail "$*: $(cat err)"
	[ "$(json 'd["schema"]' <out)" = "cowd/$schema/1" ] ||
		fail "$*: $(head -c 300 out)"
}
state() { cowd log -N 1000 --json s.cowd 2>/dev/null || true; }
# valid, dry SCHEMA COMMAND...: exits with 0, one document; -n before.
dry() {
	local schema=$1 before after && shift
	before=$(state)
	valid "$schema" -n "$@"
	[ "$(json 'd["dry_run"]' <out)" = True ] || fail "$* -n: $(cat out)"
	after=$(state)
	[ "$before" = "$after" ] || fail "$* -n changed something"
	valid "$schema" "$@"
	[ "$(json 'd["dry_run"]' <out)" = False ] || fail "$*: $(cat out)"
}

dry create create s.cowd --base "$BASE"
dry mount mount s.cowd m
valid caps caps m
put x 5000 "$(image m)"
dry snapshot-create snapshot create s.cowd@a -m note
dry snapshot-create snapshot create s.cowd@b --hold tag
dry snapshot-rename snapshot rename s.cowd@a aa
dry snapshot-hold snapshot hold t2 s.cowd@aa
valid snapshot-holds snapshot holds s.cowd
dry snapshot-release snapshot release t2 s.cowd@aa
valid snapshot-list snapshot list s.cowd --trash
valid tree snapshot list s.cowd --tree
valid snapshot-show snapshot show s.cowd@aa s.cowd@b
dry clone clone s.cowd@aa c1
dry branch-rename branch rename s.cowd:c1 c2
dry resize branch resize s.cowd:c2 +1M
dry resize resize s.cowd:c2 4M
valid branch-list branch list s.cowd
valid branch-show branch show s.cowd:c2
dry branch-delete branch delete s.cowd:c2
put y 5000 "$(image m)"
dry rollback rollback s.cowd@aa
dry undo undo s.cowd
dry scrub-start scrub start s.cowd --rate 1
dry scrub-pause scrub pause s.cowd
dry scrub-resume scrub resume s.cowd --rate 4k
dry scrub-cancel scrub cancel s.cowd
valid scrub-status scrub status s.cowd
for command in log status df tree stats; do
	valid $command $command s.cowd
done
mkdir d e under
dry diverge diverge -p "$WORK/P" under
cowd umount -q under
dry create create t.cowd --base d
dry layer-add layer add t.cowd low=e --bottom
valid layer-list layer list t.cowd
dry layer-remove layer remove t.cowd d
valid status status t.cowd
valid diff diff base t.cowd
valid which which t.cowd -- /
valid path path t.cowd 1
valid lsof lsof t.cowd
: >f1 && : >f2
dry swap swap f1 f2
cowd snapshot create -q t.cowd@one
dry restore restore t.cowd@one -- /
cp -a d copy
dry commit commit t.cowd --to copy
valid diff diff s.cowd@aa
valid diff diff --stat base s.cowd
dry export export s.cowd@aa out.img
dry snapshot-delete snapshot delete s.cowd@aa
dry snapshot-prune snapshot prune s.cowd --all --keep-last 1
dry gc gc s.cowd
dry compact compact s.cowd
valid config-get config get s.cowd compress
dry config-set config set s.cowd compress=inline
valid config-show config show s.cowd
valid completion completion bash
valid version version
valid version --version
valid help help
valid help help mount
valid help mount --help
valid help snapshot --help
dry revoke revoke m
valid revoke revoke m
dry umount umount m

say "no command was left out"
cowd help --dump-options | cut -f1 | sort -u | grep -vx global |
	while read -r command; do
		grep -q "^$command " used || fail "cowd $command --json"
	done

say "one object per line"
cowd log s.cowd --json-lines >out
[ "$(wc -l <out)" -gt 5 ] || fail "$(cat out)"
while read -r line; do
	[ "$(json 'd["schema"]' <<<"$line")" = cowd/operation/1 ] ||
		fail "$line"
done <out
cowd stats s.cowd 0.1 2 --json-lines >out
[ "$(json 'd["schema"]' < <(tail -n 1 out))" = cowd/stats/1 ] || fail "$(cat out)"

say "failures"
for words in "bogus" "status none.cowd" "snapshot show s.cowd@none" \
	"rollback s.cowd" "status --bogus" "create s.cowd --size 1M" \
	"stats s.cowd 1 2" "tree s.cowd --dot" "config get s.cowd bogus"; do
	rc=0
	# shellcheck disable=SC2086
	cowd $words --json >out 2>err || rc=$?
	[ "$rc" -ne 0 ] && [ ! -s out ] || fail "$words: exit $rc, $(cat out)"
	tail -n 1 err | json 'd["schema"], d["exit"]' |
		grep -qxF "cowd/error/1 $rc" || fail "$words: $(cat err)"
done
