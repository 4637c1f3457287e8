#!/usr/bin/env bash
# Clones are independent lines over shared blocks.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

make_base $((4 << 20))
cowd create "$STORE" --base "$BASE"
cowd mount "$STORE" "$M"
head -c 1M /dev/urandom | dd of="$(image "$M")" bs=64k seek=8 conv=notrunc \
	status=none
cowd snapshot create "$STORE@s1"
cp "$(image "$M")" "$WORK/at_s1"
put "main goes on" 2000000 "$(image "$M")"

mkdir "$WORK/a" "$WORK/b"
cowd clone "$STORE@s1" a
cowd clone "$STORE" b
refused 13 'exists|taken' cowd clone "$STORE@s1" a
cowd mount "$STORE:a" "$WORK/a"
cowd mount "$STORE:b" "$WORK/b"
same "$(image "$WORK/a")" "$WORK/at_s1" "a clone shows its snapshot"
same "$(image "$WORK/b")" "$(image "$M")" "a clone of the head shows the head"

say "writes stay on their branch"
for name in a b; do
	cp "$(image "$WORK/$name")" "$WORK/copy_$name"
	put "only in $name" 1234567 "$(image "$WORK/$name")" \
		"$WORK/copy_$name"
done
put "only in main" 1234567 "$(image "$M")"
same "$(image "$WORK/a")" "$WORK/copy_a"
same "$(image "$WORK/b")" "$WORK/copy_b"
cp "$(image "$M")" "$WORK/copy_main"

say "a clone costs what was written to it"
sync "$(image "$WORK/a")" "$(image "$WORK/b")" "$(image "$M")"
cowd branch list --json "$STORE" >"$WORK/branches"
unique=$(json '[b["unique_bytes"] for b in d["branches"]
	if b["name"] == "a"][0]' <"$WORK/branches")
[ "$unique" -le 8192 ] || fail "clone a holds $unique bytes of its own"

say "a mounted branch is not deleted, an unmounted one is"
refused 11 'mounted|use' cowd branch delete -y "$STORE:a"
cowd umount "$WORK/a"
cowd branch delete -y "$STORE:a"
refused 12 'a' cowd mount "$STORE:a" "$WORK/a"
cowd umount "$WORK/b"
cowd umount "$M"

cowd mount "$STORE:b" "$WORK/b"
cowd mount "$STORE" "$M"
same "$(image "$WORK/b")" "$WORK/copy_b" "b after it was mounted again"
same "$(image "$M")" "$WORK/copy_main" "main after it was mounted again"
cowd umount "$WORK/b"
cowd umount "$M"
