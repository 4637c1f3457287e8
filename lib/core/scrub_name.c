/*
 * What a scrub has hit is named: the file, the place in it, and a branch or
 * snapshot that shows it. All rows are read for that, so it is done for many
 * hits at once; there are seldom any.
 */
#include <errno.h>
#include <stdlib.h>

#include "items.h"
#include "scrub_impl.h"

enum { DEPTH_MAX = 1024, NAMED_MAX = 4 * SCRUB_FINDINGS_MAX };

struct named {
	struct scrub_finding finding;
	unsigned row_nr; /* of the last row that it was seen in */
};

/* A branch's head or a snapshot. */
struct viewer {
	char branch[STORE_NAME_BYTES_MAX + 1];
	char snapshot[STORE_NAME_BYTES_MAX + 1];
	struct line_path *path;
};

struct namer {
	struct scrub_batch *batch;
	struct store *store;
	struct viewer *viewers; /* the most telling first */
	size_t viewer_count;
	struct named *list;
	size_t count, capacity;
	size_t window_begin; /* the first of this window */
	unsigned row_nr;
	uint8_t *row, *other_row;
	struct slot *slots;
	/* The row that is looked at, and who sees it. */
	struct window_key key;
	size_t first_viewer;
	uint32_t seen_by;
};

static int add_viewer(struct namer *namer, const char *branch,
		      const char *snapshot, uint32_t line, uint32_t gen)
	REQUIRES(namer->store->order_lock)
{
	struct viewer *viewer = &namer->viewers[namer->viewer_count];

	viewer->path = graph_path(&namer->store->graph, line, gen);
	if (!viewer->path)
		return -ENOMEM;
	strcpy_bounded(viewer->branch, branch, sizeof(viewer->branch));
	strcpy_bounded(viewer->snapshot, snapshot, sizeof(viewer->snapshot));
	namer->viewer_count++;
	return 0;
}

static int add_branches(struct namer *namer, enum branch_state state)
	REQUIRES(namer->store->order_lock)
{
	const struct graph *graph = &namer->store->graph;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < graph->branch_count; i++) {
		const struct branch_row *row = &graph->branches[i]->row;

		if (row->state == (uint32_t)state)
			rc = add_viewer(namer, row->name, "", row->line,
					row->gen);
	}
	return rc;
}

/* The newest first. */
static int add_snapshots(struct namer *namer, enum branch_state state)
	REQUIRES(namer->store->order_lock)
{
	const struct graph *graph = &namer->store->graph;
	size_t i;
	int rc = 0;

	for (i = graph->snapshot_count; rc == 0 && i-- > 0;) {
		const struct snapshot_row *row = &graph->snapshots[i]->row;
		const struct branch *branch = graph_branch(graph, row->branch);

		if (row->state == (uint32_t)state)
			rc = add_viewer(namer, branch ? branch->row.name : "",
					row->name, row->line, row->gen);
	}
	return rc;
}

static int list_viewers(struct namer *namer)
{
	struct store *store = namer->store;
	int rc = 0;

	mutex_lock(&store->order_lock);
	namer->viewers = calloc(store->graph.branch_count +
					store->graph.snapshot_count + 1,
				sizeof(namer->viewers[0]));
	if (!namer->viewers)
		rc = -ENOMEM;
	if (rc == 0)
		rc = add_branches(namer, BRANCH_STATE_LIVE);
	if (rc == 0)
		rc = add_snapshots(namer, BRANCH_STATE_LIVE);
	if (rc == 0)
		rc = add_branches(namer, BRANCH_STATE_TRASH);
	if (rc == 0)
		rc = add_snapshots(namer, BRANCH_STATE_TRASH);
	mutex_unlock(&store->order_lock);
	return rc;
}

static int sees(struct namer *namer, const struct viewer *viewer,
		bool *out_sees)
{
	const struct window_key *key = &namer->key;
	const struct line_limit *level =
		line_path_find(viewer->path, key->line);
	struct window_key found;
	size_t row_bytes;
	int rc;

	*out_sees = false;
	if (!level || level->gen < key->gen)
		return 0;
	rc = index_window_find(namer->store->index, viewer->path, key->inode,
			       key->window, &found, namer->other_row,
			       &row_bytes);
	*out_sees = rc == 0 && found.line == key->line && found.gen == key->gen;
	return rc == -ENOENT ? 0 : rc;
}

static int find_viewers(struct namer *namer)
{
	bool is_seen;
	size_t i;
	int rc = 0;

	namer->seen_by = 0;
	for (i = 0; rc == 0 && i < namer->viewer_count; i++) {
		rc = sees(namer, &namer->viewers[i], &is_seen);
		if (rc == 0 && is_seen && namer->seen_by++ == 0)
			namer->first_viewer = i;
	}
	return rc;
}

/* --- the path of an inode in a tree */

struct name_search {
	uint64_t wanted;
	char name[ITEM_NAME_BYTES_MAX + 1];
};

static int look_at_name(void *context, const uint8_t *key_bytes,
			size_t len_bytes, const struct item_copy *copy)
{
	struct name_search *search = context;
	struct dirent_item entry;
	struct item_key key;

	if (item_key_decode(key_bytes, len_bytes, &key) < 0 ||
	    dirent_item_decode(copy->payload, copy->payload_bytes, &entry) <
		    0 ||
	    entry.inode != search->wanted)
		return 0;
	memcpy(search->name, key.name, key.name_bytes);
	search->name[key.name_bytes] = '\0';
	return -EEXIST; /* found */
}

/* By the item of the name that it was given in the store. */
static int name_in_store(struct store *store, const struct line_path *path,
			 uint64_t *inode, char *name)
{
	struct name_search search = { .wanted = *inode };
	uint8_t prefix[ITEM_PREFIX_BYTES];
	struct inode_item item;
	struct item_copy *copy;
	int rc;

	item_key_prefix(*inode, ITEM_TYPE_INODE, prefix);
	rc = items_find(store, path, prefix, sizeof(prefix), &copy);
	if (rc < 0)
		return rc;
	rc = inode_item_decode(copy->payload, copy->payload_bytes, &item);
	free(copy);
	if (rc < 0)
		return rc;
	item_key_prefix(item.parent, ITEM_TYPE_DIRENT, prefix);
	rc = items_scan(store, path, prefix, sizeof(prefix), look_at_name,
			&search);
	if (rc != -EEXIST)
		return rc < 0 ? rc : -ENOENT;
	*inode = item.parent;
	memcpy(name, search.name, sizeof(search.name));
	return 0;
}

/* By what base had. */
static int name_in_base(struct store *store, uint64_t *inode, char *name)
{
	uint8_t prefix[ITEM_PREFIX_BYTES];
	struct origin_item origin;
	struct item_copy *copy;
	int rc;

	item_key_prefix(*inode, ITEM_TYPE_ORIGIN, prefix);
	rc = items_find(store, items_facts_path, prefix, sizeof(prefix), &copy);
	if (rc < 0)
		return rc;
	rc = origin_item_decode(copy->payload, copy->payload_bytes, &origin);
	if (rc == 0) {
		memcpy(name, origin.name, origin.name_bytes);
		name[origin.name_bytes] = '\0';
		*inode = origin.parent;
	}
	free(copy);
	return rc;
}

/* "" if it can't be told. A long one loses its begin. */
static void find_path(struct namer *namer, struct scrub_finding *finding,
		      const struct line_path *path)
{
	char name[ITEM_NAME_BYTES_MAX + 1], text[SCRUB_PATH_BYTES];
	size_t at = sizeof(text) - 1, len_bytes;
	uint64_t inode = finding->inode;
	int depth, rc = 0;

	text[at] = '\0';
	for (depth = 0; inode != 1 && depth < DEPTH_MAX; depth++) {
		rc = name_in_store(namer->store, path, &inode, name);
		if (rc < 0)
			rc = name_in_base(namer->store, &inode, name);
		if (rc < 0)
			return;
		len_bytes = strlen(name) + (text[at] ? 1 : 0);
		if (len_bytes + 4 > at) {
			memcpy(text + (at -= 4), ".../", 4);
			break;
		}
		if (text[at])
			text[at - 1] = '/';
		memcpy(text + (at -= len_bytes), name, strlen(name));
	}
	strcpy_bounded(finding->path, text + at, sizeof(finding->path));
}

/* --- hits and findings */

static int by_place(const void *a, const void *b)
{
	const struct scrub_hit *left = a, *right = b;

	if (left->at.segment != right->at.segment)
		return left->at.segment < right->at.segment ? -1 : 1;
	if (left->at.block != right->at.block)
		return left->at.block < right->at.block ? -1 : 1;
	return 0;
}

static const struct scrub_hit *find_hit(const struct scrub_batch *batch,
					const struct slot *slot)
{
	struct scrub_hit wanted = { .at = { slot->segment, slot->block } };

	return slot->segment && batch->hit_count ?
		       bsearch(&wanted, batch->hits, batch->hit_count,
			       sizeof(batch->hits[0]), by_place) :
		       NULL;
}

/* Where rows don't agree, some are right. */
static bool is_damaged(struct namer *namer, const struct scrub_hit *hit,
		       const struct slot *slot)
{
	uint8_t data[CHUNK_BLOCKS_MAX * BLOCK_BYTES];
	unsigned blocks = slot_stored_blocks(slot);

	return hit->blocks != SCRUB_CONFLICT ||
	       log_read_blocks(namer->store->log, hit->at, data, blocks) < 0 ||
	       block_checksum(namer->store->seed, data,
			      (size_t)blocks * BLOCK_BYTES) != slot->sum;
}

/* NULL: no memory, or there are too many (*out_rc 0). */
static struct scrub_finding *new_finding(struct namer *namer, int *out_rc)
{
	struct named *named;

	*out_rc = 0;
	if (namer->count == NAMED_MAX) {
		namer->batch->hits_lost++;
		return NULL;
	}
	if (namer->count == namer->capacity) {
		size_t capacity = namer->capacity ? namer->capacity * 2 : 16;
		void *grown =
			realloc(namer->list, capacity * sizeof(namer->list[0]));

		*out_rc = -ENOMEM;
		if (!grown)
			return NULL;
		*out_rc = 0;
		namer->list = grown;
		namer->capacity = capacity;
	}
	named = &namer->list[namer->count++];
	*named = (struct named){ .row_nr = namer->row_nr };
	return &named->finding;
}

/* Who sees the row, and where the file is; find_viewers was called. */
static void fill_in(struct namer *namer, struct scrub_finding *finding)
{
	const struct viewer *viewer = &namer->viewers[namer->first_viewer];

	finding->inode = namer->key.inode;
	finding->others = namer->seen_by - 1;
	strcpy_bounded(finding->branch, viewer->branch,
		       sizeof(finding->branch));
	strcpy_bounded(finding->snapshot, viewer->snapshot,
		       sizeof(finding->snapshot));
	if (namer->store->is_tree)
		find_path(namer, finding, viewer->path);
}

/* Another version of the window had this very block. */
static bool is_known(struct namer *namer, const struct slot *slot,
		     uint64_t offset_bytes)
{
	size_t i;

	for (i = namer->window_begin; i < namer->count; i++) {
		struct named *named = &namer->list[i];
		const struct scrub_finding *f = &named->finding;

		if (f->segment != slot->segment || f->block > slot->block ||
		    slot->block >= f->block + f->blocks ||
		    offset_bytes < f->offset_bytes ||
		    offset_bytes >= f->offset_bytes + f->len_bytes)
			continue;
		if (named->row_nr != namer->row_nr) {
			named->finding.others += namer->seen_by;
			named->row_nr = namer->row_nr;
		}
		return true;
	}
	return false;
}

/* It follows what was added last, in the file and in the segment. */
static bool extends(struct namer *namer, const struct slot *slot,
		    enum scrub_kind kind, uint64_t offset_bytes)
{
	struct named *named = namer->count > namer->window_begin ?
				      &namer->list[namer->count - 1] :
				      NULL;
	struct scrub_finding *f = named ? &named->finding : NULL;

	if (!f || named->row_nr != namer->row_nr || f->kind != kind ||
	    f->segment != slot->segment ||
	    f->offset_bytes + f->len_bytes != offset_bytes ||
	    slot->block < f->block || slot->block > f->block + f->blocks)
		return false;
	if (slot->block == f->block + f->blocks)
		f->blocks += slot_stored_blocks(slot);
	f->len_bytes += BLOCK_BYTES;
	return true;
}

static int name_slot(struct namer *namer, const struct scrub_hit *hit,
		     const struct slot *slot)
{
	uint64_t offset_bytes = namer->key.window * WINDOW_BYTES +
				(uint64_t)slot->first * BLOCK_BYTES;
	struct scrub_finding *finding;
	int rc;

	if (!is_damaged(namer, hit, slot) ||
	    is_known(namer, slot, offset_bytes) ||
	    extends(namer, slot, hit->kind, offset_bytes))
		return 0;
	finding = new_finding(namer, &rc);
	if (!finding)
		return rc;
	finding->kind = hit->kind;
	finding->segment = slot->segment;
	finding->block = slot->block;
	finding->blocks = slot_stored_blocks(slot);
	finding->offset_bytes = offset_bytes;
	finding->len_bytes = BLOCK_BYTES;
	fill_in(namer, finding);
	return 0;
}

static int name_row(struct namer *namer, size_t slot_count)
{
	bool is_looked_up = false;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < slot_count; i++) {
		const struct scrub_hit *hit =
			find_hit(namer->batch, &namer->slots[i]);

		if (!hit)
			continue;
		if (!is_looked_up)
			rc = find_viewers(namer);
		is_looked_up = true;
		if (rc == 0 && namer->seen_by == 0)
			return 0; /* about to be dropped */
		if (rc == 0)
			rc = name_slot(namer, hit, &namer->slots[i]);
	}
	return rc;
}

static int name_all_rows(struct namer *namer)
{
	struct store *store = namer->store;
	struct window_key key = { 0 };
	size_t row_bytes, slot_count;
	int rc;

	while ((rc = index_window_scan(store->index, &key, namer->row,
				       &row_bytes)) == 0) {
		rc = window_decode(store->seed, &key, namer->row, row_bytes,
				   namer->slots, &slot_count);
		if (rc < 0)
			continue;
		if (key.inode != namer->key.inode ||
		    key.window != namer->key.window)
			namer->window_begin = namer->count;
		namer->key = key;
		namer->row_nr++;
		rc = name_row(namer, slot_count);
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

/* Headers and records. */
static int name_metadata(struct namer *namer)
{
	const struct scrub_batch *batch = namer->batch;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < batch->hit_count; i++) {
		const struct scrub_hit *hit = &batch->hits[i];
		bool is_records = hit->kind == SCRUB_KIND_RECORDS;
		struct scrub_finding *finding;

		if (!is_records && hit->at.block != 0)
			continue;
		finding = new_finding(namer, &rc);
		if (!finding)
			return rc;
		finding->kind = hit->kind;
		finding->segment = hit->at.segment;
		finding->block = hit->at.block;
		finding->blocks = 1;
	}
	return rc;
}

static int name_bad_rows(struct namer *namer)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < namer->batch->bad_row_count; i++) {
		struct scrub_finding *finding;

		namer->key = namer->batch->bad_rows[i];
		rc = find_viewers(namer);
		if (rc < 0 || namer->seen_by == 0)
			continue;
		finding = new_finding(namer, &rc);
		if (!finding)
			return rc;
		finding->kind = SCRUB_KIND_ROW;
		finding->offset_bytes = namer->key.window * WINDOW_BYTES;
		finding->len_bytes = WINDOW_BYTES;
		fill_in(namer, finding);
	}
	return rc;
}

static int name_all(struct namer *namer)
{
	struct scrub_batch *batch = namer->batch;
	int rc = 0;

	/* What was freed meanwhile is in no row then. */
	if (!atomic_load(&namer->store->failed))
		rc = store_checkpoint(namer->store);
	if (rc == 0)
		rc = list_viewers(namer);
	if (batch->hit_count > 0)
		qsort(batch->hits, batch->hit_count, sizeof(batch->hits[0]),
		      by_place);
	if (rc == 0)
		rc = name_metadata(namer);
	if (rc == 0)
		rc = name_bad_rows(namer);
	namer->key = (struct window_key){ 0 };
	namer->window_begin = namer->count;
	return rc < 0 ? rc : name_all_rows(namer);
}

int scrub_name_hits(struct scrub_batch *batch)
{
	struct namer namer = { .batch = batch, .store = batch->scrub->store };
	size_t i;
	int rc = -ENOMEM;

	if (batch->hit_count == 0 && batch->bad_row_count == 0)
		return 0;
	namer.row = malloc(WINDOW_ROW_BYTES_MAX);
	namer.other_row = malloc(WINDOW_ROW_BYTES_MAX);
	namer.slots = calloc(WINDOW_BLOCKS, sizeof(namer.slots[0]));
	if (namer.row && namer.other_row && namer.slots)
		rc = name_all(&namer);
	for (i = 0; rc == 0 && i < namer.count; i++)
		rc = scrub_add(batch->scrub, &namer.list[i].finding);
	if (rc == 0)
		batch->hit_count = batch->bad_row_count = 0;
	for (i = 0; i < namer.viewer_count; i++)
		line_path_put(namer.viewers[i].path);
	free(namer.viewers);
	free(namer.list);
	free(namer.row);
	free(namer.other_row);
	free(namer.slots);
	return rc;
}
