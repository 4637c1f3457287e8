#!/usr/bin/env bash
# Whatever state a daemon leaves, killed or not: there is nothing to repair.
source "$(dirname "$0")/../support/fsck.sh"
need_root
need_fuse
need python3 mke2fs
SUPPORT=$(readlink -f "$SUPPORT")

# healthy WHAT [STORE]: of a store that nobody has open.
healthy() {
	local store=${2:-$STORE}
	say "$1"
	state "$store" >"$WORK/before"
	fsck 0 -n -v "$store"
	state "$store" | diff "$WORK/before" - || fail "-n changed bytes"
	grep -q 'no problems' "$WORK/said" || fail "$(cat "$WORK/said")"
	fsck 0 -y "$store"
	state "$store" | diff "$WORK/before" - || fail "-y changed bytes"
}
killed() { # WHAT: the daemon, now
	local pid
	pid=$(daemon_pid "$STORE")
	[ -n "$pid" ] || fail "no daemon"
	kill -9 "$pid"
	wait_gone "$pid" 10 || fail "$pid does not die"
	umount "$M" 2>/dev/null || umount -l "$M"
	healthy "$1, killed"
}
mounted() { cowd mount -q "$STORE" "$M"; }
closed() {
	cowd umount -q "$M"
	healthy "$1"
}

say "images"
make_base $((8 << 20))
cowd create -q "$STORE" --base "$BASE"
healthy "a new store"
mounted
image=$(image "$M")
python3 "$SUPPORT/writer.py" write "$image" fsync 0 1000 "$WORK/log" &
sleep 0.5
cowd snapshot create -q "$STORE@one"
sleep 0.3
killed "writing"
wait
mounted
head -c 6M < <(yes text) | dd of="$image" bs=1M conv=notrunc status=none
cowd snapshot create -q "$STORE@two"
head -c 3M /dev/zero | dd of="$image" bs=1M seek=2 conv=notrunc,fsync \
	status=none
cowd snapshot create -q "$STORE@three"
cowd clone -q "$STORE@two" clone
cowd rollback -q "$STORE@one" --live
closed "clone and rollback"
cowd compact -q "$STORE" >"$WORK/out"
healthy "compacted and packed"
cowd snapshot delete -q "$STORE@three"
healthy "something in the trash"
mounted
cowd snapshot delete -q --now "$STORE@two" >"$WORK/out" || true
killed "reaping"
mounted
cowd resize -q "$STORE" --shrink 4M >"$WORK/out" 2>&1 || true
for i in 1 2 3 4 5; do
	head -c 100000 /dev/urandom |
		dd of="$(image "$M")" bs=4096 seek="$i" conv=notrunc status=none
	cowd snapshot create -q "$STORE@r$i"
	cowd rollback -q "$STORE@r1" --live >"$WORK/out"
done
killed "rolled back again and again"
mounted
cowd snapshot delete -q --now "$STORE@r2,r3,r4" >"$WORK/out" || true
sleep 1
killed "folding"
cowd branch delete -q --now "$STORE:clone"
cowd gc -q "$STORE" >"$WORK/out"
healthy "a branch deleted"
cowd undo -q "$STORE" >"$WORK/out" 2>&1 || true
healthy "undone"

say "trees"
rm -rf "$STORE"
mkdir "$WORK/base" "$WORK/more"
mkdir -p "$WORK/base/d/e"
head -c 300000 /dev/urandom >"$WORK/base/d/file"
echo more >"$WORK/more/more"
cowd create -q "$STORE" --base "$WORK/base"
mounted
for seed in 1 2 3; do
	(cd "$M" && python3 "$SUPPORT/names_storm.py" . $seed 3000) &
	storm=$!
	sleep 0.5
	cowd snapshot create -q "$STORE@s$seed"
	sleep 0.2
	killed "a storm of names"
	wait $storm || true
	mounted
done
cp "$M/d/file" "$M/d/copy"
cp "$M/d/copy" "$M/d/shared"
setfattr -n user.x -v y "$M/d/copy" 2>/dev/null || true
ln "$M/d/copy" "$M/d/link"
mv "$M/d" "$M/moved"
rm "$M/moved/file"
cowd snapshot create -q "$STORE@four"
cowd clone -q "$STORE@s1" clone
exec 7>"$M/moved/held"
rm "$M/moved/held"
killed "a file held without a name"
exec 7>&-
mounted
cowd restore -q "$STORE@four" moved >"$WORK/out" 2>&1 || true
cowd rollback -q "$STORE@s2" --live >"$WORK/out"
closed "restored and rolled back"
cowd layer add -q "$STORE" "$WORK/more" >"$WORK/out"
healthy "another layer"
mounted
echo changed >>"$M/more"
closed "a change in it"
cowd layer remove -q "$STORE" more >"$WORK/out" 2>&1 ||
	cowd layer list "$STORE"
healthy "without it"
cowd snapshot delete -q --now "$STORE@s1" >"$WORK/out" 2>&1 || true
cowd gc -q "$STORE" >"$WORK/out"
healthy "collected"

say "a full disk"
truncate -s 200M "$WORK/host.img"
mke2fs -q -F -t ext4 -m 0 "$WORK/host.img"
mkdir "$WORK/host"
mount -o loop "$WORK/host.img" "$WORK/host" || skip "no loop devices"
on_exit "umount $WORK/host"
STORE=$WORK/host/s.cowd
cowd create -q "$STORE" --size 400M
cowd config set "$STORE" reserve=16MiB
mounted
head -c 300M /dev/urandom | dd of="$(image "$M")" bs=1M oflag=direct \
	iflag=fullblock conv=notrunc status=none 2>"$WORK/err" || true
grep -q "No space" "$WORK/err" || fail "it is not full"
cowd snapshot create -q "$STORE@full"
killed "full"
mounted
cowd rollback -q "$STORE@full" --live >"$WORK/out"
closed "full, and rolled back"
