/*
 * Who uses how much: one walk over all rows, window by window.
 *
 * A viewer is a branch head or a snapshot. A row is seen by the viewers in
 * its range on its line and by those of lines that left in that range before
 * they had a row of their own. A chunk belongs to all viewers of all rows
 * that use it.
 */
#include "space.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "history_impl.h"

/* Heads have generation UINT32_MAX. */
struct viewer {
	uint32_t line, gen;
	bool is_branch, trash;
	uint32_t id;
	uint64_t unique_blocks;
};

struct fork {
	uint32_t parent, gen, line;
};

/* The viewers of a chunk, as far as they matter. */
struct audience {
	uint32_t live, trash;
	struct viewer *only; /* the one, when there is just one of all */
};

struct version {
	struct window_key key;
	size_t slot_count;
	struct slot *slots;
};

struct walk {
	struct store *store;
	struct viewer *viewers;
	size_t viewer_count;
	struct fork *forks;
	size_t fork_count;
	struct version *versions; /* of one window */
	size_t version_count, version_capacity;
	struct audience *audiences; /* of each version */
	uint64_t branch_blocks, snapshot_blocks, shared_blocks, trash_blocks;
	bool has_shared; /* blocks that several windows use */
};

static int by_viewer(const void *a, const void *b)
{
	const struct viewer *left = a, *right = b;

	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->gen < right->gen ? -1 : left->gen > right->gen;
}

static int by_fork(const void *a, const void *b)
{
	const struct fork *left = a, *right = b;

	if (left->parent != right->parent)
		return left->parent < right->parent ? -1 : 1;
	return left->gen < right->gen ? -1 : left->gen > right->gen;
}

static int collect_locked(struct walk *walk, const struct graph *graph)
{
	size_t i;

	walk->viewers = calloc(graph->snapshot_count + graph->branch_count + 1,
			       sizeof(*walk->viewers));
	walk->forks = calloc(graph->line_count + 1, sizeof(*walk->forks));
	if (!walk->viewers || !walk->forks)
		return -ENOMEM;
	for (i = 0; i < graph->snapshot_count; i++) {
		const struct snapshot_row *row = &graph->snapshots[i]->row;

		if (row->state != SNAPSHOT_STATE_DELETING) {
			walk->viewers[walk->viewer_count++] = (struct viewer){
				.line = row->line,
				.gen = row->gen,
				.trash = row->state == SNAPSHOT_STATE_TRASH,
				.id = row->id,
			};
		}
	}
	for (i = 0; i < graph->branch_count; i++) {
		const struct branch_row *row = &graph->branches[i]->row;

		if (row->state != BRANCH_STATE_DELETING) {
			walk->viewers[walk->viewer_count++] = (struct viewer){
				.line = row->line,
				.gen = UINT32_MAX,
				.is_branch = true,
				.trash = row->state == BRANCH_STATE_TRASH,
				.id = row->id,
			};
		}
	}
	for (i = 0; i < graph->line_count; i++) {
		if (graph->lines[i]->row.parent)
			walk->forks[walk->fork_count++] = (struct fork){
				graph->lines[i]->row.parent,
				graph->lines[i]->row.fork_gen,
				graph->lines[i]->row.id,
			};
	}
	qsort(walk->viewers, walk->viewer_count, sizeof(*walk->viewers),
	      by_viewer);
	qsort(walk->forks, walk->fork_count, sizeof(*walk->forks), by_fork);
	return 0;
}

static void add_viewer(struct audience *audience, struct viewer *viewer)
{
	if (viewer->trash)
		audience->trash++;
	else
		audience->live++;
	audience->only = audience->live + audience->trash == 1 ? viewer : NULL;
}

/* Viewers on the line with gen in [begin, end]; end UINT32_MAX has heads. */
static void add_on_line(struct walk *walk, uint32_t line, uint32_t begin,
			uint32_t end, struct audience *audience)
{
	size_t low = 0, high = walk->viewer_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct viewer *v = &walk->viewers[middle];

		if (v->line < line || (v->line == line && v->gen < begin))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < walk->viewer_count && walk->viewers[low].line == line &&
	       walk->viewers[low].gen <= end;
	     low++) {
		add_viewer(audience, &walk->viewers[low]);
		if (audience->live > 1)
			return;
	}
}

static uint32_t first_gen_on(const struct walk *walk, uint32_t line)
{
	size_t i;

	for (i = 0; i < walk->version_count; i++)
		if (walk->versions[i].key.line == line)
			return walk->versions[i].key.gen;
	return UINT32_MAX;
}

/* Everybody who sees what the line had from begin to end, forks included.
 * Depth is that of lines which left without a row: kept by folding. */
static void add_all(struct walk *walk, uint32_t line, uint32_t begin,
		    uint32_t end, struct audience *audience)
{
	size_t low = 0, high = walk->fork_count;

	add_on_line(walk, line, begin, end, audience);
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct fork *f = &walk->forks[middle];

		if (f->parent < line || (f->parent == line && f->gen < begin))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < walk->fork_count && walk->forks[low].parent == line &&
	       walk->forks[low].gen <= end && audience->live < 2;
	     low++) {
		uint32_t first = first_gen_on(walk, walk->forks[low].line);

		add_all(walk, walk->forks[low].line, 0,
			first == UINT32_MAX ? first : first - 1, audience);
	}
}

/* A chunk without any viewer was overwritten by all lines that started with
 * it, and goes with the last but one of them: it is shared as well. */
static void count_chunk(struct walk *walk, const struct audience *audience,
			unsigned blocks)
{
	if (audience->live + audience->trash == 1) {
		assert(audience->only);
		audience->only->unique_blocks += blocks;
	}
	if (audience->live > 1 || audience->live + audience->trash == 0)
		walk->shared_blocks += blocks;
	else if (audience->live == 0)
		walk->trash_blocks += blocks;
	else if (audience->only && audience->only->is_branch)
		walk->branch_blocks += blocks;
	else if (audience->only)
		walk->snapshot_blocks += blocks;
	else
		walk->shared_blocks += blocks;
}

static void merge(struct audience *into, const struct audience *other)
{
	into->live += other->live;
	into->trash += other->trash;
	if (into->live + into->trash == 1)
		into->only = other->only ? other->only : into->only;
	else
		into->only = NULL;
}

/* By several windows: counted all together. */
static bool is_shared(struct walk *walk, const struct slot *slot)
{
	struct location at = { slot->segment, slot->block };

	return walk->has_shared &&
	       space_map_is_shared(&walk->store->space, at,
				   slot_stored_blocks(slot));
}

/* Each chunk is counted at its first use in the first version that has it. */
static void count_version(struct walk *walk, size_t nr)
{
	const struct version *version = &walk->versions[nr];
	size_t i, j;

	for (i = 0; i < version->slot_count; i++) {
		const struct slot *slot = &version->slots[i];
		struct audience audience = walk->audiences[nr];
		bool first =
			slot_has_place(slot) && !is_shared(walk, slot) &&
			!window_uses_chunk(version->slots, (unsigned)i, slot);

		for (j = 0; j < nr && first; j++)
			first = !window_uses_chunk(
				walk->versions[j].slots,
				(unsigned)walk->versions[j].slot_count, slot);
		if (!first)
			continue;
		for (j = nr + 1; j < walk->version_count; j++)
			if (window_uses_chunk(
				    walk->versions[j].slots,
				    (unsigned)walk->versions[j].slot_count,
				    slot))
				merge(&audience, &walk->audiences[j]);
		count_chunk(walk, &audience, slot_stored_blocks(slot));
	}
}

static int count_window(struct walk *walk)
{
	size_t i;

	walk->audiences =
		calloc(walk->version_count + 1, sizeof(*walk->audiences));
	if (!walk->audiences)
		return -ENOMEM;
	for (i = 0; i < walk->version_count; i++) {
		const struct window_key *key = &walk->versions[i].key;
		uint32_t end = UINT32_MAX;

		if (i + 1 < walk->version_count &&
		    walk->versions[i + 1].key.line == key->line)
			end = walk->versions[i + 1].key.gen - 1;
		add_all(walk, key->line, key->gen, end, &walk->audiences[i]);
	}
	for (i = 0; i < walk->version_count; i++)
		count_version(walk, i);
	for (i = 0; i < walk->version_count; i++)
		free(walk->versions[i].slots);
	walk->version_count = 0;
	free(walk->audiences);
	walk->audiences = NULL;
	return 0;
}

static int add_version(struct walk *walk, const struct window_key *key,
		       const struct slot *slots, size_t slot_count)
{
	struct version *version;

	if (walk->version_count == walk->version_capacity) {
		size_t capacity = walk->version_capacity ?
					  walk->version_capacity * 2 :
					  16;
		void *grown = realloc(walk->versions,
				      capacity * sizeof(*walk->versions));

		if (!grown)
			return -ENOMEM;
		walk->versions = grown;
		walk->version_capacity = capacity;
	}
	version = &walk->versions[walk->version_count];
	version->key = *key;
	version->slot_count = slot_count;
	version->slots = malloc((slot_count + 1) * sizeof(*slots));
	if (!version->slots)
		return -ENOMEM;
	memcpy(version->slots, slots, slot_count * sizeof(*slots));
	walk->version_count++;
	return 0;
}

static int walk_rows(struct walk *walk)
{
	AUTO_FREE uint8_t *row = malloc(WINDOW_ROW_BYTES_MAX);
	AUTO_FREE struct slot *slots = calloc(WINDOW_BLOCKS, sizeof(*slots));
	struct window_key key = { 0 }, last = { 0 };
	size_t row_bytes, slot_count;
	int rc;

	if (!row || !slots)
		return -ENOMEM;
	while ((rc = index_window_scan(walk->store->index, &key, row,
				       &row_bytes)) == 0) {
		if (walk->version_count &&
		    (key.inode != last.inode || key.window != last.window))
			rc = count_window(walk);
		if (rc == 0)
			rc = window_decode(walk->store->seed, &key, row,
					   row_bytes, slots, &slot_count);
		if (rc == 0)
			rc = add_version(walk, &key, slots, slot_count);
		if (rc < 0)
			return rc;
		last = key;
	}
	return rc == -ENOENT ? count_window(walk) : rc;
}

static uint64_t allocated_bytes(int directory_fd)
{
	uint64_t total = 0;
	struct dirent *entry;
	struct stat st;
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory)
		return 0;
	while ((entry = readdir(directory)) != NULL)
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			total += (uint64_t)st.st_blocks * 512;
	closedir(directory);
	return total;
}

static void fill_usage(struct walk *walk, struct space_usage *usage)
{
	struct store *store = walk->store;
	uint64_t segments = allocated_bytes(store->segments_fd);
	uint64_t top = allocated_bytes(store->directory_fd);
	uint64_t ahead = log_ahead_bytes(store->log);
	uint64_t live, metadata;
	struct statvfs vfs;

	mutex_lock(&store->space.lock);
	live = store->space.live_blocks * BLOCK_BYTES;
	metadata = store->space.metadata_blocks * BLOCK_BYTES;
	mutex_unlock(&store->space.lock);
	*usage = (struct space_usage){
		.branches_unique_bytes = walk->branch_blocks * BLOCK_BYTES,
		.snapshots_unique_bytes = walk->snapshot_blocks * BLOCK_BYTES,
		.shared_bytes = walk->shared_blocks * BLOCK_BYTES,
		.trash_bytes = walk->trash_blocks * BLOCK_BYTES,
		.metadata_bytes = top + metadata + ahead,
		.dead_bytes =
			segments > live + ahead ? segments - live - ahead : 0,
		.total_bytes = segments + top,
	};
	if (fstatvfs(store->directory_fd, &vfs) == 0)
		usage->available_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

static int fill_list(const struct walk *walk, struct space_unique **out_list,
		     size_t *out_count)
{
	struct space_unique *list =
		calloc(walk->viewer_count + 1, sizeof(*list));
	size_t i;

	if (!list)
		return -ENOMEM;
	for (i = 0; i < walk->viewer_count; i++)
		list[i] = (struct space_unique){
			.is_branch = walk->viewers[i].is_branch,
			.id = walk->viewers[i].id,
			.bytes = walk->viewers[i].unique_blocks * BLOCK_BYTES,
		};
	*out_list = list;
	*out_count = walk->viewer_count;
	return 0;
}

static int usage_locked(struct store *store, struct space_usage *out_usage,
			struct space_unique **out_list, size_t *out_count)
	REQUIRES(store->maintenance_lock)
{
	struct walk walk = { .store = store };
	size_t i;
	int rc = atomic_load(&store->failed) ? 0 : checkpoint_run(store, false);

	if (rc == -ENOSPC) /* rows are as they should be */
		rc = 0;
	if (rc == 0) {
		mutex_lock(&store->order_lock);
		rc = collect_locked(&walk, &store->graph);
		mutex_unlock(&store->order_lock);
	}
	walk.has_shared = space_map_shared_blocks(&store->space) > 0;
	walk.shared_blocks = space_map_shared_blocks(&store->space);
	if (rc == 0)
		rc = walk_rows(&walk);
	if (rc == 0)
		fill_usage(&walk, out_usage);
	if (rc == 0 && out_list)
		rc = fill_list(&walk, out_list, out_count);
	for (i = 0; i < walk.version_count; i++)
		free(walk.versions[i].slots);
	free(walk.versions);
	free(walk.audiences);
	free(walk.viewers);
	free(walk.forks);
	return rc;
}

int space_usage(struct store *store, struct space_usage *out_usage,
		struct space_unique **out_list, size_t *out_count,
		struct failure *failure)
{
	int rc;

	mutex_lock(&store->maintenance_lock);
	rc = usage_locked(store, out_usage, out_list, out_count);
	mutex_unlock(&store->maintenance_lock);
	if (rc < 0)
		failure_errno(failure, rc, store->path, "can't count space");
	return rc;
}

/* False: it is open, and goes another time. */
static int purge_snapshot(struct store *store, uint32_t id,
			  const struct actor *actor, bool *out_purged,
			  struct failure *failure)
{
	struct failure why = { 0 };
	int rc = history_delete_snapshot(store, id, true, actor, &why);

	*out_purged = rc == 0;
	if (rc == -EBUSY)
		return 0;
	if (rc < 0 && failure && failure->code == FAILURE_NONE)
		*failure = why;
	return rc;
}

/* Trash old enough goes to deleting; returns how much there is. */
static int purge_trash(struct store *store, int64_t before_ns, bool dry_run,
		       const struct actor *actor, struct gc_result *result,
		       struct failure *failure)
{
	struct snapshot_info *snapshots = NULL;
	struct branch_info *branches = NULL;
	bool purged = true;
	size_t count, i;
	int rc = history_snapshots(store, NULL, true, &snapshots, &count,
				   failure);

	for (i = 0; i < count && rc == 0; i++) {
		if (snapshots[i].state != SNAPSHOT_STATE_TRASH ||
		    snapshots[i].deleted_ns > before_ns)
			continue;
		if (!dry_run)
			rc = purge_snapshot(store, snapshots[i].id, actor,
					    &purged, failure);
		result->snapshots_purged += purged;
	}
	free(snapshots);
	if (rc == 0)
		rc = history_branches(store, true, &branches, &count);
	for (i = 0; i < count && rc == 0; i++) {
		if (!branches[i].deleted_ns ||
		    branches[i].deleted_ns > before_ns)
			continue;
		result->branches_purged++;
		if (!dry_run)
			rc = history_set_branch_state(store, branches[i].id,
						      BRANCH_STATE_DELETING, 0,
						      actor, failure);
	}
	free(branches);
	return rc;
}

static int reap_all(struct store *store, space_progress *progress,
		    void *context)
{
	bool more = true;
	uint64_t rounds = 0;
	int rc = 0;

	atomic_store(&store->reap_pending, true);
	while (more && rc == 0) {
		mutex_lock(&store->maintenance_lock);
		rc = reap_run(store, &more);
		mutex_unlock(&store->maintenance_lock);
		if (rc == 0 && more && progress &&
		    progress(context, ++rounds, 0))
			rc = -EINTR;
	}
	return rc;
}

/* Shrinks the index, punches what a checkpoint left over and drops empty
 * segments: needs index.bak to be as new as the index. */
static int settle(struct store *store)
{
	int rc;

	mutex_lock(&store->maintenance_lock);
	rc = space_map_shared_blocks(&store->space) ? sweep_run(store) : 0;
	if (rc == 0)
		rc = checkpoint_run(store, false);
	while (rc == 0 && store->index_loose)
		rc = checkpoint_run(store, false);
	if (rc == 0)
		rc = checkpoint_run(store, true);
	/* Without room for a copy the dead segments stay, without blocks. */
	if (rc == 0 || rc == -ENOSPC)
		rc = checkpoint_run(store, false);
	mutex_unlock(&store->maintenance_lock);
	return rc;
}

int space_gc(struct store *store, int64_t min_age_ns, bool dry_run,
	     const struct actor *actor, space_progress *progress, void *context,
	     struct gc_result *out_result, struct failure *failure)
{
	struct space_usage before = { 0 }, after = { 0 };
	int rc = space_usage(store, &before, NULL, NULL, failure);

	memset(out_result, 0, sizeof(*out_result));
	if (rc == 0)
		rc = purge_trash(store, store_realtime_ns() - min_age_ns,
				 dry_run, actor, out_result, failure);
	if (rc < 0)
		return rc;
	if (dry_run) {
		out_result->freed_bytes = before.trash_bytes;
		return 0;
	}
	rc = reap_all(store, progress, context);
	if (rc == 0)
		rc = settle(store);
	if (rc < 0)
		return failure_errno(failure, rc, store->path,
				     "can't collect garbage");
	rc = space_usage(store, &after, NULL, NULL, failure);
	if (rc == 0 && before.total_bytes > after.total_bytes)
		out_result->freed_bytes =
			before.total_bytes - after.total_bytes;
	return rc;
}
