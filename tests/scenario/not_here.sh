#!/usr/bin/env bash
# A18, A19: nothing that comes as a stream is ever unpacked: there is no command
# that receives or imports one. Whoever adds one takes these numbers along.
. "$(dirname "$0")/../support/lib.sh"

cowd help >"$WORK/help" 2>&1 || cowd --help >"$WORK/help"
grep -qw snapshot "$WORK/help" || fail "$(cat "$WORK/help")"
! grep -qwiE 'receive|recv|import +(FILE|STREAM)|unpack' "$WORK/help" ||
	fail "there is one now: $(grep -wiE 'receive|recv|import' "$WORK/help")"
cowd create -q "$STORE" --size 1M
for word in receive recv import unpack load; do
	rc=0
	cowd "$word" "$STORE" </dev/null >"$WORK/out" 2>&1 || rc=$?
	[ "$rc" -eq 2 ] || fail "cowd $word: exit $rc"
done
