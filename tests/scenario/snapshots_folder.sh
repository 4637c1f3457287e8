#!/usr/bin/env bash
# .snapshots shows what there is at the moment: made, renamed and deleted while
# it is mounted, known to the kernel, or open.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
image=$(image "$M")
S=$M/.snapshots
names() { find "$S" -mindepth 1 -printf '%f\n' | sort | xargs; }

say "hidden, and there"
[ "$(find "$M" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ] || fail "not hidden"
[ -d "$S" ] || fail "not there"
[ -z "$(names)" ] || fail "$(names)"
[ ! -e "$S/one" ] || fail "nothing is there yet"

say "made, and changed after it"
put "one" 0 "$image"
cowd snapshot create -q "$STORE@one"
put "two" 0 "$image"
cowd snapshot create -q "$STORE@two"
put "now" 0 "$image"
[ "$(names)" = "one two" ] || fail "$(names)"
for name in one two; do
	[ "$(head -c 3 "$S/$name")" = $name ] || fail "$name: other content"
	[ "$(stat -c '%a %s' "$S/$name")" = "$(stat -c '%a %s' "$image" |
		sed 's/^6/4/')" ] || fail "$(stat -c '%a %s' "$S/$name")"
done
[ "$(head -c 3 "$image")" = now ] || fail "the image"
for name in latest '~1' '~2' on; do # for commands only
	[ ! -e "$S/$name" ] || fail "$name is no name"
done

say "read-only, all of it"
for command in "rm -f $S/one" "touch $S/three" "mkdir $S/three" \
	"mv $S/one $S/three" "truncate -s 0 $S/one" "rmdir $S" \
	"ln $S/one $S/three" "ln -s one $S/three" "touch $M/file" \
	"mv $image $M/file" "rm -f $image"; do
	! $command 2>/dev/null || fail "$command"
done
if (: >>"$S/one") 2>/dev/null; then fail "opened for writing"; fi

say "renamed: the old name is free at once"
exec 7<"$S/one"
cowd snapshot rename -q "$STORE@one" first
[ "$(names)" = "first two" ] || fail "$(names)"
[ ! -e "$S/one" ] || fail "the old name is there"
[ "$(head -c 3 "$S/first")" = one ] || fail "the new name"
cowd snapshot create -q "$STORE@one"
[ "$(head -c 3 "$S/one")" = now ] || fail "the name shows what it was"
[ "$(head -c 3 <&7)" = one ] || fail "an open handle follows the name"

say "deleted while it is open: the handle works on"
cowd snapshot delete -q "$STORE@first"
[ "$(names)" = "one two" ] || fail "$(names)"
[ ! -e "$S/first" ] || fail "a deleted snapshot is there"
dd bs=3 skip=0 count=1 status=none <&7 | wc -c | grep -qx 3 || fail "reading"
rc=0
cowd gc "$STORE" >"$WORK/out" 2>&1 || rc=$?
[ "$rc" -eq 0 ] || [ "$rc" -eq 3 ] || fail "gc: $(cat "$WORK/out")"
dd bs=1M skip=0 count=1 status=none <&7 | cmp - <(tail -c +7 "$BASE") ||
	fail "gc took the data of an open snapshot"
exec 7<&-

say "known to the kernel, and not open: deleted for good"
stat "$S/two" >/dev/null
cowd snapshot delete -q --now "$STORE@two" || fail "a look keeps it"
cowd gc -q "$STORE"
[ "$(names)" = one ] || fail "$(names)"

say "visible and off"
cowd umount "$M"
cowd mount -q -o snapdir=visible "$STORE" "$M"
[ "$(find "$M" -mindepth 1 -maxdepth 1 | wc -l)" -eq 2 ] || fail "hidden"
cowd umount "$M"
cowd mount -q -o snapdir=off "$STORE" "$M"
[ ! -e "$S" ] || fail "it is there"
cowd umount "$M"

say "a snapshot as a mount"
cowd mount -q -o name=disk.raw "$STORE@one" "$M"
[ "$(head -c 3 "$M/disk.raw")" = now ] || fail "the option name"
if (: >>"$M/disk.raw") 2>/dev/null; then fail "writable"; fi
grep " $M fuse.cowd ro," /proc/mounts | grep -q "$STORE:main@one" ||
	fail "$(grep " $M " /proc/mounts)"
cowd umount "$M"
