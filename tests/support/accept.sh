# shellcheck shell=bash
# For the long tests in tests/accept: source it first, end with `finish`.
# Everything that lib.sh gives, and claims, stopwatches and loop devices.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

broken=0

# claim TEXT COMMAND...: one line with the figures; it holds if COMMAND does.
claim() {
	local text=$1
	shift
	if "$@"; then
		echo "ok: $text"
	else
		echo "BROKEN: $text"
		broken=$((broken + 1))
	fi
}
finish() {
	[ "$broken" -eq 0 ] || echo "$broken claims are broken" >&2
	exit $((broken > 0))
}
# at_most A B: also with fractions.
at_most() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
# timed COMMAND...: leaves how long it took in $took_ms.
timed() {
	local begin
	begin=$(now_ms)
	"$@" || return
	took_ms=$(($(now_ms) - begin))
}
free_gib() { # SIZE: skips when less is free
	local free
	free=$(df --output=avail -BG "$WORK" | tail -n 1 | tr -dc 0-9)
	[ "$free" -ge "$1" ] || skip "$1 GiB free needed in $WORK, has $free"
}
rss_kib() { # PID: the most it ever had
	awk '$1 == "VmHWM:" { print $2 }' "/proc/$1/status"
}
drop_caches() { echo 3 >/proc/sys/vm/drop_caches; }

# Loop devices are shared by the whole machine: at the end only those are
# detached that are still ours.
declare -A loops
loop_up() { # IMAGE [OPTION...]: a new device, in $device
	local file=$1
	shift
	device=$(losetup --show -f "$@" "$file")
	loops[$device]=1
}
loop_down() { # DEVICE
	unset "loops[$1]"
	losetup -d "$1"
	until_true 20 loop_is_gone "$1"
}
# Somebody else may have the device by now.
loop_is_gone() {
	! losetup -n -O BACK-FILE "$1" 2>/dev/null | grep -qF "$WORK/"
}
loops_end() {
	local dir
	while read -r dir; do
		umount "$dir"
	done < <(awk -v at="$WORK/" 'index($2, at) == 1 && $1 ~ /^.dev.loop/ {
		print $2 }' /proc/mounts | tac)
	for device in "${!loops[@]}"; do
		loop_down "$device"
	done
}
on_exit loops_end

# kill_tree PID...: and what it started, and waits for them.
kill_tree() {
	local pid
	for pid in "$@"; do
		# shellcheck disable=SC2046
		kill "$pid" $(pgrep -P "$pid") 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}
# shellcheck disable=SC2016
on_exit 'kill_tree $(jobs -p)' # before loops_end: they may be writing there
