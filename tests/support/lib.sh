# shellcheck shell=bash
# For scenario tests: source it first. Gives WORK, an own directory that is
# emptied of mounts, loops and daemons and removed when the script ends.
set -euo pipefail

COWD=$(readlink -f "${COWD:?the path of the cowd binary}")
SUPPORT=$(dirname "${BASH_SOURCE[0]}")
WORK=$(mktemp -d "${TMPDIR:-/tmp}/cowd-test-XXXXXX")
BASE=$WORK/base.img
STORE=$WORK/s.cowd
M=$WORK/m
mkdir "$M"
undo_stack=() # commands that clean up, run last one first
unset COWD_STORE

mkdir "$WORK/bin"
ln -s "$COWD" "$WORK/bin/cowd"
PATH=$WORK/bin:$PATH

say() { printf '== %s\n' "$*"; }
skip() {
	echo "skipped: $*"
	exit 77
}
fail() {
	echo "FAILED at line ${BASH_LINENO[0]}: $*" >&2
	exit 1
}
on_exit() { undo_stack+=("$*"); }

clean_up() {
	local rc=$? i pid store dir
	trap - EXIT
	set +e
	for ((i = ${#undo_stack[@]} - 1; i >= 0; i--)); do
		eval "${undo_stack[i]}" >/dev/null 2>&1
	done
	while read -r dir; do
		umount "$dir" 2>/dev/null || umount -l "$dir"
	done < <(awk -v at="$WORK/" 'index($2, at) == 1 { print $2 }' \
		/proc/mounts | tac)
	for store in "$WORK"/*.cowd "$WORK"/*/*.cowd; do
		pid=$(daemon_pid "$store")
		[ -z "$pid" ] || wait_gone "$pid" 10 || kill -9 "$pid"
	done
	cd /
	rm -rf "$WORK"
	exit "$rc"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

need_root() { [ "$(id -u)" -eq 0 ] || skip "needs root"; }
need_fuse() {
	[ -r /dev/fuse ] && [ -w /dev/fuse ] || skip "no /dev/fuse"
}
need() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "no $tool"
	done
}
need_loop() {
	need_root
	need losetup
	losetup -f >/dev/null 2>&1 || skip "no loop devices"
}

# make_base BYTES [FILE]: content that does not compress and is not zeros.
make_base() { head -c "$1" /dev/urandom >"${2:-$BASE}"; }
sum() { sha256sum <"$1" | cut -d' ' -f1; }
same() { cmp "$1" "$2" || fail "${3:-$1 and $2 differ}"; }
# image DIR: the image file in a mount.
image() {
	local file
	file=$(find "$1" -maxdepth 1 -type f | head -n 1)
	[ -n "$file" ] || fail "no image in $1"
	echo "$file"
}
# put TEXT OFFSET FILE...: the same bytes into each of the files.
put() {
	local text=$1 offset=$2 file
	shift 2
	for file in "$@"; do
		printf %s "$text" | dd of="$file" bs=1 seek="$offset" \
			conv=notrunc status=none
	done
}
# json EXPRESSION: of the document d on stdin.
json() { python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"; }
kib() { du -k --apparent-size -s "$1" | cut -f1; }
disk_kib() { du -ks "$1" | cut -f1; }

# refused CODE TEXT COMMAND...: exits with CODE and says TEXT (a grep -E
# pattern), with a hint or a reason; leaves the output in $WORK/out.
refused() {
	local code=$1 text=$2 rc=0
	shift 2
	timeout 30 "$@" >"$WORK/out" 2>&1 </dev/null || rc=$?
	if [ "$rc" -ne "$code" ] || ! grep -qiE -- "$text" "$WORK/out"; then
		echo "FAILED at line ${BASH_LINENO[0]}: $*" >&2
		echo "exit $rc, want $code; want '$text' in:" >&2
		cat "$WORK/out" >&2
		exit 1
	fi
}

daemon_pid() { # STORE: of the process that holds its lock, or nothing
	local pid
	for pid in /proc/[0-9]*; do
		[ "$(readlink "$pid/exe" 2>/dev/null)" = \
			"${COWD_DAEMON:-$COWD}" ] || continue
		# It may open and close files meanwhile, which find tells.
		[ -z "$(find "$pid/fd" -lname "$(readlink -f "$1")/lock" \
			2>/dev/null || true)" ] ||
			{ basename "$pid" && return 0; }
	done
}
wait_gone() { # PID SECONDS
	local i
	for ((i = 0; i < $2 * 10; i++)); do
		[ -d "/proc/$1" ] || return 0
		sleep 0.1
	done
	return 1
}
# until_true SECONDS COMMAND...: tries it again and again.
until_true() {
	local i most=$1
	shift
	for ((i = 0; i < most * 5; i++)); do
		"$@" && return 0
		sleep 0.2
	done
	fail "not within $most s: $*"
}
