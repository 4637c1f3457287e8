/*
 * The life of a store: open, recover, close.
 *
 * The lock file holds the pid of the one process that has the store open;
 * the lock itself is the kernel's and dies with the process.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "dump.h"
#include "fold_notes.h"
#include "history_impl.h"
#include "io.h"
#include "items.h"
#include "leftover.h"
#include "reserve.h"
#include "store_impl.h"

int64_t store_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t store_realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int store_fail(struct store *store, int rc, const char *format, ...)
{
	char text[400];
	va_list arguments;
	int none = 0;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (atomic_compare_exchange_strong(&store->failed, &none, rc)) {
		mutex_lock(&store->worker_lock);
		snprintf(store->failed_reason, sizeof(store->failed_reason),
			 "%s: %s", text, strerror(-rc));
		pthread_cond_broadcast(&store->worker_done);
		mutex_unlock(&store->worker_lock);
		log_message(LOG_LEVEL_ERROR,
			    "%s: %s: %s; the store is read-only until it is "
			    "reopened",
			    store->path, text, strerror(-rc));
	}
	return rc;
}

int store_logged(struct store *store, int rc)
{
	if (rc == 0 || rc == -ENOSPC || rc == -EDQUOT || rc == -ENOMEM)
		return rc;
	return store_fail(store, rc, "a write to the log failed");
}

/* Who has it? "pid 123 (cowd)". */
static void describe_holder(int lock_fd, char *text, size_t text_bytes)
{
	char pid[32] = "", path[64], name[64] = "";
	ssize_t n = pread(lock_fd, pid, sizeof(pid) - 1, 0);
	int fd;

	snprintf(text, text_bytes, "another process");
	if (n <= 0)
		return;
	pid[strspn(pid, "0123456789")] = '\0';
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, sizeof(name) - 1);
		close(fd);
		name[n > 0 ? strcspn(name, "\n") : 0] = '\0';
	}
	snprintf(text, text_bytes, "pid %s%s%s%s", pid, name[0] ? " (" : "",
		 name, name[0] ? ")" : "");
}

static int take_lock(struct store *store, struct failure *failure)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char holder[128], pid[32];
	int rc;

	store->lock_fd =
		io_open_own(store->directory_fd, "lock", O_RDWR | O_CREAT);
	if (store->lock_fd < 0) {
		failure_errno(failure, store->lock_fd, store->path,
			      "can't open the store's lock file");
		if (store->lock_fd == -EROFS)
			failure_hint(failure,
				     "a store must be written to even to read "
				     "it: remount its file system rw, or copy "
				     "it: cp -a --sparse=always");
		return store->lock_fd;
	}
	if (fcntl(store->lock_fd, F_OFD_SETLK, &lock) < 0) {
		rc = -errno;
		if (rc != -EAGAIN && rc != -EACCES)
			return failure_errno(failure, rc, store->path,
					     "can't lock the store");
		describe_holder(store->lock_fd, holder, sizeof(holder));
		failure_set(failure, FAILURE_BUSY, store->path,
			    "the store is in use by %s", holder);
		failure_hint(failure,
			     "wait for it, or unmount the store "
			     "first: cowd umount %s",
			     store->path);
		return -EBUSY;
	}
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	/* In this order the block that is there will do on a full disk. */
	rc = io_write_all(store->lock_fd, pid, strlen(pid), 0);
	if (rc == 0)
		rc = io_truncate(store->lock_fd, strlen(pid));
	return rc == -ENOSPC || rc == -EDQUOT || rc == 0 ?
		       0 :
		       failure_errno(failure, rc, store->path,
				     "can't write the lock file");
}

static int open_directory(struct store *store, const char *path,
			  struct failure *failure)
{
	struct stat st;

	if (!realpath(path, store->path)) {
		if (errno != ENOENT && errno != ENOTDIR)
			return failure_errno(failure, -errno, path,
					     "can't open the store");
		failure_set(failure, FAILURE_NO_STORE, path,
			    "there is no such store");
		failure_hint(failure, "make one: cowd create %s --base IMAGE",
			     path);
		return -ENOENT;
	}
	store->directory_fd =
		open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->directory_fd < 0 && errno != ENOTDIR)
		return failure_errno(failure, -errno, path,
				     "can't open the store");
	if (store->directory_fd < 0 ||
	    faccessat(store->directory_fd, "segments", F_OK,
		      AT_SYMLINK_NOFOLLOW) < 0) {
		failure_set(failure, FAILURE_NO_STORE, path,
			    "is not a cowd store");
		failure_hint(failure, "a store is a directory that 'cowd "
				      "create' made");
		return -ENOENT;
	}
	if (fstat(store->directory_fd, &st) < 0)
		return failure_errno(failure, -errno, path, "can't stat");
	if (st.st_uid != geteuid() || (st.st_mode & 022)) {
		failure_set(failure, FAILURE_FAILED, path,
			    st.st_uid != geteuid() ?
				    "the store belongs to uid %u" :
				    "others can write to the store (owner uid "
				    "%u)",
			    (unsigned)st.st_uid);
		failure_hint(failure, st.st_uid != geteuid() ?
					      "run cowd as its owner" :
					      "chmod go-w the directory");
		return -EACCES;
	}
	store->segments_fd =
		openat(store->directory_fd, "segments",
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (store->segments_fd < 0)
		return failure_errno(failure, -errno, path,
				     "can't open segments/");
	return 0;
}

static int read_config(struct store *store, struct failure *failure)
{
	AUTO_CLOSE int fd =
		io_open_own(store->directory_fd, "store.conf", O_RDONLY);
	AUTO_FREE char *text = calloc(1, 65536);
	ssize_t n;
	int rc;

	config_defaults(&store->config);
	store_apply_config(store);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0 || !text)
		return failure_errno(failure, fd < 0 ? fd : -ENOMEM,
				     store->path, "can't read store.conf");
	n = io_read_full(fd, text, 65535, 0);
	if (n < 0)
		return failure_errno(failure, (int)n, store->path,
				     "can't read store.conf");
	rc = config_parse(text, "store.conf", &store->config, failure);
	store_apply_config(store);
	return rc;
}

/* A segment with live blocks must be there, and long enough. */
static int check_segments(struct store *store, struct failure *failure)
{
	struct space_map *map = &store->space;
	size_t i;

	for (i = 0; i < map->count; i++) {
		const struct segment_space *segment = map->segments[i];
		uint32_t last = SEGMENT_BLOCKS;
		struct stat st;
		char name[16];
		int rc;

		while (last > 0 &&
		       !(segment->live[(last - 1) / 8] >> ((last - 1) % 8) & 1))
			last--;
		log_segment_name(segment->id, name);
		rc = fstatat(store->segments_fd, name, &st,
			     AT_SYMLINK_NOFOLLOW) < 0 ?
			     -errno :
			     0;
		if (rc == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
		    (last == 0 || st.st_size > (off_t)(last - 1) * BLOCK_BYTES))
			continue;
		failure_set(failure, FAILURE_CORRUPT, store->path,
			    "segments/%s is %s", name,
			    rc == -ENOENT ? "missing" :
			    rc < 0	  ? "not readable" :
			    !S_ISREG(st.st_mode) || st.st_nlink != 1 ?
				     "a link or no regular file" :
				     "truncated");
		failure_hint(failure, "restore this file from a backup of the "
				      "store; nothing was changed");
		return -EUCLEAN;
	}
	return 0;
}

static int open_base(struct store *store, const char *base_path,
		     struct failure *failure)
{
	AUTO_FREE struct base_fingerprint *recorded = malloc(sizeof(*recorded));
	int rc;

	if (!recorded)
		return failure_errno(failure, -ENOMEM, store->path,
				     "can't open");
	rc = store_load_layers(store);
	if (rc == 0 && store->is_tree)
		return store_open_layers(store, base_path, failure);
	if (rc == 0)
		rc = index_base_get(store->index, 0, recorded);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return failure_errno(failure, rc, store->path,
				     "can't read what the base is");
	rc = base_reopen(recorded, base_path, &store->base, failure);
	if (rc < 0)
		return rc;
	store->base_bytes = base_fingerprint(store->base)->size_bytes;
	if (strcmp(base_fingerprint(store->base)->path, recorded->path) != 0)
		rc = index_base_put(store->index, 0, "",
				    base_fingerprint(store->base));
	return rc < 0 ? failure_errno(failure, rc, store->path,
				      "can't note the base's new path") :
			0;
}

static void metadata_block(void *context, struct location at)
{
	struct store *store = context;

	space_map_use(&store->space, at, 1, true);
}

static void sealed(void *context, uint32_t segment, uint32_t used_blocks)
{
	struct store *store = context;
	uint64_t lsn = store->log ? log_appended_lsn(store->log) : 0;

	if (store->replayed_lsn > lsn)
		lsn = store->replayed_lsn;
	/* The jump out of it, and records that overtake this call. */
	space_map_seal(&store->space, segment, used_blocks, lsn + 64);
}

static int open_log(struct store *store, const struct log_position *position,
		    bool was_clean, struct failure *failure)
{
	struct log_params params = {
		.directory_fd = store->segments_fd,
		.seed = store->seed,
		.events = { store, metadata_block, sealed },
	};
	int rc;

	memcpy(params.uuid, store->uuid, sizeof(params.uuid));
	rc = log_open(&params, position, &store->log);
	if (rc < 0)
		return failure_errno(failure, rc, store->path,
				     "can't open the log");
	reserve_keep(store);
	rc = store_recover(store, was_clean, failure);
	if (rc < 0)
		return rc;
	if (was_clean && store->recovered_records == 0) {
		space_map_free_marked(&store->space);
		rc = index_meta_put(store->index, "clean", 0);
		if (rc == 0)
			rc = index_commit(store->index);
		if (rc == -ENOSPC && index_waits(store->index))
			return 0; /* a record that follows says it as well */
		return rc < 0 ? failure_errno(failure, rc, store->path,
					      "can't write the index") :
				0;
	}
	mutex_lock(&store->maintenance_lock);
	rc = index_meta_put(store->index, "clean", 0);
	if (rc == 0)
		rc = checkpoint_run(store, false);
	if (rc == -ENOSPC && !atomic_load(&store->failed))
		rc = 0; /* another time: the log has all of it */
	if (rc == 0)
		space_map_free_marked(&store->space);
	mutex_unlock(&store->maintenance_lock);
	return rc < 0 ? failure_errno(failure, rc, store->path,
				      "can't checkpoint after recovery") :
			0;
}

static struct store *store_new(void)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->directory_fd = store->segments_fd = store->lock_fd = -1;
	store->loan_fd = -1;
	store->checkpoint_nr = 1;
	mutex_init(&store->order_lock);
	mutex_init(&store->map_lock);
	mutex_init(&store->chunk_lock);
	mutex_init(&store->maintenance_lock);
	mutex_init(&store->worker_lock);
	mutex_init(&store->item_lock);
	pthread_cond_init(&store->worker_wake, NULL);
	pthread_cond_init(&store->worker_done, NULL);
	space_map_init(&store->space);
	change_queue_init(&store->changes);
	store->last_checkpoint_ns = store_monotonic_ns();
	return store;
}

static void store_free(struct store *store)
{
	if (!store)
		return;
	mutex_lock(&store->order_lock);
	while (store->views)
		view_free_locked(store, store->views);
	mutex_unlock(&store->order_lock);
	mutex_lock(&store->map_lock);
	while (store->caches)
		cache_free(store, store->caches);
	mutex_unlock(&store->map_lock);
	item_table_fini(&store->items);
	item_table_fini(&store->saving_items);
	chunk_cache_drop(store);
	change_queue_free(&store->changes);
	graph_fini(&store->graph);
	space_map_fini(&store->space);
	log_close(store->log);
	index_close(store->index);
	base_close(store->base);
	free(store->folds);
	free(store->layer_rows);
	free(store->layer_health);
	if (store->loan_fd >= 0)
		close(store->loan_fd);
	if (store->segments_fd >= 0)
		close(store->segments_fd);
	if (store->directory_fd >= 0)
		close(store->directory_fd);
	if (store->lock_fd >= 0) /* last: who waits for it finds all closed */
		close(store->lock_fd);
	mutex_fini(&store->order_lock);
	mutex_fini(&store->map_lock);
	mutex_fini(&store->chunk_lock);
	mutex_fini(&store->maintenance_lock);
	mutex_fini(&store->worker_lock);
	pthread_cond_destroy(&store->worker_wake);
	pthread_cond_destroy(&store->worker_done);
	free(store);
}

static int open_all(struct store *store, const char *path,
		    const char *base_path, struct failure *failure)
{
	struct log_position position = { 0 };
	bool was_clean = false;
	int rc = open_directory(store, path, failure);

	if (rc == 0)
		rc = take_lock(store, failure);
	if (rc == 0)
		rc = read_config(store, failure);
	if (rc == 0)
		rc = store_open_index(store, failure);
	if (rc < 0)
		return rc;
	rc = store_load_meta(store, &position, &was_clean);
	if (rc == 0)
		rc = store_load_graph(store);
	if (rc == 0)
		rc = fold_notes_load(store);
	if (rc == 0)
		rc = space_map_load(&store->space, store->index);
	if (rc < 0) {
		failure_errno(failure, rc, store->path,
			      "the index can't be used");
		failure_hint(failure,
			     "restore the copy: rm -f '%s/index.db-wal'; "
			     "cp '%s/index.bak' '%s/index.db'",
			     store->path, store->path, store->path);
		return rc;
	}
	rc = check_segments(store, failure);
	if (rc == 0)
		rc = open_base(store, base_path, failure);
	if (rc == 0)
		rc = open_log(store, &position, was_clean, failure);
	if (rc < 0)
		return rc;
	rc = dump_begin(store);
	if (rc == 0)
		rc = leftovers_find(store);
	return rc < 0 ? failure_errno(failure, rc, store->path,
				      "can't begin to write") :
			0;
}

int store_open(const char *path, const char *base_path,
	       struct store **out_store, struct failure *failure)
{
	return store_open_with(path, base_path, NULL, out_store, failure);
}

int store_open_with(const char *path, const char *base_path,
		    const struct snapshot_source *source,
		    struct store **out_store, struct failure *failure)
{
	struct store *store = store_new();
	int rc;

	if (!store)
		return failure_errno(failure, -ENOMEM, path,
				     "can't open the store");
	store->snapshot_source = source;
	rc = open_all(store, path, base_path, failure);
	if (rc < 0) {
		store_free(store);
		return failure_errno(failure, rc, path, "can't open the store");
	}
	rc = scrub_init(store);
	if (rc < 0) {
		store_free(store);
		return failure_errno(failure, rc, path, "can't open the store");
	}
	history_drop_left_work(store);
	worker_start(store);
	*out_store = store;
	return 0;
}

enum { BACKUP_RECORDS = 4096 };

static int close_clean(struct store *store)
{
	bool backup = log_appended_lsn(store->log) - store->backup_lsn >
		      BACKUP_RECORDS;
	int rc;

	mutex_lock(&store->maintenance_lock);
	rc = checkpoint_run(store, backup);
	if (rc == -ENOSPC && !index_waits(store->index))
		rc = 0; /* only the copy */
	if (rc == 0)
		rc = index_meta_put(store->index, "clean", 1);
	if (rc == 0)
		rc = index_commit(store->index);
	/* As after a kill: the log has all of it. */
	if (rc == -ENOSPC && index_waits(store->index))
		rc = 0;
	mutex_unlock(&store->maintenance_lock);
	return rc;
}

int store_close(struct store *store)
{
	int rc;

	scrub_fini(store, true);
	rc = atomic_load(&store->failed);
	worker_stop(store);
	if (rc == 0)
		rc = close_clean(store);
	store_free(store);
	return rc;
}

void store_abandon(struct store *store)
{
	scrub_fini(store, false);
	worker_stop(store);
	store_free(store);
}

int store_sync(struct store *store)
{
	int rc = log_sync(store->log, log_appended_lsn(store->log));

	atomic_fetch_add(&store->count.syncs, 1);
	if (rc < 0)
		return store_fail(store, rc, "a flush failed");
	return 0;
}

int store_checkpoint(struct store *store)
{
	int rc;

	mutex_lock(&store->maintenance_lock);
	rc = checkpoint_run(store, false);
	mutex_unlock(&store->maintenance_lock);
	return rc;
}
