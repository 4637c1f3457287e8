/*
 * A store: open, recover, checkpoint, close. The store owns everything that
 * is read or written through views of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "failure.h"

struct snapshot_source;
struct store;

enum {
	BLOCK_BYTES = 4096,
	STORE_NAME_BYTES_MAX = 255,  /* branch, snapshot and hold names */
	STORE_NOTE_BYTES_MAX = 1024, /* -m */
};

struct store_create_params {
	const char *path;      /* must not exist */
	const char *base_path; /* file or block device; NULL: zeros */
	/* Or directories, topmost first: a tree. See layer_spec_path. */
	const char *const *layer_paths;
	size_t layer_count;
	/* layers.h; NULL: no layer can be a snapshot */
	const struct snapshot_source *source;
	const char *branch;  /* NULL: "main" */
	uint64_t size_bytes; /* 0: the base's size */
	bool full_hash;	     /* read the whole base once */
	struct store_config config;
};

/*
 * The path in what names a layer: "NAME=PATH", or a path alone, which what is
 * there under the whole of it is taken for. Without a name the layer is called
 * as its path ends. PATH may be a snapshot of another store, "STORE@SNAPSHOT",
 * if nothing is there that is called so.
 */
const char *layer_spec_path(const char *spec);

/*
 * Makes the directory 0700 and all that a new store needs, durable when it
 * returns. On failure nothing is left behind.
 */
NODISCARD int store_create(const struct store_create_params *params,
			   struct failure *failure);

/*
 * Opens, locks and recovers the store and starts its background thread.
 * base_path overrides the recorded path of a base that was moved (its
 * content must still match), NULL takes the recorded one.
 */
NODISCARD int store_open(const char *path, const char *base_path,
			 struct store **out_store, struct failure *failure);
/* The same, and layers may be snapshots of other stores. */
NODISCARD int store_open_with(const char *path, const char *base_path,
			      const struct snapshot_source *source,
			      struct store **out_store,
			      struct failure *failure);

/*
 * Makes all durable, checkpoints, refreshes index.bak and releases the
 * lock. All views must be put before. Returns the first error; the store is
 * gone in any case.
 */
NODISCARD int store_close(struct store *store);

/* Forgets all that is in memory, as kill -9 would: for tests of recovery. */
void store_abandon(struct store *store);

/* Makes every acknowledged write of every branch durable (one fdatasync). */
NODISCARD int store_sync(struct store *store);

/*
 * Moves the index to the newest state and gives back the space that this
 * frees. Waits until done.
 */
NODISCARD int store_checkpoint(struct store *store);

enum store_health {
	STORE_HEALTH_GOOD,
	STORE_HEALTH_ATTENTION, /* works, an admin should look */
	STORE_HEALTH_DAMAGED,	/* bytes are wrong or a flush failed */
};

struct store_status {
	char path[4096];
	char uuid[40];
	uint32_t format_version;
	enum store_health health;
	char reason[512];     /* "" when good */
	bool read_only;	      /* writes are refused until reopened */
	uint64_t log_records; /* LSN of the newest record */
	uint64_t durable_records;
	uint64_t checkpoint_lsn;
	uint64_t dirty_bytes;	    /* window memory not in the index yet */
	uint64_t cache_bytes;	    /* window memory in use */
	uint64_t recovered_records; /* replayed by this open */
	uint64_t recovery_ns;
	char base_path[4096]; /* "": none; of directories the first */
	char base_kind[16];   /* "file", "device", "directory", "none" */
	uint64_t base_size_bytes;
	bool base_changed;
	bool base_being_written;     /* somebody opened it for writing */
	int64_t base_checked_ns;     /* realtime of the last check */
	uint64_t deleting_snapshots; /* background work left */
	/* On the host's file system. */
	uint64_t host_free_bytes, reserve_bytes;
	bool room_set_aside; /* real blocks, for when it is full */
};

/* Room on the host's file system, without the reserve. */
struct store_room {
	uint64_t total_bytes, free_bytes;
};
NODISCARD int store_room(struct store *store, struct store_room *out_room);

void store_status(struct store *store, struct store_status *out_status);

/* Counters since the store was opened; rates are the reader's business. */
struct store_counters {
	uint64_t reads, read_bytes, base_read_bytes;
	uint64_t writes, write_bytes;
	uint64_t stored_bytes;	 /* data blocks appended */
	uint64_t zero_bytes;	 /* writes that stored nothing */
	uint64_t syncs, flushes; /* asked for; fdatasyncs issued */
	uint64_t sync_ns;	 /* sum over flushes */
	uint64_t window_loads, window_hits;
	uint64_t checkpoints, checkpoint_ns;
	uint64_t moved_bytes, punched_bytes;
	uint64_t checksum_errors;
	uint64_t lost_reads; /* of blocks that cowd-fsck gave up */
};

void store_counters(struct store *store, struct store_counters *out_counters);

/* Current configuration; store_configure validates, saves store.conf and
 * applies. */
void store_get_config(struct store *store, struct store_config *out_config);
NODISCARD int store_configure(struct store *store,
			      const struct store_config *config,
			      struct failure *failure);
