#!/usr/bin/env bash
# tree_everyday.sh [STEP...]: everyday work inside a mount over a read-only
# tree. Steps: git build npm apt postgres sqlite rsync tar stress fio dbench
# postmark bonnie calls; default: all. With TREE_PLAIN=1 on a plain directory,
# to see that a step itself is right.
. "$(dirname "$0")/../support/accept.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need python3 git rsync sqlite3
free_gib 12
# Where this machine gets its own packages from.
MIRROR=${ACCEPT_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' |
	grep -v security | head -n 1)}
SOURCE=${ACCEPT_SOURCE:-zstd} # a source package: 100k lines, plain make
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

# A step works in its own base, store and mount, and leaves a remounted tree
# that is as it was, over a base that is as it was.
step_begin() { # NAME
	say "$1"
	STORE=$WORK/$1.cowd
	rm -rf "$B" "$M"
	mkdir "$B" "$M"
}
step_up() {
	tree_listing "$B" >"$WORK/base.before"
	# What a base is like: nobody may write to it.
	[ -n "${TREE_PLAIN:-}" ] || {
		mount --bind "$B" "$B"
		mount -o remount,bind,ro "$B"
	}
	tree_up
}
step_end() { # NAME
	sync -f "$M"
	tree_listing "$M" >"$WORK/after"
	remount
	tree_listing "$M" >"$WORK/again"
	claim "$1: $(wc -l <"$WORK/after") lines of listing are the same after \
mounting again" listings_same "$WORK/after" "$WORK/again"
	tree_down
	[ -n "${TREE_PLAIN:-}" ] || umount "$B"
	tree_listing "$B" >"$WORK/again"
	claim "$1: the base has not changed" listings_same \
		"$WORK/base.before" "$WORK/again"
	rm -rf "$STORE"
}
listings_same() {
	cmp -s "$1" "$2" || {
		diff "$1" "$2" | head -n 10
		return 1
	}
}
# tried TEXT COMMAND...: a claim with its time; output only when it breaks.
tried() {
	local text=$1 begin rc=0
	shift
	begin=$(now_ms)
	("$@") >"$WORK/tried" 2>&1 || rc=$?
	[ $rc -eq 0 ] || tail -n 15 "$WORK/tried"
	claim "$text ($(($(now_ms) - begin)) ms)" [ $rc -eq 0 ]
}

gitc() { git -c user.name=a -c user.email=a@b -c gc.auto=0 "$@"; }
step_git() {
	local part
	mkdir "$B/repo"
	(
		cd "$B/repo"
		gitc init -q
		for part in /usr/include /usr/share/perl /usr/share/doc; do
			cp -r --no-preserve=mode -L "$part" . 2>/dev/null || true
			gitc add -A . && gitc commit -qm "$part"
		done
		find . -name '*.h' | head -n 3000 | xargs sed -i '1i /* */'
		gitc commit -qam "a change"
		cp -r .git "$WORK/loose.git"
		cd "$WORK/loose.git" && mv objects/pack . &&
			for part in pack/*.pack; do
				[ ! -f "$part" ] || git unpack-objects -q <"$part"
			done
	) >/dev/null
	step_up
	cd "$M"
	tried "git: status of $(git -C repo ls-files | wc -l) files, clean" \
		git_clean repo
	tried "git: clone" git clone -q repo clone
	tried "git: clone --no-local" git clone -q --no-local repo other
	tried "git: both clones are the same" diff -r --no-dereference \
		--exclude=.git clone other
	tried "git: checkout of an old commit" git -C clone checkout -q HEAD~2
	tried "git: and back" git -C clone checkout -q -
	tried "git: commit in the base's repository" git_commit repo
	tried "git: gc of the base's repository" gitc -C repo gc -q
	tried "git: repack of the clone" gitc -C clone repack -q -a -d -f \
		--depth=10 --window=5
	tried "git: fsck of all" git_fsck repo clone other
	tried "git: rm -rf of a clone" rm -rf other
	cd /
}
git_clean() { [ -z "$(git -C "$1" status --porcelain)" ]; }
git_commit() {
	echo more >>"$1/new file"
	find "$1/include" -name 's*.h' -delete
	gitc -C "$1" add -A && gitc -C "$1" commit -qm more && git_clean "$1"
}
git_fsck() {
	local one
	for one in "$@"; do git -C "$one" fsck --full; done
}

# Sources need a list of their own; the machine's is not touched.
fetch_source() {
	local apt=$WORK/apt
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	echo "deb-src $MIRROR $suite main" >"$apt/sources.list"
	chmod 711 "$WORK"
	(
		cd "$B"
		for what in update "source --download-only $SOURCE"; do
			# shellcheck disable=SC2086
			apt-get -q -o APT::Sandbox::User=root \
				-o Dir::Etc::SourceList="$apt/sources.list" \
				-o Dir::Etc::SourceParts=/dev/null \
				-o Dir::State::Lists="$apt/lists" \
				-o Dir::Cache="$apt/cache" $what
		done
	) >"$WORK/tried" 2>&1
}
step_build() {
	local lines
	fetch_source || {
		echo "not tried: no source package $SOURCE"
		return 1
	}
	step_up
	cd "$M"
	tried "build: unpack $SOURCE" dpkg-source --no-check -x ./*.dsc src
	(cd "$B" && dpkg-source --no-check -x ./*.dsc "$WORK/src") \
		>/dev/null 2>&1
	tried "build: unpacked as on ext4" diff -r --no-dereference src \
		"$WORK/src"
	lines=$(find src -name '*.[ch]' -print0 | xargs -0 cat | wc -l)
	tried "build: make -j2 of $lines lines" make -C src -j2
	tried "build: make again has nothing to do" make_idle src
	tried "build: what was built runs" built_runs src
	tried "build: make clean" make -C src clean
	rm -rf "$WORK/src"
	cd /
}
make_idle() {
	local before
	before=$(find "$1" -name '*.o' -printf '%p %T@\n' | sort)
	make -C "$1" -j2
	[ "$before" = "$(find "$1" -name '*.o' -printf '%p %T@\n' | sort)" ]
}
built_runs() {
	[ "$SOURCE" = zstd ] || return 0
	"$1/programs/zstd" -q -k "$1/programs/zstd" -o "$1/z" &&
		"$1/programs/zstd" -q -d "$1/z" -o "$1/back" &&
		cmp "$1/back" "$1/programs/zstd"
}

step_npm() {
	command -v npm >/dev/null || return 1
	echo '{ "name": "a", "version": "1.0.0", "private": true }' \
		>"$B/package.json"
	(cd "$B" && npm install --no-audit --no-fund express) \
		>"$WORK/tried" 2>&1 || {
		echo "not tried: npm install does not work here"
		return 1
	}
	step_up
	cd "$M"
	tried "npm: install over the base's node_modules" npm install \
		--no-audit --no-fund eslint
	tried "npm: it runs" node -e 'require("express"); require("eslint")'
	tried "npm: ci from nothing" npm ci --no-audit --no-fund
	tried "npm: it runs" node -e 'require("express"); require("eslint")'
	tried "npm: uninstall" npm uninstall --no-audit --no-fund eslint
	cd /
}

step_apt() {
	command -v debootstrap >/dev/null || return 1
	debootstrap --variant=minbase "$suite" "$B/root" "$MIRROR" \
		>"$WORK/tried" 2>&1 || {
		tail -n 3 "$WORK/tried"
		return 1
	}
	step_up
	cp /etc/resolv.conf "$M/root/etc/"
	tried "apt: update in the chroot" in_chroot apt-get -q update
	tried "apt: install packages in the chroot" in_chroot apt-get install \
		-y -q --no-install-recommends perl python3-minimal less git \
		locales
	tried "apt: they run" in_chroot sh -c \
		'git --version && python3 -c "print(1)" && locale-gen'
	tried "apt: files are what the packages say" in_chroot dpkg --verify
	tried "apt: no package is broken" audit
	tried "apt: purge" in_chroot apt-get purge -y -q perl git locales
	tried "apt: reinstall of what the base had" in_chroot apt-get install \
		--reinstall -y -q tar dpkg coreutils libc6
	tried "apt: no package is broken" audit
}
in_chroot() {
	DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		chroot "$M/root" "$@"
}
audit() { [ -z "$(in_chroot dpkg --audit)" ]; }

as_postgres() { (cd / && runuser -u postgres -- "$@"); }
step_postgres() {
	local pg
	pg=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
	[ -x "$pg/pgbench" ] || return 1
	mkdir "$B/db" "$WORK/sock"
	chown postgres "$B/db" "$WORK/sock"
	chmod 711 "$B"
	as_postgres "$pg/initdb" -D "$B/db/old" >/dev/null
	step_up
	export PGHOST=$WORK/sock PGDATABASE=postgres PGUSER=postgres
	tried "postgres: initdb" as_postgres "$pg/initdb" -D "$M/db/new"
	for one in old new; do
		tried "postgres: start ($one)" pg_up "$pg" "$one"
		tried "postgres: pgbench -i" as_postgres "$pg/pgbench" -q -i -s 5
		tried "postgres: pgbench for 15 s" as_postgres "$pg/pgbench" \
			-c 4 -j 2 -T 15
		grep -E '^tps|failed' "$WORK/tried" || true
		tried "postgres: vacuum full, checkpoint" as_postgres \
			"$pg/psql" -q -c 'vacuum full' -c checkpoint
		tried "postgres: dump" pg_rows "$pg" "$M/db/$one.sql"
		tried "postgres: stop" pg_down "$pg" "$one"
		tried "postgres: checksums of the files" pg_sums "$pg" "$one"
	done
	remount
	tried "postgres: start after mounting again" pg_up "$pg" new
	pg_rows "$pg" "$WORK/dump"
	tried "postgres: the rows are the same" cmp "$WORK/dump" \
		"$M/db/new.sql"
	tried "postgres: stop" pg_down "$pg" new
}
pg_up() {
	as_postgres "$1/pg_ctl" -D "$M/db/$2" -l "$M/db/log" -w -t 60 -s -o \
		"-c listen_addresses='' -k $PGHOST" start
}
pg_down() { as_postgres "$1/pg_ctl" -D "$M/db/$2" -m fast -w -s stop; }
# The dump has a key that is another one each time.
pg_rows() { as_postgres "$1/pg_dump" | grep -v restrict >"$2"; }
pg_sums() {
	as_postgres "$1/pg_checksums" -D "$M/db/$2" --enable &&
		as_postgres "$1/pg_checksums" -D "$M/db/$2" --check
}

step_sqlite() {
	sqlite3 "$B/base.db" "create table n(v); insert into n values (0)"
	step_up
	for mode in delete wal truncate persist; do
		for db in base.db "new-$mode.db"; do
			tried "sqlite: two processes count in $db, $mode" \
				python3 "$SUPPORT/sqlite_count.py" "$M/$db" \
				"$mode" 2 150
		done
	done
}

step_rsync() {
	some_tree "$B/a"
	cp -a /usr/include "$B/include"
	setfacl -m u:12345:rw -m g:1:r "$B/a/numbers"
	setfacl -d -m u:12345:rwx "$B/a/many"
	mkdir "$WORK/out" "$WORK/in"
	some_tree "$WORK/in/tree"
	setfacl -m u:12345:r "$WORK/in/tree/numbers"
	cp -a /usr/share/perl "$WORK/in/perl"
	step_up
	tried "rsync: mount and base do not differ" rsync_same "$B/" "$M/"
	tried "rsync: out" rsync -aHAX --numeric-ids "$M/" "$WORK/out/"
	tried "rsync: what came out is the base" rsync_same "$B/" "$WORK/out/"
	tried "rsync: in" rsync -aHAX --numeric-ids "$WORK/in/" "$M/in/"
	tried "rsync: what went in is the same" rsync_same "$WORK/in/" "$M/in/"
	tried "rsync: over the base's files, --delete" rsync -aHAX --checksum \
		--delete --numeric-ids "$WORK/in/" "$M/a/"
	tried "rsync: the same" rsync_same "$WORK/in/" "$M/a/"
	tried "rsync: --inplace of changed files" rsync_inplace
}
rsync_same() {
	local differs
	differs=$(rsync -naiHAX --numeric-ids --delete --checksum "$1" "$2")
	[ -z "$differs" ] || {
		echo "$differs"
		return 1
	}
}
rsync_inplace() {
	find "$WORK/in" -name '*.pm' -exec sh -c 'echo 1 >>"$1"' sh {} \;
	rsync -aHAX --inplace --no-whole-file --numeric-ids "$WORK/in/" "$M/a/"
	rsync_same "$WORK/in/" "$M/a/"
}

step_tar() {
	some_tree "$B/a"
	cp -a /usr/include /usr/share/perl "$B"
	step_up
	tried "tar: of the mount equals tar of the base" tar_same "$B" "$M"
	tar_of "$B" >"$WORK/base.tar"
	mkdir "$M/copy"
	tried "tar: unpacked" tar -C "$M/copy" --xattrs --xattrs-include='*' \
		--acls -xpf "$WORK/base.tar"
	find "$M/copy" -type s -delete
	tried "tar: of that equals it as well" tar_same "$B" "$M/copy"
	tried "tar: unpacked over the base" tar -C "$M" --xattrs --acls -xpf \
		"$WORK/base.tar"
	rm -rf "$M/copy"
	touch -r "$B" "$M"
	tried "tar: and equals it again" tar_same "$B" "$M"
}
tar_of() {
	tar -C "$1" --sort=name --xattrs --acls --numeric-owner --format=posix \
		--pax-option=delete=atime,delete=ctime -cf - . 2>/dev/null
}
tar_same() { [ "$(tar_of "$1" | sha256sum)" = "$(tar_of "$2" | sha256sum)" ]; }

# All of the class, a line for each; what ext4 can't do here is no failure.
step_stress() {
	local all one
	command -v stress-ng >/dev/null || return 1
	all=$(stress-ng --class filesystem? 2>&1 | sed 's/.*: //')
	some_tree "$B"
	step_up
	mkdir "$M/stress"
	for one in $all; do
		# It works in a namespace of its own, elsewhere.
		[ "$one" != bind-mount ] || continue
		tried "stress-ng: $one" stress_ng "$one"
	done
	# If a signal ends a fallocate, the kernel notes EINTR as what became
	# of the file's pages, and tells the next sync.
	sync -f "$M" || sync -f "$M"
}
stress_ng() {
	local rc=0
	timeout 90 stress-ng --"$1" 2 --timeout "${STRESS_SECONDS:-3}" \
		--verify --temp-path "$M/stress" --hdd-bytes 16M \
		--fallocate-bytes 16M --iomix-bytes 16M --oomable || rc=$?
	[ $rc -eq 0 ] || [ $rc -eq 3 ] || [ $rc -eq 4 ] || return $rc
	[ -z "$(find "$M/stress" -mindepth 1 -print -quit)" ]
}

# With snapshots taken meanwhile, which stay as they were.
step_fio() {
	local how file engine direct pid
	command -v fio >/dev/null || return 1
	make_base $((64 << 20)) "$B/file"
	step_up
	if [ -z "${TREE_PLAIN:-}" ]; then
		snapshots_meanwhile &
		pid=$!
	fi
	for how in "psync 0" "psync 1" "mmap 0" "libaio 1"; do
		read -r engine direct <<<"$how"
		for file in file "new-$engine-$direct"; do
			tried "fio: verify, $engine direct=$direct, $file" fio \
				--name=v --aux-path="$WORK" --filename="$M/$file" --size=64M \
				--rw=randrw --rwmixwrite=70 --ioengine="$engine" \
				--direct="$direct" --verify=crc32c --do_verify=1 \
				--verify_fatal=1 --iodepth=8 --io_size=128M \
				--bsrange=4k-64k --fsync=64
		done
	done
	[ -z "${TREE_PLAIN:-}" ] || return 0
	touch "$WORK/enough"
	wait "$pid"
	cowd snapshot create -q "$STORE@last"
	sync -f "$M"
	snapshot_sums >"$WORK/sums"
	remount
	snapshot_sums >"$WORK/sums.again"
	claim "fio: $(wc -l <"$WORK/sums") files in snapshots taken meanwhile \
are the same after mounting again" cmp "$WORK/sums" "$WORK/sums.again"
	(cd "$M" && sha256sum ./*) >"$WORK/live"
	(cd "$(snapshot_at last)" && sha256sum ./*) >"$WORK/last"
	claim "fio: the last of them is what the mount holds" cmp \
		"$WORK/live" "$WORK/last"
}
snapshots_meanwhile() {
	local i
	for ((i = 0; i < 8; i++)); do
		[ ! -e "$WORK/enough" ] || return 0
		cowd snapshot create -q "$STORE@s$i"
		sleep 1
	done
}
snapshot_sums() {
	(cd "$M/.snapshots" && find . -type f -print0 | sort -z |
		xargs -0 sha256sum)
}

step_dbench() {
	command -v dbench >/dev/null || return 1
	step_up
	tried "dbench: 4 clients" dbench -D "$M" -t 15 4
	grep Throughput "$WORK/tried" || true
	tried "dbench: 2 clients, sync" dbench -D "$M" -s -S -t 10 2
}

step_postmark() {
	command -v postmark >/dev/null || return 1
	step_up
	printf '%s\n' "set location $M" "set number 2000" \
		"set transactions 10000" "set subdirectories 20" \
		"set size 100 20000" run quit >"$WORK/postmark.in"
	tried "postmark: 2,000 files, 10,000 transactions" postmark_run
	grep -E 'seconds|per second' "$WORK/tried" || true
}
postmark_run() {
	postmark "$WORK/postmark.in"
	! grep -qi error "$WORK/tried"
}

step_bonnie() {
	PATH=$PATH:/usr/sbin
	command -v bonnie++ >/dev/null || return 1
	step_up
	tried "bonnie++: 300 MiB, 4,096 files" bonnie++ -d "$M" -u root -s 300 \
		-r 150 -n 4:20000:100:8 -q
}

# The checks of tests/tree, for long.
step_calls() {
	local seed
	need_program tree_posix tree_fsx
	mkdir "$B/new"
	step_up
	tried "posix: errors, rights, times, locks, data, names" \
		"$TREE_TESTS/tree_posix" "$M/new"
	for seed in 1 2 3; do
		tried "fsx: 50,000 operations, seed $seed" \
			"$TREE_TESTS/tree_fsx" --seed "$seed" --ops 50000 \
			"$M/fsx$seed"
	done
	tried "fsx: 20,000 operations, some O_DIRECT" "$TREE_TESTS/tree_fsx" \
		--seed 4 --ops 20000 --direct 30 "$M/fsx4"
}

[ $# -gt 0 ] || set -- git build npm apt postgres sqlite rsync tar stress fio \
	dbench postmark bonnie calls
for step in "$@"; do
	step_begin "$step"
	if "step_$step"; then
		step_end "$step"
	else
		echo "not tried: $step (a prerequisite is missing)"
	fi
done
finish
