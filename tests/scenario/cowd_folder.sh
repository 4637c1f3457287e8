#!/usr/bin/env bash
# /.cowd in the root of a tree: rows 003-2, 003-3, 003-10 and 003-11 of
# docs/older-systems.md; cowd path and cowd lsof.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3 getfattr setfattr
[ -z "${TREE_PLAIN:-}" ] || skip "a plain directory has none"

STORE=$WORK/folder-$$.cowd # other stores may be mounted, too
mkdir -p "$B/a/b" "$B/.hidden"
echo text >"$B/a/b/file"
ln "$B/a/b/file" "$B/link"
tree_up
C=$M/.cowd
names() {
	find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | LC_ALL=C sort | xargs
}
cowd snapshot create -q "$STORE@s1"
number() { stat -c %i "$1"; }

say "in no listing, and there"
[ "$(names "$M")" = "$(names "$B")" ] || fail "$(names "$M")"
tar -C "$B" -c . | tar -C "$M" --diff || fail "tar sees something else"
[ "$(names "$C")" = "TOC.json dev fd ino snap vol" ] || fail "$(names "$C")"
[ "$(number "$C/..")" = "$(number "$M")" ] || fail "where .. is"

say "003-11: TOC.json"
toc() { json "$1" <"$C/TOC.json"; }
[ "$(toc 'd["schema"], d["branch"]')" = "cowd/toc/1 main" ] ||
	fail "$(cat "$C/TOC.json")"
[ "$(toc '[l["position"] for l in d["layers"]]')" = "[1]" ] || fail "layers"
[ "$(toc '[s["name"] for s in d["snapshots"]]')" = "['s1']" ] || fail "snapshots"
exec 7<"$C/TOC.json"
cowd snapshot create -q "$STORE@s2"
[ "$(toc '[s["name"] for s in d["snapshots"]]')" = "['s1', 's2']" ] ||
	fail "not what is there now"
json 'd["snapshots"][0]["name"], len(d["snapshots"])' <&7 |
	grep -qx "s1 1" || fail "what is open has changed"
exec 7<&-
[ "$(cat "$C/snap/s1/a/b/file")" = text ] || fail "snap/s1"

say "003-10: by number"
file=$(number "$M/a/b/file") dir=$(number "$M/a/b")
[ "$(cat "$C/ino/$file" "$C/ino/$dir/file")" = $'text\ntext' ] || fail "ino"
remount # nobody knows the file by now
[ "$(cat "$C/ino/$file")" = text ] || fail "what nobody has looked at"
mv "$M/a" "$M/moved"
mv "$M/moved/b/file" "$M/moved/other"
[ "$(cat "$C/ino/$file")" = text ] || fail "renamed"
[ "$(readlink "$C/ino/$dir")" = ../../moved/b ] || fail "a renamed directory"
echo more >>"$C/ino/$file"
[ "$(cat "$M/link")" = $'text\nmore' ] || fail "written to by its number"
[ "$(number "$C/ino/$file")" = "$file" ] || fail "another inode"
volume=$C/vol/$(stat -c %d "$M")
cmp "$volume/$file" "$M/link" || fail "by volume and number"
cmp "$volume/1/link" "$M/link" || fail "by volume, directory's number and name"
for name in 0 x 123456 99999999999999999999 "$file.x"; do
	[ ! -e "$C/ino/$name" ] || fail "ino/$name"
done
[ "$(cowd path "$STORE" "$file" | sort | xargs)" = "link moved/other" ] ||
	fail "$(cowd path "$STORE" "$file")"
[ "$(cowd path "$M" "$dir")" = moved/b ] || fail "path of a directory"
[ "$(cowd path "$STORE@s1" "$dir")" = a/b ] || fail "path in a snapshot"
refused 12 'no name leads' cowd path "$STORE" 123456
refused 2 'no inode number' cowd path "$STORE" x
rm "$M/link" "$M/moved/other"
[ ! -e "$C/ino/$file" ] || fail "removed, and there"

say "003-3: what is open"
exec 7>"$M/new" 8<"$M/moved" 9<"$C/snap/s1/link"
echo hello >&7
rm "$M/new"
fd=$(find "$C/fd" -type f -links 0 -printf '%f\n')
[ "$(cat "$C/fd/$fd")" = hello ] || fail "opened again"
echo again >>"$C/fd/$fd"
tail -n 1 "$C/fd/$fd" | grep -qx again || fail "written again"
[ "$(find "$C/fd" -type f | wc -l)" -eq 2 ] || fail "$(names "$C/fd")"
cowd lsof --json "$M" >"$WORK/lsof"
json '[(h["mode"], h["pid"], h["path"], h["number"]) for h in d["handles"]]' \
	<"$WORK/lsof" | grep -q "('w', $$, None, $fd), ('r', $$, 'link'" ||
	fail "$(cat "$WORK/lsof")"
cowd lsof "$STORE" | grep -q "$fd *bash *$$ *0 *w" || fail "$(cowd lsof "$STORE")"
echo mine >"$M/mine" && chmod 666 "$M/mine"
exec 7>&- 8<&- 9<&-
sleep 0.2
[ -z "$(names "$C/fd")" ] || fail "closed, and listed"

say "others see theirs only, and nothing by number"
cat >"$WORK/other.py" <<'PY'
import os, sys
folder, mine, others = sys.argv[1:]
os.setgroups([])
os.setgid(12345)
os.setuid(12345)
fd = os.open(mine, os.O_RDONLY)
names = os.listdir(folder + "/fd")
assert len(names) == 1 and names[0] != others, names
again = os.open(folder + "/fd/" + names[0], os.O_RDONLY)
assert os.read(again, 10) == b"mine\n"
for path in "/fd/" + others, "/ino/1":
    try:
        os.stat(folder + path)
    except (FileNotFoundError, PermissionError):
        continue
    raise AssertionError(path)
PY
exec 8<"$M/mine"
root=$(ls "$C/fd")
python3 "$WORK/other.py" "$C" "$M/mine" "$root"
exec 8<&-

say "003-2: what is attached"
mkdir "$WORK/m2"
[ "$(readlink "$C/dev/${STORE##*/}:main")" = "$M" ] || fail "$(ls -l "$C/dev")"
cowd mount -q "$STORE@s1" "$WORK/m2"
[ "$(readlink "$C/dev/${STORE##*/}:main@s1")" = "$WORK/m2" ] || fail "$(names "$C/dev")"
[ -e "$WORK/m2/.cowd/TOC.json" ] || fail "a second one"
[ "$(cat "$C/vol/$(stat -c %d "$WORK/m2")/$file")" = text ] || fail "its volume"
cowd umount -q "$WORK/m2"
[ ! -L "$C/dev/${STORE##*/}:main@s1" ] || fail "it is gone, and listed"

say "nothing of it can be changed"
for command in "mkdir $C" "mkdir $C/x" "rmdir $C" "rmdir $C/fd" \
	"rm -f $C/TOC.json" "touch $C/x" "truncate -s 0 $C/TOC.json" \
	"chmod 777 $C/TOC.json" "chmod 777 $C" "mv -T $M/moved $C" \
	"mv $M/mine $C" "mv $C $M/x" "mv $C/fd $M/x" "ln $M/mine $C/mine" \
	"ln $C/TOC.json $M/x" "ln -s x $C/x" "mkfifo $C/x" \
	"setfattr -n user.x -v x $C/TOC.json"; do
	! $command 2>/dev/null || fail "$command"
done
if (: >>"$C/TOC.json") 2>/dev/null; then fail "opened for writing"; fi
[ -z "$(getfattr -d -m - "$C" "$C/TOC.json" 2>&1)" ] || fail "xattrs"

say "after a rollback"
cowd rollback -q --live "$STORE@s1"
[ "$(cat "$C/ino/$file")" = text ] || fail "by its number"
[ "$(readlink "$C/ino/$dir")" = ../../a/b ] || fail "the directory"
tree_down

say "read-only, and a part of the tree"
cowd mount -q -o "ro,$TREE_OPTIONS" "$STORE" "$M"
json 'd["read_only"]' <"$C/TOC.json" | grep -qx True || fail "TOC.json"
[ "$(cat "$C/ino/$file")" = text ] || fail "by its number"
tree_down
cowd mount -q -o "subdir=a,$TREE_OPTIONS" "$STORE" "$M"
[ "$(readlink "$C/ino/$dir")" = ../../b ] || fail "$(readlink "$C/ino/$dir")"
tree_down

say "what the tree has wins, and other names"
tree_mount
rm -rf "$WORK/m2"
cowd umount -q "$M"
cowd mount -q -o "cowddir=.old,$TREE_OPTIONS" "$STORE" "$M"
mkdir "$M/.cowd"
[ -e "$M/.old/TOC.json" ] || fail "by another name"
tree_down
cowd mount -o "$TREE_OPTIONS" "$STORE" "$M" 2>"$WORK/err" >/dev/null
grep -q "cowddir.*has something of that name" "$WORK/err" ||
	fail "no warning: $(cat "$WORK/err")"
[ -z "$(ls -A "$C")" ] || fail "hidden"
rmdir "$C"
[ -e "$C/TOC.json" ] || fail "it is back"
tree_down
cowd mount -q -o "cowddir=off,$TREE_OPTIONS" "$STORE" "$M"
[ ! -e "$C" ] || fail "off"
mkdir "$C" && touch "$C/x"
tree_down
refused 2 'no value' cowd mount -o cowddir=x "$STORE" "$M"
