#!/usr/bin/env bash
# O_DIRECT, buffered and mapped access see the same bytes, over rollback too.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

make_base $((4 << 20))
cowd create "$STORE" --base "$BASE"
cowd mount "$STORE" "$M"

cat >"$WORK/coherence.py" <<'PY'
import mmap, os, subprocess, sys
image, store, cowd = sys.argv[1:]
plain = os.open(image, os.O_RDWR)
direct = os.open(image, os.O_RDWR | os.O_DIRECT)
shared = mmap.mmap(plain, 4 << 20, mmap.MAP_SHARED)
page = mmap.mmap(-1, 4096)

def seen(at):
    os.preadv(direct, [page], at)
    return {bytes(shared[at:at + 8]), os.pread(plain, 8, at), page[:8]}

def expect(at, text):
    assert seen(at) == {text}, (at, text, seen(at))

shared[0:8]  # the old page is mapped before anything is written
os.pwrite(plain, b"buffered", 0)
os.fsync(plain)
expect(0, b"buffered")
page[:] = b"direct!!" * 512
os.pwritev(direct, [page], 8192)
expect(8192, b"direct!!")
shared[16384:16392] = b"mapped!!"
shared.flush(16384, 4096)
expect(16384, b"mapped!!")
os.pwrite(plain, b"odd", 20479 - 1)  # over the end of a block
os.fsync(plain)
assert bytes(shared[20478:20481]) == b"odd"
PY
python3 "$WORK/coherence.py" "$(image "$M")" "$STORE" "$COWD"

say "a handle that is open for reading sees the rollback"
image=$(image "$M")
cowd snapshot create "$STORE@s1"
put "later" 0 "$image"
exec 7<"$image"
head -c 5 <&7 | grep -qx later || fail "the write is not there"
exec 7<&-
cowd rollback "$STORE@s1"
head -c 8 "$image" | grep -qx buffered || fail "old page after a rollback"

say "open for writing: refused, and with --live old handles get errors"
exec 8<>"$image"
refused 11 'open|writ' cowd rollback "$STORE@s1"
cowd rollback --live "$STORE@s1"
if (printf 'stale' >&8) 2>/dev/null && sync "$image" &&
	head -c 5 "$image" | grep -qx stale; then
	fail "an old handle wrote into the new head"
fi
exec 8>&-
head -c 8 "$image" | grep -qx buffered || fail "an old handle wrote"

say "O_DIRECT of odd sizes, in any mix, equals a plain file"
cp "$image" "$WORK/copy"
for spec in "1 4096" "7 512" "100 8192" "33 65536" "1000 512"; do
	read -r at size <<<"$spec"
	head -c "$size" /dev/urandom >"$WORK/piece"
	dd if="$WORK/piece" of="$image" bs="$size" seek="$at" \
		oflag=direct conv=notrunc status=none 2>/dev/null ||
		dd if="$WORK/piece" of="$image" bs="$size" seek="$at" \
			conv=notrunc status=none
	dd if="$WORK/piece" of="$WORK/copy" bs="$size" seek="$at" \
		conv=notrunc status=none
done
same "$image" "$WORK/copy"
cowd umount "$M"
