#!/usr/bin/env bash
# Holes of base and store are told as holes, only where zeros are read.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

truncate -s 64M "$BASE"
head -c 1M /dev/urandom | dd of="$BASE" bs=1M seek=16 conv=notrunc status=none
cowd create "$STORE" --base "$BASE"
cowd mount "$STORE" "$M"
image=$(image "$M")
cp "$BASE" "$WORK/copy"

for file in "$image" "$WORK/copy"; do
	put "data in a hole" $((40 << 20)) "$file"
	fallocate -p -o $((16 << 20)) -l $((512 << 10)) "$file"
	fallocate -p -o $(((16 << 20) + 600000)) -l 10000 "$file"
	dd if=/dev/zero of="$file" bs=4k seek=12000 count=100 conv=notrunc \
		status=none
done

cat >"$WORK/holes.py" <<'PY'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
size, at, data = os.fstat(fd).st_size, 0, 0
while at < size:
    try:
        begin = os.lseek(fd, at, os.SEEK_DATA)
    except OSError:
        begin = size
    assert begin >= at
    while at < begin:  # a hole reads as zeros
        piece = os.pread(fd, min(1 << 20, begin - at), at)
        assert not any(piece), f"data in the hole at {at}"
        at += len(piece)
    if at < size:
        end = os.lseek(fd, at, os.SEEK_HOLE)
        assert at < end <= size
        data += end - at
        at = end
print(data)
PY
say "dirty in the kernel, and synced"
python3 "$WORK/holes.py" "$image"
same "$image" "$WORK/copy"
sync "$image"
data=$(python3 "$WORK/holes.py" "$image")
[ "$data" -le $((2 << 20)) ] || fail "$data bytes of data, 2 MiB at most"
[ "$data" -ge $((512 << 10)) ] || fail "$data bytes of data: too few"

say "copies stay sparse and equal"
cp --sparse=always "$image" "$WORK/sparse"
same "$WORK/sparse" "$WORK/copy"
[ "$(disk_kib "$WORK/sparse")" -le 4096 ] || fail "the copy is not sparse"

say "the same from a snapshot and after it was mounted again"
cowd snapshot create "$STORE@s1"
cowd umount "$M"
cowd mount "$STORE@s1" "$M"
same "$(image "$M")" "$WORK/copy"
[ "$(python3 "$WORK/holes.py" "$(image "$M")")" -le $((2 << 20)) ] ||
	fail "holes were lost"
cowd umount "$M"
