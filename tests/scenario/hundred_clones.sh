#!/usr/bin/env bash
# A hundred clones cost next to nothing and work side by side.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((8 << 20))
cowd create "$STORE" --base "$BASE"
cowd mount "$STORE" "$M"
head -c 4M /dev/urandom | dd of="$(image "$M")" bs=1M conv=notrunc,fsync \
	status=none
cowd snapshot create "$STORE@golden"
cp "$(image "$M")" "$WORK/golden"

before=$(disk_kib "$STORE")
begin=$(date +%s%N)
for i in $(seq 100); do
	cowd clone -q "$STORE@golden" "c$i"
done
ms=$((($(date +%s%N) - begin) / 1000000))
say "100 clones in $ms ms, $(($(disk_kib "$STORE") - before)) KiB"
[ "$ms" -lt 20000 ] || fail "too slow"
[ $(($(disk_kib "$STORE") - before)) -lt 4096 ] || fail "clones hold data"
cowd branch list --json "$STORE" | json 'len(d["branches"])' | grep -qx 101

say "twenty of them mounted at once"
for i in $(seq 5 5 100); do
	mkdir "$WORK/c$i"
	cowd mount "$STORE:c$i" "$WORK/c$i"
	put "clone $i" $((i * 40000)) "$(image "$WORK/c$i")"
done
for i in $(seq 5 5 100); do
	cp "$WORK/golden" "$WORK/expected"
	put "clone $i" $((i * 40000)) "$WORK/expected"
	same "$(image "$WORK/c$i")" "$WORK/expected" "clone $i"
done
same "$(image "$M")" "$WORK/golden" "main was changed"
for i in $(seq 5 5 100); do
	cowd umount "$WORK/c$i"
done

say "a clone of a clone of a clone"
for i in $(seq 1 20); do
	cowd clone -q "$STORE:d$((i - 1))" "d$i" 2>/dev/null ||
		cowd clone -q "$STORE:c5" "d$i"
done
mkdir "$WORK/d"
cowd mount "$STORE:d20" "$WORK/d"
cp "$WORK/golden" "$WORK/expected"
put "clone 5" 200000 "$WORK/expected"
same "$(image "$WORK/d")" "$WORK/expected" "clone of clones"
cowd umount "$WORK/d"
cowd umount "$M"

say "they are all there after it was opened again"
cowd branch list --json "$STORE" | json 'len(d["branches"])' | grep -qx 121
cowd tree "$STORE" | grep -q c100
