#!/usr/bin/env bash
# D1: files of the base that are truncated and written over, shorter, equal and
# longer, and an SQLite database of the base under a storm of updates, equal
# what a plain directory holds afterwards.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/tree.sh"
need_trees
need sqlite3 python3

SIZES="1 2 100 4095 4096 4097 10000 23000 65536 131072"
mkdir "$B/files" "$WORK/new" "$WORK/shadow"
for size in $SIZES; do
	for kind in shorter equal longer much appended; do
		make_base "$size" "$B/files/$size-$kind"
	done
done
sqlite3 "$B/rpm.db" "pragma page_size = 4096;
	create table t(id integer primary key, name text, body blob);
	with recursive n(i) as (select 1 union all select i + 1 from n
		where i < 9000)
	insert into t select i, 'name ' || i, randomblob(2000) from n;
	create index t_name on t(name);"
tree_listing "$B" >"$WORK/base.before"
cp -a "$B/." "$WORK/shadow"
tree_up

say "cp over them: O_TRUNC, then a write"
for size in $SIZES; do
	for kind in shorter equal longer much; do
		case $kind in
		shorter) bytes=$((size / 2 + 1)) ;;
		equal) bytes=$size ;;
		longer) bytes=$((size + 1)) ;;
		much) bytes=$((size * 3 + 5000)) ;;
		esac
		make_base $bytes "$WORK/new/file"
		cp "$WORK/new/file" "$WORK/shadow/files/$size-$kind"
		cp "$WORK/new/file" "$M/files/$size-$kind"
		same "$M/files/$size-$kind" "$WORK/new/file"
	done
	printf 'the end' >>"$WORK/shadow/files/$size-appended"
	printf 'the end' >>"$M/files/$size-appended"
done
cat >"$WORK/storm.sql" <<'EOS'
update t set body = zeroblob(1500) where id % 7 = 3;
delete from t where id % 5 = 1;
update t set name = 'other ' || id where id % 3 = 0;
insert into t(name, body) select name || '+', body from t where id % 4 = 2;
vacuum;
update t set body = cast(id || name as blob) where id % 11 = 2;
EOS
say "a storm of updates"
sqlite3 "$WORK/shadow/rpm.db" <"$WORK/storm.sql"
for ((i = 1; i <= 6; i++)); do
	sed -n ${i}p "$WORK/storm.sql" | sqlite3 "$M/rpm.db"
done

check() {
	diff -r "$M/files" "$WORK/shadow/files" || fail "$1: files differ"
	[ "$(sqlite3 "$M/rpm.db" "pragma integrity_check")" = ok ] ||
		fail "$1: the database is damaged"
	sqlite3 "$M/rpm.db" .dump | sha256sum >"$WORK/dump"
	sqlite3 "$WORK/shadow/rpm.db" .dump | sha256sum |
		diff - "$WORK/dump" || fail "$1: the rows differ"
}
check "at once"
remount
check "mounted again"
tree_kill
check "after kill -9"
tree_listing "$B" | diff "$WORK/base.before" - || fail "the base has changed"
tree_down
