#!/usr/bin/env bash
# Wrong input is refused with its name, a reason and a code; nothing is left.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

say "bases"
for base in "$WORK/none" "$WORK/empty" "$WORK/fifo" /dev/null; do
	[ "$base" != "$WORK/empty" ] || : >"$base"
	[ "$base" != "$WORK/fifo" ] || mkfifo "$base"
	rc=0
	timeout 10 "$COWD" create "$STORE" --base "$base" \
		>"$WORK/out" 2>&1 || rc=$?
	[ "$rc" -ne 0 ] && [ "$rc" -lt 100 ] || fail "$base: exit $rc"
	grep -qF "$base" "$WORK/out" || fail "$base is not named"
	[ ! -e "$STORE" ] || fail "$base: something was left behind"
done
make_base $((1 << 20))
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	mkdir -m 777 "$WORK/open"
	chmod 711 "$WORK"
	chmod 600 "$BASE"
	refused 1 'permission' setpriv --reuid 65534 --clear-groups \
		"$COWD" create "$WORK/open/s.cowd" --base "$BASE"
	[ -z "$(ls "$WORK/open")" ] || fail "something was left behind"
fi

refused 2 '\-\-base: the path is empty' cowd create "$STORE" --base ''

say "stores"
cowd create "$STORE" --base "$BASE"
refused 13 'exists' cowd create "$STORE" --base "$BASE"
refused 1 'no such|not exist' cowd create "$WORK/no/s.cowd" --base "$BASE"
rc=0
"$COWD" create "$STORE/inside" --base "$BASE" 2>"$WORK/out" || rc=$?
[ "$rc" -ne 0 ] || fail "a store inside a store"
[ ! -e "$STORE/inside" ] || fail "something was left in the store"
refused 10 'store' cowd mount "$WORK/none.cowd" "$M"
refused 10 'store' cowd status "$WORK"
refused 10 'store' cowd mount "$BASE" "$M"
refused 2 'inside the store' cowd create "$WORK/t.cowd" \
	--base "$STORE/segments/00000001.seg"
refused 2 'inside the store' cowd export "$STORE" "$STORE/out.img"
refused 2 'names the branch' cowd create "$WORK/t.cowd:a" --branch b --size 1M
ln -s nowhere "$WORK/link.cowd"
refused 13 'exists' cowd create "$WORK/link.cowd" --base "$BASE"

say "names"
long=$(printf 'x%.0s' {1..300})
for name in a/b a@b a:b .. "$long" $'a\tb' $'a\nb' $'\e[31m' ''; do
	for verb in "snapshot create" clone; do
		set -- "$STORE@$name"
		[ "$verb" != clone ] || set -- "$STORE" "$name"
		rc=0
		# shellcheck disable=SC2086
		cowd $verb "$@" >"$WORK/out" 2>&1 || rc=$?
		# STORE@a/b may as well be a path: there is no such store.
		[ "$rc" -eq 2 ] || [ "$name:$rc" = a/b:10 ] ||
			fail "$verb $(printf %q "$name"): exit $rc"
		! grep -q $'\e' "$WORK/out" || fail "escapes reach the terminal"
	done
done

say "mountpoints: A22"
refused 1 'hint: mkdir -p' cowd mount "$STORE" "$WORK/missing"
refused 2 'argument is missing' cowd mount "$STORE"
refused 2 'directory' cowd mount "$STORE" "$BASE"
mkdir "$WORK/full" "$STORE/m" 2>/dev/null
: >"$WORK/full/file"
refused 11 'empty' cowd mount "$STORE" "$WORK/full"
refused 2 'inside' cowd mount "$STORE" "$STORE/m"
rmdir "$STORE/m"
refused 12 'nobranch' cowd mount "$STORE:nobranch" "$M"
refused 12 'nosnap' cowd mount "$STORE@nosnap" "$M"
refused 2 'frobnicate' cowd mount "$STORE" "$M" -o frobnicate
refused 1 'not mounted' cowd umount "$M"

say "words"
refused 2 'snapshot' cowd snapshto list "$STORE"
refused 2 'option' cowd status "$STORE" --bogus
refused 2 'argument|missing|usage|expect' cowd rollback
rc=0
cowd status --json "$WORK/none.cowd" 2>"$WORK/err" || rc=$?
[ "$rc" -eq 10 ] || fail "exit $rc"
tail -n 1 "$WORK/err" | json 'd["code"] == "no_store" and d["exit"] == 10 and
	d["schema"] == "cowd/error/1"' | grep -qx True || fail "$(cat "$WORK/err")"
