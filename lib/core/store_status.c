/* What a store says of itself, and its settings. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "io.h"
#include "store.h"
#include "store_impl.h"

static void uuid_text(const uint8_t *uuid, char *text)
{
	int i, n = 0;

	for (i = 0; i < FORMAT_UUID_BYTES; i++) {
		bool dash = i == 4 || i == 6 || i == 8 || i == 10;

		n += snprintf(text + n, 4, "%s%02x", dash ? "-" : "", uuid[i]);
	}
}

static void fill_room(struct store *store, struct store_status *status)
{
	uint64_t reserve = store->live.reserve_bytes;
	struct statvfs vfs;

	status->reserve_bytes = reserve;
	status->room_set_aside = reserve > 0 && !log_is_lean(store->log) &&
				 !index_waits(store->index);
	if (fstatvfs(store->directory_fd, &vfs) == 0)
		status->host_free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (atomic_load(&store->out_of_space)) {
		status->health = STORE_HEALTH_ATTENTION;
		snprintf(status->reason, sizeof(status->reason),
			 "the file system of the store is full: writes get "
			 "ENOSPC");
	} else if (reserve > 0 && status->host_free_bytes < 2 * reserve) {
		status->health = STORE_HEALTH_ATTENTION;
		snprintf(status->reason, sizeof(status->reason),
			 "the file system of the store is nearly full: writes "
			 "get ENOSPC when %llu MiB more are used",
			 (unsigned long long)(status->host_free_bytes >
							      reserve ?
						      (status->host_free_bytes -
						       reserve) >>
							      20 :
						      0));
	}
}

static void fill_health(struct store *store, struct store_status *status)
{
	uint64_t damage = scrub_damage(store);

	mutex_lock(&store->worker_lock);
	status->base_changed = store->base_state.changed;
	status->base_being_written = store->base_state.being_written;
	status->base_checked_ns = store->base_checked_ns;
	if (store->base_state.reason[0]) {
		status->health = STORE_HEALTH_ATTENTION;
		snprintf(status->reason, sizeof(status->reason), "base: %s",
			 store->base_state.reason);
	}
	if (store->is_tree) {
		char reason[sizeof(status->reason)];

		status->base_changed =
			layer_health_reason(store, reason, sizeof(reason));
		if (status->base_changed) {
			status->health = STORE_HEALTH_ATTENTION;
			strcpy_bounded(status->reason, reason,
				       sizeof(status->reason));
		}
	}
	fill_room(store, status);
	if (atomic_load(&store->count.lost_reads)) {
		status->health = STORE_HEALTH_ATTENTION;
		snprintf(status->reason, sizeof(status->reason),
			 "blocks that cowd-fsck gave up were read: the log of "
			 "the daemon names them");
	}
	if (damage) {
		status->health = STORE_HEALTH_DAMAGED;
		snprintf(status->reason, sizeof(status->reason),
			 "a scrub found %" PRIu64 " damaged place%s: cowd "
			 "scrub status names %s",
			 damage, damage == 1 ? "" : "s",
			 damage == 1 ? "it" : "them");
	}
	if (atomic_load(&store->count.checksum_errors)) {
		status->health = STORE_HEALTH_DAMAGED;
		snprintf(status->reason, sizeof(status->reason),
			 "stored bytes failed their checksum");
	}
	if (atomic_load(&store->failed)) {
		status->health = STORE_HEALTH_DAMAGED;
		status->read_only = true;
		strcpy_bounded(status->reason, store->failed_reason,
			       sizeof(status->reason));
	}
	if (store->base_state.changed)
		status->health = STORE_HEALTH_DAMAGED;
	mutex_unlock(&store->worker_lock);
}

int store_room(struct store *store, struct store_room *out_room)
{
	uint64_t reserve = store->live.reserve_bytes, free_bytes;
	struct statvfs vfs;

	if (fstatvfs(store->directory_fd, &vfs) < 0)
		return -errno;
	free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	out_room->total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	out_room->free_bytes = free_bytes > reserve ? free_bytes - reserve : 0;
	return 0;
}

void store_status(struct store *store, struct store_status *out_status)
{
	struct store_status *status = out_status;
	const struct graph *graph = &store->graph;
	size_t i;

	memset(status, 0, sizeof(*status));
	strcpy_bounded(status->path, store->path, sizeof(status->path));
	uuid_text(store->uuid, status->uuid);
	status->format_version = FORMAT_VERSION;
	status->log_records = log_appended_lsn(store->log);
	status->durable_records = log_durable_lsn(store->log);
	status->checkpoint_lsn = atomic_load(&store->checkpoint_lsn);
	status->recovered_records = store->recovered_records;
	status->recovery_ns = store->recovery_ns;
	strcpy_bounded(status->base_kind, "none", sizeof(status->base_kind));
	if (store->base) {
		const struct base_fingerprint *f =
			base_fingerprint(store->base);

		strcpy_bounded(status->base_path, f->path,
			       sizeof(status->base_path));
		strcpy_bounded(status->base_kind,
			       f->kind == BASE_KIND_FILE ? "file" : "device",
			       sizeof(status->base_kind));
		status->base_size_bytes = f->size_bytes;
	}
	if (store->is_tree) {
		strcpy_bounded(status->base_path,
			       store->layer_rows[0].fingerprint.path,
			       sizeof(status->base_path));
		strcpy_bounded(status->base_kind, "directory",
			       sizeof(status->base_kind));
	}
	mutex_lock(&store->order_lock);
	for (i = 0; i < graph->snapshot_count; i++)
		status->deleting_snapshots += graph->snapshots[i]->row.state ==
					      SNAPSHOT_STATE_DELETING;
	mutex_unlock(&store->order_lock);
	mutex_lock(&store->map_lock);
	status->dirty_bytes = store->dirty_bytes;
	status->cache_bytes = store->cache_used_bytes;
	mutex_unlock(&store->map_lock);
	fill_health(store, status);
}

void store_counters(struct store *store, struct store_counters *out)
{
	*out = (struct store_counters){
		.reads = atomic_load(&store->count.reads),
		.read_bytes = atomic_load(&store->count.read_bytes),
		.base_read_bytes = atomic_load(&store->count.base_read_bytes),
		.writes = atomic_load(&store->count.writes),
		.write_bytes = atomic_load(&store->count.write_bytes),
		.stored_bytes = atomic_load(&store->count.stored_bytes),
		.zero_bytes = atomic_load(&store->count.zero_bytes),
		.syncs = atomic_load(&store->count.syncs),
		.flushes = log_flush_count(store->log),
		.sync_ns = log_flush_ns(store->log),
		.window_loads = atomic_load(&store->count.window_loads),
		.window_hits = atomic_load(&store->count.window_hits),
		.checkpoints = atomic_load(&store->count.checkpoints),
		.checkpoint_ns = atomic_load(&store->count.checkpoint_ns),
		.moved_bytes = atomic_load(&store->count.moved_bytes),
		.punched_bytes = atomic_load(&store->count.punched_bytes),
		.checksum_errors = atomic_load(&store->count.checksum_errors),
		.lost_reads = atomic_load(&store->count.lost_reads),
	};
}

void store_get_config(struct store *store, struct store_config *out_config)
{
	mutex_lock(&store->worker_lock);
	*out_config = store->config;
	mutex_unlock(&store->worker_lock);
}

int store_write_config(int directory_fd, const struct store_config *config)
{
	AUTO_FREE char *text = config_format(config);
	AUTO_CLOSE int fd = -1;
	int rc;

	if (!text)
		return -ENOMEM;
	fd = io_open_own(directory_fd, "store.conf.tmp",
			 O_RDWR | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	rc = io_write_all(fd, text, strlen(text), 0);
	if (rc < 0)
		return rc;
	rc = io_sync(fd);
	if (rc == 0)
		rc = io_rename(directory_fd, "store.conf.tmp", "store.conf");
	return rc < 0 ? rc : io_sync_directory(directory_fd);
}

void store_apply_config(struct store *store)
{
	const struct store_config *config = &store->config;

	atomic_store(&store->live.cache_bytes, config->cache_bytes);
	atomic_store(&store->live.reserve_bytes, config->reserve_bytes);
	atomic_store(&store->live.checkpoint_log_bytes,
		     config->checkpoint_log_bytes);
	atomic_store(&store->live.checkpoint_every_ns,
		     config->checkpoint_every_ns);
	atomic_store(&store->live.compress, (int)config->compress);
}

int store_configure(struct store *store, const struct store_config *config,
		    struct failure *failure)
{
	int rc = config_check(config, failure);

	if (rc < 0)
		return rc;
	rc = store_write_config(store->directory_fd, config);
	if (rc < 0)
		return failure_errno(failure, rc, store->path,
				     "can't write store.conf");
	mutex_lock(&store->worker_lock);
	store->config = *config;
	store_apply_config(store);
	mutex_unlock(&store->worker_lock);
	return 0;
}
