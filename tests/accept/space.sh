#!/usr/bin/env bash
# What is stored is what was changed, and what is not needed goes back.
. "$(dirname "$0")/../support/accept.sh"
need_fuse
need_loop
need python3 mke2fs fstrim
free_gib 12

used() { du -B1 -s "$STORE" | cut -f1; } # everything: index, its WAL, log
json_df() { cowd df --json "$STORE" | json "$1"; }

say "one byte into 4 GiB"
truncate -s 4G "$BASE"
for at in 0 1000 4000; do
	head -c 4M /dev/urandom |
		dd of="$BASE" bs=1M seek=$at conv=notrunc status=none
done
cowd create -q "$STORE" --base "$BASE"
empty=$(used)
cowd mount -q "$STORE" "$M"
cowd umount "$M"
opened=$(used)
cowd mount -q "$STORE" "$M"
printf x | dd of="$M/base.img" bs=1 seek=1048577123 conv=notrunc,fsync \
	status=none
synced=$(($(used) - empty))
cowd umount "$M"
closed=$(($(used) - empty))
echo "empty $empty, mounted and unmounted $opened"
claim "space: 1 byte in 4 GiB stores $synced bytes after fsync (16384)" \
	at_most "$synced" 16384
claim "space: 1 byte in 4 GiB stores $closed bytes after umount (16384)" \
	at_most "$closed" 16384
rm -rf "$STORE"

say "1,000 random blocks"
cat >"$WORK/write.py" <<'END'
import os, random, sys
fd = os.open(sys.argv[1], os.O_RDWR)
for block in random.sample(range(1 << 20), int(sys.argv[2])):
    os.pwrite(fd, os.urandom(4096), block * 4096)
os.fsync(fd)
END
for count in 1000 100000; do
	cowd create -q "$STORE" --base "$BASE"
	cowd mount -q "$STORE" "$M"
	# What a store of any content has is no part of its cost per write.
	empty=$(used)
	python3 "$WORK/write.py" "$M/base.img" $count
	synced=$(ratio $(($(used) - empty)) $((count * 4096)))
	cowd umount "$M"
	closed=$(ratio $(($(used) - empty)) $((count * 4096)))
	all=$(ratio "$(used)" $((count * 4096)))
	claim "space: $count random 4 KiB store $synced times their bytes \
after fsync (1.15)" at_most "$synced" 1.15
	claim "space: $count random 4 KiB store $closed times their bytes \
after umount, $all with the empty store (1.15)" at_most "$closed" 1.15
	rm -rf "$STORE"
done

say "fstrim inside"
mkdir "$WORK/fs"
mke2fs -q -F -t ext4 "$BASE"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
for direct in off on; do
	loop_up "$M/base.img" --direct-io=$direct
	mount "$device" "$WORK/fs"
	sync -f "$WORK/fs"
	before=$(used)
	head -c 512M /dev/urandom >"$WORK/fs/big"
	sync -f "$WORK/fs"
	full=$(used)
	rm "$WORK/fs/big"
	sync -f "$WORK/fs" # ext4 trims what its journal has let go of
	begin=$(now_ms)
	fstrim "$WORK/fs"
	trimmed=$(now_ms)
	back=
	while [ $(($(now_ms) - trimmed)) -lt 15000 ]; do
		if [ $(($(used) - before)) -lt $(((full - before) / 10)) ]; then
			back=$(($(now_ms) - begin))
			break
		fi
		sleep 0.1
	done
	left=$((($(used) - before) / 1024))
	claim "space: fstrim (direct-io $direct) of $((full - before)) bytes \
gave them back in ${back:-more than 15000} ms, $left KiB left (5000)" \
		[ "${back:-99999}" -le 5000 ]
	umount "$WORK/fs"
	loop_down "$device"
done
cowd umount "$M"
rm -rf "$STORE"

say "deleting every snapshot"
# head_needs: a new store with the head's content and nothing else.
cat >"$WORK/churn.py" <<'END'
import os, random, sys
fd = os.open(sys.argv[1], os.O_RDWR)
rng = random.Random(int(sys.argv[2]))
for i in range(6000):
    size = rng.choice((512, 4096, 4096, 4096, 20000, 65536, 300000))
    os.pwrite(fd, rng.randbytes(size), rng.randrange(1 << 29))
os.fsync(fd)
END
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
for i in $(seq 12); do
	python3 "$WORK/churn.py" "$M/base.img" "$i"
	cowd snapshot create -q "$STORE@s$i"
done
python3 "$WORK/churn.py" "$M/base.img" 99
peak=$(used)
cp --sparse=never "$M/base.img" "$WORK/head"
for i in $(seq 12); do
	cowd snapshot delete -q "$STORE@s$i"
done
timed cowd gc -q "$STORE"
after_gc=$(used)
gc_ms=$took_ms
echo "$(json_df d)"
cmp "$M/base.img" "$WORK/head" || fail "gc changed the head"
timed cowd compact -q "$STORE"
after_compact=$(used)
cowd umount "$M"
after_umount=$(used)
# What differs from the base, written once into a new store.
mv "$STORE" "$WORK/old"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
cat >"$WORK/fresh.py" <<'END'
import os, sys
with open(sys.argv[1], "rb") as head, open(sys.argv[2], "rb") as base:
    fd = os.open(sys.argv[3], os.O_RDWR)
    at = 0
    while piece := head.read(1 << 20):
        other = base.read(1 << 20)
        if piece != other:
            for i in range(0, len(piece), 4096):
                if piece[i:i + 4096] != other[i:i + 4096]:
                    os.pwrite(fd, piece[i:i + 4096], at + i)
        at += len(piece)
    os.fsync(fd)
END
python3 "$WORK/fresh.py" "$WORK/head" "$BASE" "$M/base.img"
cowd umount "$M"
needs=$(used)
mib() { echo $(($1 >> 20)); }
for what in gc compact umount; do
	name=after_$what
	share=$(ratio "${!name}" "$needs")
	claim "space: after deleting 12 snapshots and $what: $(mib "${!name}") \
MiB, the head alone needs $(mib "$needs") MiB: $share (1.05); \
it was $(mib "$peak") MiB" at_most "$share" 1.05
done
echo "gc took $gc_ms ms, compact $took_ms ms"
finish
