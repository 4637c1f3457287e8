#!/usr/bin/env bash
# Sizes, durations and counts that overflow or are none are refused.
. "$(dirname "$0")/../support/lib.sh"

cowd create -q "$STORE" --size 1M
say "sizes"
for size in 0 -1 1X 99999999T 18446744073709551616 9223372036854775808 ''; do
	refused 2 'size' cowd create "$WORK/t.cowd" --size "$size"
	[ ! -e "$WORK/t.cowd" ] || fail "$size: something was left behind"
done


say "changes"
for size in 0 +4E +9223372036854775807 18446744073709551615 abc; do
	refused 2 'size' cowd resize "$STORE" "$size"
done
refused 2 'after --, as in' cowd resize "$STORE" -1K
refused 2 'too large' cowd gc "$STORE" --trash-older-than 99999999999w
refused 2 'too large' cowd config set "$STORE" cache=99999999999999999T
refused 2 'no number' cowd config set "$STORE" keep.last=99999999999999999999
refused 2 'no number' cowd log "$STORE" -N 99999999999
refused 2 'no positive number' cowd stats "$STORE" 1e99
[ "$(cowd branch list -H -b -o SIZE "$STORE")" = $((1 << 20)) ] ||
	fail "something was changed"
