#!/usr/bin/env bash
# A hundred clones of a GiB mounted at once by one daemon: each is written at
# random, beside the others, and each reads as it should, then and later.
. "$(dirname "$0")/../support/accept.sh"
need_fuse
need python3
free_gib 6

# What clone NR holds is a function of NR: random blocks over golden.
cat >"$WORK/blocks.py" <<'END'
import os, random, sys
what, golden, nr = sys.argv[1], sys.argv[2], int(sys.argv[3])
def content(nr):
    rng = random.Random(nr)
    for block in sorted(rng.sample(range(1 << 18), 400)):
        yield block, rng.randbytes(4096)
if what == "write":
    fd = os.open(sys.argv[4], os.O_RDWR)
    for block, data in content(nr):
        os.pwrite(fd, data, block * 4096)
    os.fsync(fd)
else:
    mine = dict(content(nr))
    there = set(mine)
    for other in range(1, 101):  # what its neighbours wrote, it must not see
        if other % 10 == nr % 10:
            there.update(block for block, _ in content(other))
    with open(sys.argv[4], "rb") as image, open(golden, "rb") as file:
        for block in sorted(there):
            image.seek(block * 4096)
            file.seek(block * 4096)
            want = mine.get(block, file.read(4096))
            if image.read(4096) != want:
                sys.exit(f"clone {nr}: block {block} is wrong")
END
blocks() { python3 "$WORK/blocks.py" "$1" "$WORK/golden" "$2" "$3"; }

say "golden"
truncate -s 1G "$BASE"
head -c 64M /dev/urandom | dd of="$BASE" conv=notrunc bs=1M status=none
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
pid=$(daemon_pid "$STORE")
head -c 64M /dev/urandom | dd of="$M/base.img" bs=1M seek=500 \
	conv=notrunc,fsync status=none
cowd snapshot create -q "$STORE@golden"
cp --sparse=always "$M/base.img" "$WORK/golden"
one_kib=$(rss_kib "$pid")

before=$(disk_kib "$STORE")
begin=$(now_ms)
for i in $(seq 100); do
	cowd clone -q "$STORE@golden" "c$i"
done
cloned_ms=$(($(now_ms) - begin))
begin=$(now_ms)
for i in $(seq 100); do
	mkdir "$WORK/c$i"
	cowd mount -q "$STORE:c$i" "$WORK/c$i"
done
mounted_ms=$(($(now_ms) - begin))
claim "clones: 100 made in $cloned_ms ms, mounted in $mounted_ms ms, \
$(($(disk_kib "$STORE") - before)) KiB stored (4096)" \
	at_most $(($(disk_kib "$STORE") - before)) 4096

say "all written, eight at a time"
begin=$(now_ms)
export -f blocks
export WORK
seq 100 | xargs -P 8 -I{} bash -c 'blocks write {} "$WORK/c{}/base.img"'
echo "written in $(($(now_ms) - begin)) ms"
bytes=$((($(disk_kib "$STORE") - before) * 1024))
claim "clones: 100 x 400 random blocks store \
$(ratio $bytes $((40000 * 4096))) times their bytes (1.15)" \
	at_most "$(ratio $bytes $((40000 * 4096)))" 1.15

# verify WORDS: every clone, in this state of the caches.
verify() {
	drop_caches
	claim "clones: all 100 read as they should $1" verify_each
	claim "clones: main is golden still $1" \
		cmp "$M/base.img" "$WORK/golden"
}
verify_each() {
	seq 100 |
		xargs -P 4 -I{} bash -c 'blocks check {} "$WORK/c{}/base.img"'
}
verify "while mounted"
rss=$(rss_kib "$pid")
claim "clones: the daemon had at most $rss KiB resident with 101 mounts, \
$one_kib with one (131072)" at_most "$rss" 131072

say "opened again"
for i in $(seq 100); do
	cowd umount "$WORK/c$i"
done
cowd umount "$M"
wait_gone "$pid" 30 || fail "the daemon is still there"
for i in $(seq 100); do
	cowd mount -q "$STORE:c$i" "$WORK/c$i"
done
cowd mount -q "$STORE" "$M"
verify "after a restart"
for i in $(seq 100); do
	cowd umount "$WORK/c$i"
done
cowd umount "$M"
finish
