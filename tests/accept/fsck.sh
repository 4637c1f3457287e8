#!/usr/bin/env bash
# A lost index is not lost data: 1,000 snapshots and 10 clones are the same
# after it was made again, from index.bak and the log, and from the segments
# alone. And a check costs no more than twice what reading the segments does.
. "$(dirname "$0")/../support/accept.sh"
need_fuse
need python3
free_gib 8
FSCK=${COWD_FSCK:-$(dirname "$COWD")/../fsck/cowd-fsck}
[ -x "$FSCK" ] || skip "no cowd-fsck at $FSCK"

# change IMAGE SEED: blocks at random places, half of them compressible.
cat >"$WORK/change.py" <<'END'
import os, random, sys
rng = random.Random(int(sys.argv[2]))
fd = os.open(sys.argv[1], os.O_WRONLY)
for _ in range(24):
    block = rng.randrange(2048)
    data = rng.randbytes(4096) if rng.random() < .5 else rng.randbytes(64) * 64
    count = rng.choice((1, 1, 1, 8))
    os.pwrite(fd, data * min(count, 2048 - block), block * 4096)
os.close(fd)
END
change() { python3 "$WORK/change.py" "$1" "$2"; }

# What every branch and snapshot holds.
hashes() {
	local name
	{
		cowd branch list -H -o NAME "$STORE" | sed 's/^/:/'
		cowd snapshot list -H -o NAME "$STORE" | sed 's/^/@/'
	} | sort | while read -r name; do
		cowd export -q --force "$STORE$name" /dev/shm/cowd-$$.raw
		echo "$name $(xxh128sum </dev/shm/cowd-$$.raw | cut -d' ' -f1)"
	done
}
on_exit "rm -f /dev/shm/cowd-$$.raw"

say "1,000 snapshots and 10 clones"
head -c 8M /dev/urandom >"$BASE"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
for nr in $(seq 1000); do
	change "$M/base.img" "$nr"
	cowd snapshot create -q "$STORE@s$nr"
	[ $((nr % 100)) -eq 0 ] || continue
	cowd clone -q "$STORE@s$((nr - 50))" "c$nr"
	mkdir -p "$WORK/c"
	cowd mount -q "$STORE:c$nr" "$WORK/c"
	change "$WORK/c/base.img" "$((10000 + nr))"
	cowd umount -q "$WORK/c"
done
cowd umount -q "$M"
cowd rollback -q "$STORE@s500"
cowd compact -q "$STORE"
hashes >"$WORK/before"
claim "there are $(grep -c ^@s "$WORK/before") snapshots and \
$(grep -c ^:c "$WORK/before") clones" \
	test "$(grep -c '^[@:][sc]' "$WORK/before")" -eq 1010
claim "a check finds nothing" "$FSCK" -n "$STORE"

# lose TEXT FILES... -- OPTION: a copy of the store is the same again.
lose() {
	local text=$1 rc=0
	shift
	rm -rf "$WORK/kept"
	cp -a "$STORE" "$WORK/kept"
	while [ "$1" != -- ]; do
		rm -f "$STORE/$1"
		shift
	done
	timed "$FSCK" -y "$2" "$STORE" >"$WORK/out" 2>&1 || rc=$?
	claim "$text: repaired in $took_ms ms, exit $rc" test $rc -eq 1
	claim "$text: a second check finds nothing" "$FSCK" -n "$STORE"
	hashes >"$WORK/after"
	claim "$text: every state has the same hash" \
		cmp "$WORK/before" "$WORK/after"
	rm -rf "$STORE"
	mv "$WORK/kept" "$STORE"
}
lose "index.db lost" index.db index.db-wal -- --rebuild-index
lose "index.db and index.bak lost" index.db index.db-wal index.bak -- \
	--rebuild-index=segments

say "how fast"
rm -rf "$STORE"
truncate -s 4G "$BASE"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
dd if=/dev/urandom of="$M/base.img" bs=1M count=2048 conv=notrunc,fsync \
	status=none
cowd umount -q "$M"
for round in 1 2 3; do
	drop_caches
	timed sh -c "cat '$STORE'/segments/* >/dev/null"
	cat_ms=$took_ms
	drop_caches
	timed "$FSCK" -n "$STORE" >/dev/null
	fsck_ms=$took_ms
	drop_caches
	timed cowd scrub start -q --wait "$STORE" >/dev/null
	claim "round $round, cold, 2 GiB: cat $cat_ms ms, cowd-fsck $fsck_ms, \
scrub $took_ms" at_most "$(((fsck_ms + took_ms) / 2))" $((cat_ms * 2))
done
finish
