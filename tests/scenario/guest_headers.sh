#!/usr/bin/env bash
# A21: what a guest writes into its image is bytes, though it begin like an
# image of another format that names files of the host.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need python3

cat >"$WORK/headers.py" <<'PY'
import struct, sys
kind, victim = sys.argv[1:3]
name = victim.encode()
if kind == "qcow2": # version 2, with a backing file
    data = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 72, len(name), 16,
                       1 << 20, 0, 1, 65536, 131072, 1, 0, 0) + name
elif kind == "luks":
    data = b"LUKS\xba\xbe\0\1aes\0"
elif kind == "vmdk":
    data = b'# Disk DescriptorFile\nRW 2048 FLAT "' + name + b'" 0\n'
else: # the magic of ext4, which is at byte 1080
    data = bytes(1080) + b"\x53\xef" + bytes(100)
sys.stdout.buffer.write(data.ljust(4096, b"\0"))
PY
head -c 1M /dev/zero | tr '\0' s >"$WORK/secret"
for kind in qcow2 luks vmdk ext4; do
	say "$kind: written by a guest, and as a base"
	rm -rf "$STORE" "$BASE"
	make_base $((1 << 20))
	cowd create -q "$STORE" --base "$BASE"
	cowd mount -q "$STORE" "$M"
	python3 "$WORK/headers.py" $kind "$WORK/secret" >"$WORK/header"
	dd if="$WORK/header" of="$(image "$M")" conv=notrunc status=none
	dd if="$WORK/header" of="$BASE.new" status=none
	tail -c +4097 "$BASE" >>"$BASE.new"
	cowd snapshot create -q "$STORE@a"
	cowd umount -q "$M"
	cowd mount -q "$STORE" "$M"
	same "$(image "$M")" "$BASE.new"
	cowd umount -q "$M"
	cowd export -q "$STORE@a" "$WORK/out.img"
	same "$WORK/out.img" "$BASE.new"
	rm -rf "$STORE" "$WORK/out.img"
	mv "$BASE.new" "$BASE"
	cowd create -q "$STORE" --base "$BASE"
	cowd mount -q "$STORE" "$M"
	same "$(image "$M")" "$BASE"
	cowd umount -q "$M"
done
