#!/usr/bin/env bash
# Files of a layer that change underneath: a clear error on open and in status,
# never a mixture; base=follow shows what is there now of those that the store
# has nothing of.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3
cd "$WORK"

some() { # TEXT FILE: 2 MiB
	yes "$1" | head -c 2M >"$2" || true # of the pipe
}
mkdir low
for name in same grown replaced mode stored unseen follow; do
	some old low/$name
done
tree_up low
s=$STORE
status_says() {
	local rc=0
	cowd status $s >out || rc=$?
	[ "$rc" -eq 3 ] && grep -q "attention .*layer low.*$1" out
}

say "one that was read, looked at, replaced"
for name in same grown replaced; do
	head -c 100k "$M/$name" >/dev/null # the rest is not in the kernel
done
stat "$M/mode" >/dev/null
printf MY | dd of="$M/stored" conv=notrunc status=none
cowd status -q $s || fail "status: $?"
some new low/same
some longer low/grown
echo end >>low/grown
some new low/new && mv low/new low/replaced
chmod 640 low/mode
some new low/unseen
for name in same grown replaced mode; do
	if cat "$M/$name" >out 2>err; then
		fail "$name: read, $(sort -u out | head -3)"
	fi
	grep -qiE 'stale|input/output' err || fail "$name: $(cat err)"
	until_true 5 status_says "/$name" || fail "$name: $(cat out)"
done
[ "$(head -1 "$M/unseen")" = new ] || fail "one that nobody had looked at"

say "one that is open, and in part the store's"
exec 5<"$M/follow" 6<"$M/stored"
head -c 4096 <&5 >/dev/null
some new low/follow
some new low/stored
python3 - <<'PY' || fail "a mixture was read"
import os
for fd in 5, 6:
    seen = set()
    try:
        for at in range(0, 2 << 20, 4096):
            seen.add(os.pread(fd, 4096, at)[-3:])
    except OSError:
        pass
    assert not any(b"new" in one or b"ew" in one for one in seen), seen
PY
exec 5<&- 6<&-
if cat "$M/stored" >/dev/null 2>&1; then
	fail "stored: read"
fi

say "mounted again: what the store has nothing of is as it is"
tree_down
tree_mount
for name in same replaced follow; do
	[ "$(sort -u "$M/$name")" = new ] || fail "$name: $(sort -u "$M/$name")"
done
tail -1 "$M/grown" | grep -q end || fail "grown"
if cat "$M/stored" >/dev/null 2>&1; then
	fail "stored: read"
fi
tree_down

say "followed"
refused 2 'no value' cowd mount -o base=x $s "$M"
cowd mount -q --base=follow -o "$TREE_OPTIONS" $s "$M"
for name in same grown replaced; do
	cat "$M/$name" >/dev/null || fail "$name"
done
exec 5<"$M/same"
read -r line <&5
some third low/same
echo third >low/grown
echo third >low/new && mv low/new low/replaced
sleep 1.2
some third expected
cmp expected "$M/same" || fail "same"
[ "$(cat "$M/grown" "$M/replaced")" = "third
third" ] || fail "grown, replaced"
exec 5<&-
echo longer than before >low/grown
sleep 1.2
[ "$(cat "$M/grown")" = "longer than before" ] || fail "$(cat "$M/grown")"
echo mine >>"$M/grown"
[ "$(cat "$M/grown")" = "longer than before
mine" ] || fail "$(cat "$M/grown")"
echo more >>low/grown
if cat "$M/grown" >/dev/null 2>&1; then
	fail "one with a change was read"
fi
if cat "$M/stored" >/dev/null 2>&1; then
	fail "stored: read"
fi
tree_down
cowd create -q i.cowd --size 1M
cowd mount -o base=follow i.cowd "$M" 2>err
grep -q "'base' has no effect" err || fail "$(cat err)"
cowd umount -q "$M"
