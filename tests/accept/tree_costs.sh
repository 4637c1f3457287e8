#!/usr/bin/env bash
# What must not grow with a tree: renaming a directory of base with 100,000
# files, the first write into 10 GiB, snapshots and rollbacks of a million
# changed files. A number of files as the argument makes it shorter. Times are
# the smallest of several, as others may be busy; and of the daemon alone for
# what is asked through its socket.
. "$(dirname "$0")/../support/accept.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3
files=${1:-1000000}
names=$(dirname "$COWD")/../bench/names
[ -x "$names" ] || skip "no $names"
free_gib $((files / 200000 + 2))

cat >"$WORK/costs.py" <<'PY'
import json, os, socket, sys, time
what, where = sys.argv[1:3]

def took_ms(call):
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000

class Daemon:
    def __init__(self, store):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"{store}/cowd.sock")

    def call(self, method, **parameters):
        request = {"method": f"org.cowd.{method}", "parameters": parameters}
        self.socket.sendall(json.dumps(request).encode() + b"\0")
        answer = b""
        while not answer.endswith(b"\0"):
            answer += self.socket.recv(65536)
        answer = json.loads(answer[:-1])
        assert "error" not in answer, answer

if what == "rename":
    # Each directory is renamed for the first time.
    print("%.3f" % min(took_ms(lambda: os.rename(f"{where}/big{i}",
                                                 f"{where}/renamed{i}"))
                       for i in range(5)))
elif what == "write":
    def write(path):
        fd = os.open(path, os.O_WRONLY)
        os.pwrite(fd, b"x", (3 << 30) + 12345)
        os.fsync(fd) if "--sync" in sys.argv else None
        os.close(fd)
    print("%.3f" % min(took_ms(lambda: write(f"{where}/disk{i}"))
                       for i in range(5)))
else:
    daemon = Daemon(where)
    takes = {"snapshot": [], "rollback": []}
    for i in range(20):
        takes["snapshot"].append(took_ms(
            lambda: daemon.call("snapshot.create", name=f"s{i}")))
        open(f"{sys.argv[3]}/changed{i}", "w").close()
        takes["rollback"].append(took_ms(
            lambda: daemon.call("rollback", snapshot=f"s{i}")))
    for name in takes:
        print("%.3f" % min(takes[name]))
PY
costs() { python3 "$WORK/costs.py" "$@"; }

say "five directories of 100,000 files of base, and 10 GiB"
for i in 0 1 2 3 4; do
	mkdir "$B/big$i"
	(cd "$B/big$i" && seq 100000 | xargs -n 5000 touch)
	truncate -s 10G "$B/disk$i"
	echo here | dd of="$B/disk$i" bs=1M seek=5000 conv=notrunc status=none
done
tree_up
ms=$(costs rename "$M")
claim "rename of a base directory with 100,000 files: $ms ms (5)" \
	at_most "$ms" 5
[ "$(find "$M/renamed4" | wc -l)" -eq 100001 ] || fail "files are missing"
before=$(stat -c %b "$M/disk4")
ms=$(costs write "$M")
sync -f "$M/disk4"
claim "first write into a base file of 10 GiB: $ms ms (2)" at_most "$ms" 2
tree_down
stored=$(cowd status --json "$STORE" | python3 -c 'import json, sys
print(json.load(sys.stdin)["branches"][0]["refer_bytes"])')
claim "$stored bytes stored of five files (20480)" [ "$stored" -eq 20480 ]
tree_mount
blocks=$(($(stat -c %b "$M/disk4") - before))
claim "$blocks blocks of 512 bytes more in it (8)" [ "$blocks" -eq 8 ]
tree_down
rm -r "$B"/big*

# both COUNT: snapshot and rollback of a store with so many changed files.
both() {
	local dir=$WORK/many$1
	mkdir "$dir"
	"$names" "$dir" "$1" keep >"$WORK/names.out"
	cowd mount -q "$dir/store" "$M"
	[ "$(find "$M/dir-0" -name 'file-*' | wc -l)" -eq 100 ] || fail "files"
	costs moves "$dir/store" "$M"
	cowd umount -q "$M"
	rm -r "$dir"
}
say "snapshots and rollbacks of 1,000 changed files and of $files"
both 1000 >"$WORK/few"
both "$files" >"$WORK/many"
paste -d ' ' <(printf 'snapshot\nrollback\n') "$WORK/few" "$WORK/many" \
	>"$WORK/both"
while read -r what few many; do
	claim "$what: $few ms of 1,000, $many ms of $files" \
		at_most "$many" "$(awk -v few="$few" \
			'BEGIN { print 3 * few + 2 }')"
done <"$WORK/both"
finish
