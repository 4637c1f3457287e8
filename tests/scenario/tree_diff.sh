#!/usr/bin/env bash
# cowd diff of directories: what a mount changed is listed as git would, with
# the daemon and without.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3

mkdir -p "$B/dir/sub" "$B/gone"
echo one >"$B/dir/file"
echo two >"$B/dir/sub/deep"
echo bye >"$B/gone/inside"
echo same >"$B/kept"
tree_up

status() { cowd diff --name-status "$@" | tr '\t' ' '; }
expect() { # TEXT, on standard input: what it should be
	diff "$1" - || fail "not what changed"
}

say "nothing yet"
cowd diff --exit-code base "$STORE" >"$WORK/out" || fail "$(cat "$WORK/out")"

say "A M D R T"
cowd snapshot create -q "$STORE@s1"
odd=$(printf 'odd\303"name')
(
	cd "$M"
	echo more >>dir/file
	chmod 600 dir/sub/deep
	mv dir moved
	rm -r gone
	rm kept
	ln -s target kept
	mkdir new
	echo text >"new/$odd"
)
changed='R dir moved
M moved/file
M moved/sub/deep
A new
A "new/odd\303\"name"
D gone
D gone/inside
T kept'
changed=$(sort -k2 <<<"$changed" | LC_ALL=C sort)
for mounted in yes no; do
	status "$STORE@s1" | LC_ALL=C sort >"$WORK/out"
	expect "$WORK/out" <<<"$changed"
	status base "$STORE" | LC_ALL=C sort >"$WORK/out"
	expect "$WORK/out" <<<"$changed"
	rc=0
	cowd diff --exit-code -q "$STORE@s1" || rc=$?
	[ $rc -eq 1 ] || fail "exit code $rc"
	[ $mounted = no ] || tree_down
done

say "what of it, and how much"
cowd diff "$STORE@s1" >"$WORK/out"
grep -qx 'M  moved/file  +5B  (data)' "$WORK/out" || fail "$(cat "$WORK/out")"
grep -qx 'M  moved/sub/deep  (mode)' "$WORK/out" || fail "$(cat "$WORK/out")"
grep -qx 'R  dir -> moved' "$WORK/out" || fail "$(cat "$WORK/out")"
grep -q '^3 changed, 2 added, 2 deleted, 1 renamed; 8K' "$WORK/out" ||
	fail "$(cat "$WORK/out")"
cowd diff --stat "$STORE@s1" -- moved/file >"$WORK/out"
grep -qx ' moved/file | 4 -> 9 bytes' "$WORK/out" || fail "$(cat "$WORK/out")"

say "only some paths"
[ "$(status "$STORE@s1" -- /gone/ dir/../x)" = $'D gone\nD gone/inside' ] ||
	fail "$(status "$STORE@s1" -- gone)"
[ "$(status "$STORE@s1" -- "new/$odd")" = 'A "new/odd\303\"name"' ] ||
	fail "a name that is no UTF-8"
[ -z "$(status "$STORE@s1" -- ne)" ] || fail "half a name"

say "JSON"
cowd diff --json "$STORE@s1" -- new dir >"$WORK/out"
python3 - "$WORK/out" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
assert d["schema"] == "cowd/diff/1" and d["from"] == "s1" and d["to"] is None
changes = {c["path"]: c for c in d["changes"]}
assert changes["moved"]["path_from"] == "dir", changes
assert changes["moved"]["status"] == "renamed", changes
odd = changes['new/odd\\303"name']
assert odd["size_to_bytes"] == 5 and odd["size_from_bytes"] is None, odd
assert odd["type_to"] == "file" and odd["stored_bytes"] == 4096, odd
assert d["summary"]["added"] == 2, d["summary"]
END

say "which"
tree_mount
[ "$(cowd which "$M/moved/file")" = \
	"moved/file: layer layer1 and delta, $B/dir/file" ] ||
	fail "$(cowd which "$M/moved/file")"
[ "$(cd "$M/new" && cowd which . "$odd")" = \
	$'new: delta\n"new/odd\\303\\"name": delta' ] ||
	fail "$(cd "$M/new" && cowd which . "$odd")"
[ "$(cowd which "$M/.snapshots/s1/kept" "$M/.snapshots/s1/dir")" = \
	"kept: layer layer1, $B/kept
dir: layer layer1, $B/dir" ] || fail "$(cowd which "$M/.snapshots/s1/kept")"
[ "$(cowd which "$M/kept")" = "kept: delta" ] || fail "a symlink is followed"
refused 12 'in no mount' cowd which "$B/kept"
tree_down
cowd which --json "$STORE@s1" -- /kept >"$WORK/out"
[ "$(json '[(x["path"], x["served_by"], x["layer"]["name"], x["stored"])
	for x in d["paths"]]' <"$WORK/out")" = \
	"[('/kept', 'layer', 'layer1', False)]" ] || fail "$(cat "$WORK/out")"
refused 12 'no such path' cowd which "$STORE" -- nope

say "a diff changes nothing, and costs what changed"
refused 2 'differs are paths' cowd diff --blocks "$STORE@s1"
refused 2 'paths go after --' cowd diff base "$STORE" new
tree_listing "$B" >/dev/null
