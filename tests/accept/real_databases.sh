#!/usr/bin/env bash
# SQLite and PostgreSQL in an ext4 in an image: snapshots under load are what
# a power cut leaves, so each recovers, with all that it acknowledged.
. "$(dirname "$0")/../support/accept.sh"
need_fuse
need_loop
need mke2fs e2fsck python3 runuser
free_gib 15
PG=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V |
	tail -n 1)
[ -x "$PG/pgbench" ] || skip "no PostgreSQL (scripts/deps accept)"

FS=$WORK/fs CRASH=$WORK/crash
mkdir "$FS" "$CRASH" "$WORK/clone" "$WORK/sock"
chmod 711 "$WORK"
chown postgres "$WORK/sock"
export PGHOST=$WORK/sock PGUSER=postgres PGDATABASE=postgres
as_postgres() { (cd / && runuser -u postgres -- "$@"); }
sql() { as_postgres "$PG/psql" -X -A -t -q -v ON_ERROR_STOP=1 -c "$1"; }
pg_start() { # DIR: with a data directory in it
	as_postgres "$PG/pg_ctl" -D "$1/pg" -l "$WORK/sock/log" -w -t 60 -s \
		-o "-c listen_addresses='' -k $WORK/sock" start
}
pg_stop() { as_postgres "$PG/pg_ctl" -D "$1/pg" -m "${2:-fast}" -w -s stop; }
on_exit 'pg_stop "$CRASH" immediate; pg_stop "$FS" immediate'

cat >"$WORK/sqlite.py" <<'END'
import random, sqlite3, sys
what, path, mode = sys.argv[1:4]
db = sqlite3.connect(path, isolation_level=None, timeout=60)
if what == "make":
    db.execute(f"PRAGMA journal_mode={mode}")
    db.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, balance, filler)")
    db.execute("CREATE TABLE move(n INTEGER PRIMARY KEY, id, delta)")
    db.execute("CREATE INDEX by_id ON move(id, delta)")
    db.execute("BEGIN")
    for i in range(20000):
        db.execute("INSERT INTO account VALUES(?, 100, ?)", (i, "x" * 200))
    db.execute("COMMIT")
elif what == "load":
    db.execute("PRAGMA synchronous=FULL")
    n, = db.execute("SELECT coalesce(max(n), 0) FROM move").fetchone()
    with open(sys.argv[4], "a", buffering=1) as log:
        while True:
            n += 1
            delta = random.randrange(-50, 50)
            db.execute("BEGIN IMMEDIATE")
            for sign in (1, -1):
                i = random.randrange(20000)
                db.execute("UPDATE account SET balance = balance + ?"
                           " WHERE id = ?", (sign * delta, i))
            db.execute("INSERT INTO move VALUES(?, ?, ?)", (n, i, delta))
            db.execute("COMMIT")
            log.write(f"{n}\n")
else:
    said, = db.execute("PRAGMA integrity_check").fetchone()
    total, = db.execute("SELECT sum(balance) FROM account").fetchone()
    rows, last = db.execute("SELECT count(*), coalesce(max(n), 0) FROM move"
                            ).fetchone()
    journal, = db.execute("PRAGMA journal_mode").fetchone()
    least = int(sys.argv[4])
    print(f"sqlite {mode}: {said}, {rows} transactions, {least} acknowledged")
    sys.exit(said != "ok" or total != 2000000 or rows != last or last < least
             or journal != mode)
END
last_of() { tail -n 1 "$1" 2>/dev/null | grep -E '^[0-9]+$' || echo 0; }

fs_up() { # IMAGE DIR; leaves $device
	loop_up "$1"
	mount "$device" "$2"
}
load_begin() {
	loads=()
	for mode in wal delete; do
		python3 "$WORK/sqlite.py" load "$FS/$mode.db" $mode \
			"$WORK/ack.$mode" &
		loads+=($!)
	done
	as_postgres "$PG/pgbench" -n -c 4 -j 2 -T 600 >/dev/null 2>&1 &
	loads+=($!)
	first=$(($(last_of "$WORK/ack.pg") + 1))
	seq "$first" 10000000 |
		sed 's/.*/INSERT INTO acked VALUES(&);\n\\echo &/' |
		as_postgres stdbuf -oL "$PG/psql" -X -q \
			>>"$WORK/ack.pg" 2>/dev/null &
	loads+=($!)
}
load_end() {
	kill_tree "${loads[@]}"
	# What kill_tree can't see: the clients end with their sessions.
	sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE backend_type = 'client backend'
		AND pid <> pg_backend_pid()" >/dev/null || true
	wait 2>/dev/null || true
}
keep_acks() { # NAME
	for mode in wal delete pg; do
		last_of "$WORK/ack.$mode" >"$WORK/acked.$1.$mode"
	done
}
acked() { cat "$WORK/acked.$1.$2"; }
# All of pgbench's sums are equal, and what was acknowledged is there.
postgres_good() { # DIR NAME
	local sums rows
	pg_start "$1" || return 1
	sums=$(sql "SELECT (SELECT sum(abalance) FROM pgbench_accounts)
		= (SELECT sum(bbalance) FROM pgbench_branches)
		AND (SELECT sum(tbalance) FROM pgbench_tellers)
		= (SELECT sum(bbalance) FROM pgbench_branches)
		AND (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
		= (SELECT sum(bbalance) FROM pgbench_branches)") || return 1
	rows=$(sql "SELECT count(*) || ' ' || max(n) FROM acked") || return 1
	echo "postgres: sums equal: $sums; $rows acknowledged rows," \
		"$(acked "$2" pg) before the snapshot;" \
		"$(sql "SELECT count(*) FROM pgbench_history") of pgbench"
	[ "$sums" = t ] && [ "${rows% *}" = "${rows#* }" ] &&
		[ "${rows#* }" -ge "$(acked "$2" pg)" ] || return 1
	as_postgres "$PG/pg_amcheck" --install-missing --heapallindexed \
		-d postgres || return 1
	pg_stop "$1" || return 1
	as_postgres "$PG/pg_checksums" -D "$1/pg" --check >"$WORK/checksums" ||
		return 1
	grep -q "Bad checksums: *0$" "$WORK/checksums"
}
sqlite_good() { # DIR NAME MODE
	python3 "$WORK/sqlite.py" check "$1/$3.db" "$3" "$(acked "$2" "$3")"
}
check_all() { # DIR NAME WORDS
	local mode
	for mode in wal delete; do
		claim "databases: SQLite ($mode) whole $3 $2, with the \
$(acked "$2" $mode) transactions acknowledged before" \
			sqlite_good "$1" "$2" $mode
	done
	claim "databases: PostgreSQL whole $3 $2 (sums, pg_amcheck, \
pg_checksums), with the $(acked "$2" pg) rows acknowledged before" \
		postgres_good "$1" "$2"
}

truncate -s 4G "$BASE"
mke2fs -q -F -t ext4 "$BASE"
cowd create -q "$STORE" --base "$BASE"
cowd mount -q "$STORE" "$M"
fs_up "$M/base.img" "$FS"
fs_device=$device
for mode in wal delete; do
	python3 "$WORK/sqlite.py" make "$FS/$mode.db" $mode
done
install -d -o postgres -m 700 "$FS/pg"
as_postgres "$PG/initdb" -k -A trust -D "$FS/pg" >/dev/null
pg_start "$FS"
as_postgres "$PG/pgbench" -q -i -s 20 2>/dev/null
sql "CREATE TABLE acked(n bigint PRIMARY KEY)"

load_begin
for name in s1 s2 s3; do
	sleep 6
	keep_acks $name
	cowd snapshot create -q "$STORE@$name"
done
sleep 2
load_end
pg_stop "$FS"

for name in s1 s2 s3; do
	cowd clone -q "$STORE@$name" "c-$name"
	cowd mount -q "$STORE:c-$name" "$WORK/clone"
	fs_up "$WORK/clone/base.img" "$CRASH"
	clone_device=$device
	check_all "$CRASH" $name "in a clone of snapshot"
	umount "$CRASH"
	loop_down "$clone_device"
	claim "databases: the file system is clean in the clone of $name" \
		e2fsck -fn "$WORK/clone/base.img"
	cowd umount "$WORK/clone"
done

for name in s2 s1; do
	umount "$FS"
	loop_down "$fs_device"
	cowd rollback -q "$STORE@$name"
	fs_up "$M/base.img" "$FS"
	fs_device=$device
	check_all "$FS" $name "after a rollback to"
done
say "and they go on from there"
for mode in wal delete pg; do
	acked s1 $mode >"$WORK/ack.$mode"
done
pg_start "$FS"
sql "SELECT max(n) FROM acked" >"$WORK/ack.pg"
load_begin
sleep 4
load_end
pg_stop "$FS"
keep_acks end
check_all "$FS" end "at the"
umount "$FS"
loop_down "$fs_device"
cowd umount "$M"
finish
