#!/usr/bin/env bash
# A mountpoint that systemd watches (x-systemd.automount, autofs): mounting
# there does not set off the very mount that it is.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_root
need python3
modprobe -q autofs4 2>/dev/null || true
grep -qw autofs /proc/filesystems || skip "no autofs in this kernel"

make_base $((1 << 20))
cowd create -q "$STORE" --base "$BASE"
ln -s "$COWD" "$WORK/mount.cowd"

# autofs DIRECTORY COMMAND...: as systemd, mounts an autofs there whose daemon
# this is, and runs the command outside of the daemon's process group.
cat >"$WORK/autofs.py" <<'PY'
import ctypes, os, select, subprocess, sys
asked, told = os.pipe()
os.setpgid(0, 0)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={told},pgrp={os.getpgid(0)},minproto=5,maxproto=5,direct"
if libc.mount(b"cowd-test", sys.argv[1].encode(), b"autofs", 0,
              options.encode()):
    sys.exit(77)
code = subprocess.call(["timeout", "-s", "KILL", "20"] + sys.argv[2:],
                       start_new_session=True)
if select.select([asked], [], [], 0)[0]:
    sys.exit("the automount was set off")
sys.exit(code)
PY
on_exit "umount -l $M; umount -l $M"

rc=0
python3 "$WORK/autofs.py" "$M" "$WORK/mount.cowd" "$STORE" "$M" \
	-o rw,x-systemd.automount,_netdev || rc=$?
[ "$rc" -ne 77 ] || skip "autofs can't be mounted"
[ "$rc" -eq 0 ] || fail "exit $rc"
same "$M/base.img" "$BASE"
umount "$M"
gone() { [ -z "$(daemon_pid "$STORE")" ]; }
until_true 10 gone
