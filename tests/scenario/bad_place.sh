#!/usr/bin/env bash
# Places that are not ours or not writable: refused with a reason and a way on.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_loop
need mke2fs setpriv
make_base $((1 << 20))
chmod 711 "$WORK"
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
cd "$WORK"
daemon_gone() { [ -z "$(daemon_pid "$1")" ]; }

say "a mountpoint that is taken; one whose daemon died makes way"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" m
refused 11 "mounted here already" cowd mount "$STORE" m
grep -q "hint: cowd umount $M" out || fail "$(cat out)"
kill -9 "$(daemon_pid "$STORE")"
until_true 5 daemon_gone "$STORE"
cowd mount -q "$STORE" m
same "$(image m)" "$BASE"

say "A9: somebody else's store, mounted and not"
for _ in mounted not; do
	for words in "status s.cowd" "snapshot create s.cowd" \
		"mount s.cowd m2" "umount s.cowd"; do
		mkdir -p m2
		# shellcheck disable=SC2086
		refused 1 "s.cowd: the store belongs to uid 0" \
			setpriv --reuid 65534 --clear-groups "$COWD" $words
		grep -q 'hint: run cowd as its owner' out || fail "$(cat out)"
	done
	cowd umount m 2>/dev/null || true
done
mkdir -m 777 open
nobody "$COWD" create -q open/u.cowd --base "$BASE"
refused 1 "belongs to uid 65534" cowd status open/u.cowd
chmod 770 open/u.cowd
refused 1 "others can write to the store" \
	setpriv --reuid 65534 --clear-groups "$COWD" status open/u.cowd
chmod 700 open/u.cowd

say "a socket that somebody else put there"
python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' s.cowd/cowd.sock
cowd status s.cowd >out || fail "$(cat out)" # nobody listens
chown 65534 open/u.cowd
cp -a s.cowd/cowd.sock open/u.cowd/cowd.sock 2>/dev/null ||
	python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' open/u.cowd/cowd.sock
chown 0 open/u.cowd/cowd.sock
refused 1 "socket belongs to somebody else" \
	setpriv --reuid 65534 --clear-groups "$COWD" status open/u.cowd

say "a read-only file system"
truncate -s 200M host.img
mke2fs -q -F -t ext4 -m 0 host.img
mkdir host
mount -o loop host.img host
cowd create -q host/s.cowd --base "$BASE"
cowd config set -q host/s.cowd reserve=8MiB
cowd snapshot create -q host/s.cowd@a
mount -o remount,ro host
for words in "status host/s.cowd" "mount host/s.cowd m" \
	"snapshot create host/s.cowd" "create host/t.cowd --base $BASE"; do
	# shellcheck disable=SC2086
	refused 1 "host/[st].cowd: .*read-only file system" cowd $words
done

say "that becomes read-only under the daemon"
remount_rw() { mount -o remount,rw host; }
until_true 5 remount_rw
cowd mount -q host/s.cowd m
put "before" 5000 "$(image m)"
sync "$(image m)"
python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d,
	struct.pack("I", 2))' host || exit 0 # ext4 shuts down, no flush
for _ in 1 2 3; do
	rc=0
	timeout 20 dd if="$BASE" of="$(image m)" bs=64k count=4 \
		conv=notrunc,fsync 2>err || rc=$?
	[ "$rc" -eq 1 ] || fail "exit $rc for a write that can't be stored"
done
read_only() { ! cowd status host/s.cowd >out && grep -q 'read-only' out; }
until_true 20 read_only
refused 1 "read-only" cowd snapshot create host/s.cowd
cowd umount m || [ $? -le 16 ]
until_true 20 daemon_gone host/s.cowd
