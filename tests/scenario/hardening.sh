#!/usr/bin/env bash
# What the daemon gave up: new privileges, core dumps;
# and no descriptor of its is for who it starts.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_root

hardened() { # PID
	grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$1/status" ||
		fail "pid $1 may gain privileges"
	grep -qE '^Max core file size +0 +0' "/proc/$1/limits" ||
		fail "pid $1 dumps core: $(grep core "/proc/$1/limits")"
	for fd in "/proc/$1/fdinfo"/*; do
		[ "${fd##*/}" -gt 2 ] || continue
		flags=$(awk '$1 == "flags:" { print $2 }' "$fd" 2>/dev/null ||
			true)
		[ -n "$flags" ] || continue # it has gone meanwhile
		[ $((8#$flags & 8#2000000)) -ne 0 ] ||
			fail "pid $1, fd ${fd##*/}: inherited by children:" \
				"$(readlink "/proc/$1/fd/${fd##*/}")"
	done
}

mkdir "$WORK/tree"
echo a >"$WORK/tree/a"
cowd create -q "$STORE" --base "$WORK/tree"
cowd mount -q "$STORE" "$M"
echo b >"$M/b"
exec 7<"$M/a"
hardened "$(daemon_pid "$STORE")"
exec 7<&-
cowd umount -q "$M"

say "off, to look for a fault"
COWD_CORE=1 cowd mount -q "$STORE" "$M"
pid=$(daemon_pid "$STORE")
[ "$(awk '/^Max core/ { print $6 }' "/proc/$pid/limits")" = \
	"$(ulimit -Hc)" ] || fail "COWD_CORE=1: $(grep core "/proc/$pid/limits")"
cowd umount -q "$M"
