/*
 * The store's insides, shared by lib/core only.
 *
 * Lock order: a view's stripes -> order_lock -> map_lock -> the log's and the
 * index's own locks -> space_lock, item_lock. No SQL and no file I/O under
 * map_lock.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base.h"
#include "file.h"
#include "graph.h"
#include "history.h"
#include "history_format.h"
#include "index.h"
#include "item_table.h"
#include "log.h"
#include "logging.h"
#include "mutex.h"
#include "share_format.h"
#include "space_map.h"
#include "store.h"
#include "store_layers.h"
#include "window.h"

enum {
	LOAD_SEQUENCES = 1024,
	/* A resize takes all; ThreadSanitizer knows 64 locks of a thread. */
	VIEW_STRIPES = 32,
	CHUNK_CACHE_ENTRIES = 16,
};

/* A decompressed chunk, kept for the next small read of it. */
struct chunk_cache_entry {
	struct location at;
	uint64_t used;
	uint32_t raw_blocks;
	uint8_t *data;
};

/* An inode that somebody uses; one for each in a view. */
struct file {
	struct view *view;
	uint64_t inode;
	unsigned references;	     /* order_lock */
	struct base_file *base_file; /* NULL: the store's base, or none */
	/* Under map_lock; written under both locks. */
	struct inode_item item;
	struct item_version version;
	bool dirty;	   /* the item differs from its version */
	bool gone;	   /* the item became absent */
	bool left;	   /* the head moved: not in view->files any more */
	UT_hash_handle hh; /* of view->files */
};

struct scrub;

struct view {
	struct store *store;
	unsigned references;	     /* order_lock */
	struct base_file *base_file; /* NULL: the store's base, or none */
	bool is_head;
	uint32_t branch;    /* id */
	uint32_t snapshot;  /* id, when not a head */
	uint32_t line, gen; /* order_lock + map_lock to change */
	/* Newest generation that others see: what is younger belongs to this
	 * head alone. */
	uint32_t last_point;
	/* Rows up to here stay as they are; >= last_point. */
	uint32_t last_kept;
	struct line_path *path; /* map_lock to take a reference */
	struct window_cache *cache;
	struct file *files;    /* order_lock */
	struct file *image;    /* of an image store */
	struct layers *layers; /* what was opened of a tree's; order_lock */
	/* A block of a file between reading, merging and its record. */
	pthread_rwlock_t stripes[VIEW_STRIPES];
	struct view *previous, *next; /* of the store */
};

enum { ROWLESS_MAX = 64 };

/* Dead segments without a row, whose files wait for the next backup. */
struct rowless {
	uint32_t ids[ROWLESS_MAX];
	size_t count;
};

/* A line that is another's now: fold_notes.c. */
struct fold_note {
	uint32_t line, into, gen;
	uint64_t lsn; /* of the log when that was so */
};

struct store {
	char path[4096];
	int directory_fd, segments_fd, lock_fd;
	uint8_t uuid[FORMAT_UUID_BYTES];
	uint64_t seed;
	struct index *index;
	struct log *log;
	struct base *base; /* NULL: none, or directories */
	const struct snapshot_source *snapshot_source; /* may be NULL */
	/* Rows never move and never go; what a row says does not change. */
	struct base_row *layer_rows; /* LAYER_ID_MAX of them */
	atomic_size_t layer_count;
	struct layer_health *layer_health; /* as many; worker_lock */
	uint64_t stacks_lsn, changes_told; /* worker_lock */
	bool is_tree;
	uint64_t base_bytes;

	struct mutex order_lock; /* log order: whoever appends and applies */
	struct graph graph;
	struct view *views;
	uint32_t next_line, next_gen, next_snapshot, next_branch;
	uint64_t next_inode;
	uint64_t next_operation;
	uint64_t checkpoint_nr; /* of the state being built now */
	struct change_queue changes;
	struct store_config config; /* worker_lock */
	uint64_t replayed_lsn;	    /* while the log is replayed */

	struct mutex map_lock; /* caches and the windows in them */
	struct window_cache *caches;
	struct window *lru, *dirty;
	uint64_t cache_used_bytes, dirty_bytes, dirty_windows;
	uint32_t load_sequence[LOAD_SEQUENCES];

	struct mutex item_lock; /* the tables of items */
	struct item_table items, saving_items;
	uint64_t saves_ended;

	struct space_map space;

	struct mutex chunk_lock;
	struct chunk_cache_entry chunks[CHUNK_CACHE_ENTRIES];
	uint64_t chunk_clock;

	struct mutex maintenance_lock; /* checkpoint, reap, compact */
	atomic_uint_fast64_t checkpoint_lsn;
	uint64_t backup_lsn, checkpoint_stored_bytes;
	bool dumped; /* the log has a dump of the state: dump.c */
	struct rowless rowless;
	struct fold_note *folds;
	size_t fold_count;
	bool folds_changed, folds_untold; /* since: saved, a dump */
	atomic_bool index_waited;	  /* it was told */
	bool index_loose; /* the next checkpoints will shrink it further */
	atomic_uint_fast64_t discarded_bytes; /* since the last checkpoint */
	int64_t last_checkpoint_ns, last_activity_ns;
	uint64_t idle_operations;
	atomic_bool reap_pending; /* there may be rows to drop */
	bool reaping;		  /* maintenance_lock */
	/* Changed by the reaper since the last checkpoint. */
	atomic_uint_fast64_t reaped_rows;

	struct mutex worker_lock;
	pthread_cond_t worker_wake, worker_done;
	pthread_t worker;
	bool worker_runs, worker_stop, worker_kick;
	uint64_t worker_rounds;

	struct scrub *scrub; /* scrub.c */

	atomic_int failed;	 /* negative errno: read-only since then */
	char failed_reason[512]; /* worker_lock */
	atomic_bool out_of_space;
	struct { /* of config, what is looked at without a lock */
		atomic_uint_fast64_t cache_bytes, reserve_bytes;
		atomic_uint_fast64_t checkpoint_log_bytes, checkpoint_every_ns;
		atomic_int compress;
	} live;
	atomic_uint_fast64_t free_checked_ns;
	atomic_int_fast64_t write_budget_bytes;
	atomic_int_fast64_t writing_bytes; /* let through, not yet there */
	int loan_fd; /* reserve.tmp, or below 0; by who calls reserve_keep */
	atomic_bool loan_ready;
	/* Unsaved rows that have room in the index (reserve.c). */
	atomic_uint_fast64_t covered_rows, covered_bytes;
	struct base_state base_state;
	int64_t base_checked_ns; /* realtime, worker_lock */
	uint64_t recovered_records, recovery_ns;

	struct {
		atomic_uint_fast64_t reads, read_bytes, base_read_bytes;
		atomic_uint_fast64_t writes, write_bytes, stored_bytes;
		atomic_uint_fast64_t zero_bytes, syncs;
		atomic_uint_fast64_t window_loads, window_hits;
		atomic_uint_fast64_t checkpoints, checkpoint_ns;
		atomic_uint_fast64_t moved_bytes, punched_bytes;
		atomic_uint_fast64_t checksum_errors, lost_reads;
	} count;
};

int64_t store_monotonic_ns(void);
int64_t store_realtime_ns(void);

/* Rule 8: the first error that can't be handled turns the store read-only.
 * Returns rc. */
int store_fail(struct store *store, int rc, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* The result of a write to the log: a full disk or memory may pass, all else
 * is such an error. Returns rc. */
int store_logged(struct store *store, int rc);
/* 0, or why nothing may be written now. user_bytes of data that are about to
 * be written must leave the reserve alone; 0 for what may use it. */
NODISCARD int store_check_writable(struct store *store, uint64_t user_bytes);

/* view.c: all with order_lock held unless said otherwise. */
NODISCARD int view_head_locked(struct store *store, struct branch *branch,
			       struct view **out_view)
	REQUIRES(store->order_lock);
/* The head moved to (line, gen) of its branch; row is what it sees there. */
NODISCARD int view_repoint_locked(struct store *store, struct view *view,
				  uint32_t line, uint32_t gen)
	REQUIRES(store->order_lock);
/* After every change of the graph: what others see of every open head. */
void view_points_locked(struct store *store) REQUIRES(store->order_lock);
void view_paths_locked(struct store *store) REQUIRES(store->order_lock);
/* Keeps the head's unsaved inode rows for those who see the generation that
 * ends now. */
NODISCARD int view_keep_inodes_locked(struct store *store, struct view *view)
	REQUIRES(store->order_lock);
/* -ENOENT. Not of one that is in use. */
NODISCARD int view_inode_find(struct store *store, const struct line_path *path,
			      uint64_t inode, struct inode_item *out_item,
			      struct item_version *out_version);
struct line_path *line_path_get(struct line_path *path);
void line_path_put(struct line_path *path);
/* Size of the image at the branch's head. */
uint64_t branch_size_locked(struct store *store, struct branch *branch)
	REQUIRES(store->order_lock);
void view_free_locked(struct store *store, struct view *view)
	REQUIRES(store->order_lock);

/* view_files.c: the inodes of a view that are in use. */
NODISCARD int file_get_locked(struct view *view, uint64_t inode,
			      struct file **out_file)
	REQUIRES(view->store->order_lock);
/* Fails only if there is no memory to keep its unsaved row: then it stays. */
NODISCARD int file_put_locked(struct file *file)
	REQUIRES(file->view->store->order_lock);
/* The head moves: who has a file of the tree open keeps a dead one. */
void view_leave_files_locked(struct view *view)
	REQUIRES(view->store->order_lock);
void view_init_stripes(struct view *view);
void view_fini_stripes(struct view *view);

/* file_map.c: applying records to a head, in log order. */
struct slot_change {
	uint64_t first_block;
	uint32_t count;
	const struct slot *slots; /* NULL: remove, base shows through */
	uint32_t slot_count;
};
NODISCARD int file_apply_slots_locked(struct file *file, uint64_t window,
				      const struct slot *slots,
				      uint32_t slot_count, unsigned begin,
				      unsigned end)
	REQUIRES(file->view->store->order_lock);
NODISCARD int file_apply_extent_locked(struct file *file,
				       const struct extent_record *extent,
				       bool is_lz4)
	REQUIRES(file->view->store->order_lock);
NODISCARD int file_apply_share_locked(struct file *file,
				      const struct share_record *share)
	REQUIRES(file->view->store->order_lock);
NODISCARD int file_apply_zero_locked(struct file *file, uint64_t first_block,
				     uint64_t block_count)
	REQUIRES(file->view->store->order_lock);
NODISCARD int file_apply_resize_locked(struct file *file, uint64_t size_bytes)
	REQUIRES(file->view->store->order_lock);
void file_apply_attributes_locked(struct file *file,
				  const struct attributes_record *attributes)
	REQUIRES(file->view->store->order_lock);
/* The next window at or after number of which there is any version, in this
 * view or another. -ENOENT. */
NODISCARD int file_next_window(struct file *file, uint64_t number,
			       uint64_t *out_number);
/* Gives back what the store has of the file, whose item becomes absent. */
NODISCARD int file_apply_delete_locked(struct file *file)
	REQUIRES(file->view->store->order_lock);
/* Something was written. A tree's times are told by who writes, which may be
 * the kernel, some time before; and not made anew by a replay. */
void file_touch_locked(struct file *file)
	REQUIRES(file->view->store->order_lock);

/* history_apply.c: the effect of a record on memory, and on the queue for
 * the index. */
NODISCARD int history_apply_locked(struct store *store,
				   const struct history_record *record,
				   uint64_t lsn) REQUIRES(store->order_lock);
/* Appends, applies and counts; *lsn is to be synced after unlock. */
NODISCARD int history_log_locked(struct store *store,
				 struct history_record *record, uint64_t *lsn)
	REQUIRES(store->order_lock);

/* reap_row.c: is there an older row of the window with slots, which the line
 * saw before this one? Else one without any is of no use. row:
 * WINDOW_ROW_BYTES_MAX of room. */
NODISCARD int window_hides_locked(struct store *store,
				  const struct window_key *key, uint8_t *row,
				  bool *out_hides) REQUIRES(store->order_lock);

/* release.c, checkpoint.c, reap.c, worker.c */
/* Gives back what the index saved last no longer needs. */
NODISCARD int checkpoint_release(struct store *store,
				 const struct space_save *save, bool backup)
	REQUIRES(store->maintenance_lock);
/* What P freed goes with the next one. */
void checkpoint_put_back(struct store *store, const struct space_save *save);
/* -ENOSPC: it waits for room, or the forced backup found none. */
NODISCARD int checkpoint_run(struct store *store, bool backup)
	REQUIRES(store->maintenance_lock);
NODISCARD int reap_run(struct store *store, bool *out_more)
	REQUIRES(store->maintenance_lock);
bool reap_needed(struct store *store);
void worker_start(struct store *store);
void worker_stop(struct store *store);
void worker_kick(struct store *store);
/* In the middle of long maintenance: a checkpoint if one is due, so that
 * writers who wait for memory can go on; or if no more rows may be changed
 * without one. rows: how many would be, and how many there is room for. */
NODISCARD int worker_breathe(struct store *store, uint32_t *rows)
	REQUIRES(store->maintenance_lock);
/* Waits while there is more unsaved than memory allows. */
void worker_throttle(struct store *store);
/* Before any lock: if there is no room, waits while what was removed gives
 * some. -ENOSPC: there is none; -EROFS. */
NODISCARD int worker_wait_for_room(struct store *store, uint64_t user_bytes);

/* store_load.c: while the store is opened. -EUCLEAN: the index is damaged. */
/* Under the store's lock. A transaction that is lost turns it read-only. */
NODISCARD int store_open_index(struct store *store, struct failure *failure);
NODISCARD int store_load_graph(struct store *store);
NODISCARD int store_load_meta(struct store *store,
			      struct log_position *position, bool *out_clean);

/* store_layers.c */
NODISCARD int store_load_layers(struct store *store);
/* base_path: where a layer was moved to, or NULL. */
NODISCARD int store_open_layers(struct store *store, const char *base_path,
				struct failure *failure);
/* The layers that a branch's head sees. -ENOENT, -EUCLEAN. */
NODISCARD int branch_stack_locked(struct store *store, struct branch *branch,
				  struct stack_item *out_stack)
	REQUIRES(store->order_lock);

/* One that some view has open: of these layers, or any if stack is NULL; a
 * reference, or NULL. */
struct layers *store_open_stack_locked(struct store *store,
				       const struct stack_item *stack)
	REQUIRES(store->order_lock);

/* layer_health.c: what is known of each row of layer_rows. */
struct layer_health {
	enum layer_state state; /* of the directory itself */
	unsigned branches;	/* whose head sees it */
	uint64_t changed_files; /* in it */
	char changed_path[400]; /* the last of them */
	char reason[LAYER_REASON_BYTES];
};
NODISCARD int layer_health_init(struct store *store);
/* Looks again at every layer. */
void layer_health_check(struct store *store);
/* All in all, with the reason; worker_lock. */
enum layer_state layer_health_now(const struct layer_health *health,
				  char *reason, size_t reason_bytes);
/* What is wrong with one that a head sees; false: nothing. */
bool layer_health_reason(struct store *store, char *reason, size_t reason_bytes)
	REQUIRES(store->worker_lock);

/* recover.c */
NODISCARD int store_recover(struct store *store, bool was_clean,
			    struct failure *failure);

/* scrub.c: scrub.state is read by init; fini stops it. save: the file is to
 * tell how far it came. damage: how much is known to be damaged. */
NODISCARD int scrub_init(struct store *store);
void scrub_fini(struct store *store, bool save);
uint64_t scrub_damage(struct store *store);

/* move.c: the effect of a move record on all versions of its window. */
NODISCARD int move_apply_locked(struct store *store,
				const struct move_record *move)
	REQUIRES(store->order_lock);
/* compact.c: one segment worth of background work; false: nothing to do. */
NODISCARD int compact_idle(struct store *store, bool *out_more)
	REQUIRES(store->maintenance_lock);

enum { SWEEP_BLOCKS = 256 }; /* kept ones: worth a look at all rows */

/* sweep.c: frees shared blocks that nobody refers to any more. */
NODISCARD int sweep_run(struct store *store) REQUIRES(store->maintenance_lock);

NODISCARD int meta_put_position(struct index *index,
				const struct log_position *position);

/* Reads and verifies stored blocks: RAW one block, LZ4 the whole chunk.
 * data holds a block (RAW) or 16 (LZ4). */
NODISCARD int chunk_read(struct store *store, const struct slot *slot,
			 void *data, uint32_t *out_raw_blocks);
/* One file block behind a RAW or LZ4 slot. */
NODISCARD int chunk_read_block(struct store *store, const struct slot *slot,
			       void *block);
void chunk_cache_drop(struct store *store);

/* Waits for the writes that run and keeps others out; before order_lock. */
void view_hold_writers(struct view *view);
void view_release_writers(struct view *view);
/* Returns when every write that runs now has its record. */
void view_wait_for_writers(struct view *view);

/* file_write.c. The stripe of a block, before order_lock. */
pthread_rwlock_t *file_stripe(struct file *file, uint64_t block);
/* -ESTALE: its item is gone. */
NODISCARD int file_check_item_locked(const struct file *file)
	REQUIRES(file->view->store->order_lock);
/* To size_bytes, unless it is larger. */
NODISCARD int file_grow_locked(struct file *file, uint64_t size_bytes)
	REQUIRES(file->view->store->order_lock);
NODISCARD int file_grow(struct file *file, uint64_t size_bytes);

/* As lseek, of what is below the file; UINT64_MAX: none. */
NODISCARD int file_base_seek(struct file *file, uint64_t offset_bytes,
			     bool want_data, uint64_t *out_offset_bytes);
/* One whole block of the file as it reads now. */
NODISCARD int file_read_block(struct file *file, uint64_t block, uint8_t *data);
uint64_t file_delta_bytes(struct file *file);
uint64_t file_size(struct file *file);

/* Compresses up to 16 blocks into stored (16 blocks of room), header and
 * padding included. Returns the blocks taken; 0: it saves less than one in
 * eight. */
uint32_t chunk_compress(const uint8_t *data, uint32_t block_count,
			uint8_t *stored);

/* Copies what fits; always ends with a NUL. */
static inline void strcpy_bounded(char *to, const char *from, size_t to_bytes)
{
	size_t i;

	for (i = 0; i + 1 < to_bytes && from[i]; i++)
		to[i] = from[i];
	to[i] = '\0';
}

/* Lets the rest of the store see store->config, which just changed. */
void store_apply_config(struct store *store);
NODISCARD int store_write_config(int directory_fd,
				 const struct store_config *config);

/* All slots of one window; slots holds WINDOW_BLOCKS. */
NODISCARD int file_map_window(struct file *file, uint64_t number,
			      struct slot *slots, unsigned *out_slot_count);
