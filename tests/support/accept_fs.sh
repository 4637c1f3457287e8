# shellcheck shell=bash
# A real file system inside an image, for real_ext4.sh and real_xfs.sh, which
# say what is particular of theirs: fs_mount DEVICE DIR, fs_check IMAGE (clean
# or not, changing nothing), FS_NAME. Files are known by checksums that were
# made without cowd.
. "$(dirname "${BASH_SOURCE[0]}")/accept.sh"
need_fuse
need_loop
need fsfreeze dpkg-deb apt-get
free_gib 30

FS=$WORK/fs
CRASH=$WORK/crash
mkdir "$FS" "$CRASH" "$WORK/clone" "$WORK/debs"
TREE=${ACCEPT_TREE:-/usr} # what is copied from

snapshot_file() { echo "$M/.snapshots/$1"; }
fs_up() { # [OPTION...]: of losetup
	loop_up "$M/base.img" "$@"
	fs_device=$device
	fs_mount "$fs_device" "$FS"
}
fs_down() {
	umount "$FS"
	loop_down "$fs_device"
}
manifest() { # DIR: checksums of all files and where the links go
	(
		cd "$1"
		find . -xdev -type f -print0 | sort -z |
			xargs -0 -r -n 500 sha256sum
		find . -xdev -type l -printf '%l -> %p\n' | sort
	)
}
# verified DIR MANIFEST: exactly these files, with this content.
verified() {
	manifest "$1" >"$WORK/have"
	cmp -s "$WORK/have" "$2" || {
		diff "$WORK/have" "$2" | head -n 5 >&2
		return 1
	}
}
files_of() { grep -c . "$1"; }

# A GiB of real files, in $WORK/gib.
make_gib() {
	local bytes=0 size path
	say "a GiB of $TREE"
	find "$TREE" -xdev -type f -size -64M -printf '%s %p\n' |
		sort -k 2 | awk 'bytes <= 2^30 { bytes += $1; print }' |
		cut -d' ' -f2- >"$WORK/gib.list"
	mkdir "$WORK/gib"
	tar -C / -cf - --no-recursion -T <(sed 's#^/##' "$WORK/gib.list") |
		tar -C "$WORK/gib" -xf -
	manifest "$WORK/gib" >"$WORK/gib.sums"
}
# Packages of many small files, what apt would fetch.
fetch_packages() {
	local name
	cd "$WORK/debs"
	chmod 711 "$WORK"
	for name in libboost1.74-dev libboost1.83-dev manpages-dev git \
		perl-modules-5.36 perl-modules-5.40 vim-runtime \
		python3-setuptools libpython3-stdlib gettext tzdata; do
		apt-get -o APT::Sandbox::User=root download "$name" \
			>/dev/null 2>&1 || true
	done
	cd /
	[ "$(find "$WORK/debs" -name '*.deb' | wc -l)" -ge 3 ] ||
		skip "apt-get can't download packages"
}
# Unpacks them all, ROUNDS times, and removes what the last round left.
churn() { # DIR ROUNDS
	local i deb
	for ((i = 1; i <= $2; i++)); do
		for deb in "$WORK"/debs/*.deb; do
			dpkg-deb -x "$deb" "$1/packages-$i"
		done
		rm -rf "$1/packages-$((i - 1))"
	done
}
# Until it is killed: small files, each logged once it was synced.
write_acknowledged() { # DIR LOG
	local i
	mkdir "$1"
	for ((i = 0; ; i++)); do
		echo "file $i of $1" >"$1/$i"
		sync "$1/$i" "$1"
		echo "$i" >>"$2"
	done
}
acknowledged_there() { # DIR LOG: in DIR, which was called FS/...
	local i
	while read -r i; do
		[ "$(cat "$1/$i" 2>/dev/null)" = \
			"file $i of $FS/${1#"$CRASH/"}" ] || {
			echo "file $i of $1 is missing" >&2
			return 1
		}
	done <"$2"
}

# Snapshots while `$1` (a process) writes; names are $2-1, $2-2, ...
snapshots_while() { # PID PREFIX MOST
	local i=0
	while [ -d "/proc/$1" ] && [ $i -lt "$3" ]; do
		sleep 1
		[ -d "/proc/$1" ] || break
		i=$((i + 1))
		cp "$WORK/log" "$WORK/log.$2-$i"
		cowd snapshot create -q "$STORE@$2-$i"
		live+=("$2-$i")
	done
}
# A snapshot of a mounted file system is what a power cut leaves: its journal
# is replayed in a clone, then it must be clean, with all acknowledged files.
crash_image_good() { # NAME WRITER_DIR
	local crash_device good=yes
	cowd clone -q "$STORE@$1" "crash-$1"
	cowd mount -q "$STORE:crash-$1" "$WORK/clone"
	loop_up "$WORK/clone/base.img"
	crash_device=$device
	fs_mount "$crash_device" "$CRASH" || good=no
	acknowledged_there "$CRASH/$2" "$WORK/log.$1" || good=no
	umount "$CRASH" || good=no
	loop_down "$crash_device"
	fs_check "$WORK/clone/base.img" >"$WORK/fsck" 2>&1 || {
		good=no
		tail -n 5 "$WORK/fsck" >&2
	}
	cowd umount "$WORK/clone"
	cowd branch delete -q "$STORE:crash-$1"
	[ $good = yes ]
}

# The whole run, over what is in the file system already (START: its sums).
fs_round() { # DIRECT-IO(on|off)
	local direct=$1 name good=0 writer busy begin
	live=()
	say "$FS_NAME, loop with direct-io=$direct"
	fs_up --direct-io="$direct"
	claim "$FS_NAME direct-io=$direct: $(files_of "$WORK/start") files \
read through cowd are as they were" verified "$FS" "$WORK/start"
	: >"$WORK/log"
	write_acknowledged "$FS/writer-$direct" "$WORK/log" &
	writer=$!
	begin=$(now_ms)
	cp -a "$WORK/gib" "$FS/gib" &
	busy=$!
	snapshots_while $busy "cp-$direct" 5
	wait $busy
	sync -f "$FS"
	echo "cp -a of 1 GiB: $(($(now_ms) - begin)) ms"
	mkdir "$FS/churn"
	begin=$(now_ms)
	churn "$FS/churn" 4 &
	busy=$!
	snapshots_while $busy "churn-$direct" 6
	wait $busy
	echo "churn of packages: $(($(now_ms) - begin)) ms"
	kill_tree $writer

	drop_caches
	claim "$FS_NAME direct-io=$direct: 1 GiB copied by cp -a, \
$(files_of "$WORK/gib.sums") files as copied" \
		verified "$FS/gib" "$WORK/gib.sums"
	fsfreeze -f "$FS"
	cowd snapshot create -q "$STORE@frozen-$direct"
	fsfreeze -u "$FS"
	manifest "$FS" >"$WORK/full"
	fs_down
	cowd snapshot create -q "$STORE@done-$direct"
	claim "$FS_NAME direct-io=$direct: clean after umount, in the image" \
		fs_check "$M/base.img"
	claim "$FS_NAME direct-io=$direct: clean in the snapshot after umount" \
		fs_check "$(snapshot_file "done-$direct")"
	fs_frozen_check "frozen-$direct"
	for name in "${live[@]}"; do
		crash_image_good "$name" "writer-$direct" && good=$((good + 1))
	done
	claim "$FS_NAME direct-io=$direct: $good of ${#live[@]} snapshots \
under load clean after replay, every synced file of $(files_of "$WORK/log") \
there" [ "$good" -eq "${#live[@]}" ]

	say "damage and rollback"
	fs_up --direct-io="$direct"
	rm -rf "$FS/gib" "$FS/churn"
	find "$FS" -xdev -type f -size +1M | sed -n 1,200p |
		xargs -d '\n' -r truncate -s 0
	fs_down
	cowd rollback -q "$STORE@done-$direct"
	fs_check "$M/base.img" || fail "not clean after the rollback"
	fs_up --direct-io="$direct"
	claim "$FS_NAME direct-io=$direct: $(files_of "$WORK/full") files are \
back after a rollback" verified "$FS" "$WORK/full"
	fs_down
	if [ ${#live[@]} -gt 0 ]; then
		cowd rollback -q "$STORE@${live[0]}"
		fs_up --direct-io="$direct"
		fs_down
		claim "$FS_NAME direct-io=$direct: clean after a rollback to \
a snapshot taken under load" fs_check "$M/base.img"
	fi
}
