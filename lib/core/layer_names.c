/*
 * Names that base gives to what a branch has changed are written down before
 * its layers change.
 *
 * I1: under the stack as it is, a name that is added is the one that base
 *     shows; so a crash in the midst, or a stack that stays, does no harm.
 * I2: who has names of the store in it has an item: else nobody looks for
 *     them (tree_lookup.c).
 *
 * Of a file with several names in base only the one is kept by which it was
 * first changed: the others are where nobody knows without looking through
 * the whole layer.
 */
#include "hash.h"
#include "layer_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "items.h"
#include "layers.h"
#include "store_layers.h"

enum {
	KIND_SHIFT = 12,
	KIND_DIRECTORY = S_IFDIR >> KIND_SHIFT,
	BATCH_ENTRIES = 256,
	DEPTH_MAX = 100000,
};

/* An inode of base with an item. */
struct changed {
	uint64_t inode, parent;
	uint32_t kind, nlink;
};

/* A directory that such a one is in, in base. */
struct directory {
	uint64_t inode;
	struct directory *parent; /* NULL: the root */
	bool has_item;
	bool is_named; /* it has its name from the store */
	bool is_there; /* neither it nor one above was removed */
	uint32_t layer;
	int64_t mtime_ns, ctime_ns; /* when it was first needed */
	UT_hash_handle hh;
	char name[ITEM_NAME_BYTES_MAX + 1];
};

struct keeper {
	struct view *view;
	struct changed *changed;
	size_t count, capacity;
	struct directory *directories;
	struct batch batch;
	unsigned entries; /* in it */
	/* Where attributes are read: the stack, or one layer. */
	struct base_node *roots[LAYER_ID_MAX + 1];
	bool tried[LAYER_ID_MAX + 1];
};

/* --- what is known --- */

static int origin_of(struct keeper *keeper, uint64_t inode,
		     struct origin_item *origin, char *name)
{
	const struct item_key key = { .inode = inode,
				      .type = ITEM_TYPE_ORIGIN };
	AUTO_FREE struct item_copy *copy = NULL;
	int rc = view_item_get(keeper->view, &key, &copy);

	if (rc == 0)
		rc = origin_item_decode(copy->payload, copy->payload_bytes,
					origin);
	if (rc < 0)
		return rc;
	memcpy(name, origin->name, origin->name_bytes);
	name[origin->name_bytes] = '\0';
	return 0;
}

static struct item_key name_key(uint64_t directory, const char *name)
{
	return (struct item_key){ .inode = directory,
				  .type = ITEM_TYPE_DIRENT,
				  .name = name,
				  .name_bytes = strlen(name) };
}

/* What the store says of a name: -ENOENT: nothing. 0: a whiteout. */
static int named_inode(struct keeper *keeper, uint64_t directory,
		       const char *name, uint64_t *out_inode)
{
	const struct item_key key = name_key(directory, name);
	AUTO_FREE struct item_copy *copy = NULL;
	struct dirent_item dirent;
	int rc = view_item_get(keeper->view, &key, &copy);

	if (rc == 0)
		rc = dirent_item_decode(copy->payload, copy->payload_bytes,
					&dirent);
	if (rc == 0)
		*out_inode = dirent.inode;
	return rc;
}

static int see_item(void *context, const uint8_t *bytes, size_t key_bytes,
		    const struct item_copy *copy)
{
	struct keeper *keeper = context;
	struct inode_item item;
	struct item_key key;
	int rc = item_key_decode(bytes, key_bytes, &key);

	if (rc < 0 || key.type != ITEM_TYPE_INODE)
		return rc;
	rc = inode_item_decode(copy->payload, copy->payload_bytes, &item);
	if (rc < 0 || item.nlink == 0)
		return rc;
	if (keeper->count == keeper->capacity) {
		size_t capacity = keeper->capacity ? keeper->capacity * 2 : 256;
		void *more = reallocarray(keeper->changed, capacity,
					  sizeof(*keeper->changed));

		if (!more)
			return -ENOMEM;
		keeper->changed = more;
		keeper->capacity = capacity;
	}
	keeper->changed[keeper->count++] = (struct changed){
		.inode = key.inode,
		.parent = item.parent,
		.kind = item.mode >> KIND_SHIFT,
		.nlink = item.nlink,
	};
	return 0;
}

static int collect(struct keeper *keeper)
{
	struct store *store = keeper->view->store;
	size_t i, count = atomic_load(&store->layer_count);
	struct line_path *path;
	int rc = 0;

	mutex_lock(&store->map_lock);
	path = line_path_get(keeper->view->path);
	mutex_unlock(&store->map_lock);
	for (i = 0; rc == 0 && i < count; i++) {
		/* The first bytes of an inode's number in a key. */
		const uint8_t prefix[] = {
			0, 0, (uint8_t)store->layer_rows[i].layer
		};

		rc = items_scan(store, path, prefix, sizeof(prefix), see_item,
				keeper);
	}
	line_path_put(path);
	return rc;
}

/* --- directories --- */

static struct directory *known_directory(struct keeper *keeper, uint64_t inode)
{
	struct directory *directory;

	HASH_FIND(hh, keeper->directories, &inode, sizeof(inode), directory);
	return directory;
}

/* As yet without a parent. */
static int add_directory(struct keeper *keeper, uint64_t inode,
			 struct directory **out_directory, uint64_t *out_parent)
{
	AUTO_FREE struct directory *directory = calloc(1, sizeof(*directory));
	struct origin_item origin = { .parent = 0 };
	struct inode_item item;
	int rc = directory ? 0 : -ENOMEM;

	if (rc == 0 && inode != ROOT_INODE)
		rc = origin_of(keeper, inode, &origin, directory->name);
	if (rc < 0)
		return rc;
	rc = view_inode_get(keeper->view, inode, &item);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	directory->inode = inode;
	directory->has_item = rc == 0;
	directory->is_there = inode == ROOT_INODE || rc == 0;
	directory->layer = base_number_layer(inode);
	directory->mtime_ns = origin.mtime_ns;
	directory->ctime_ns = origin.ctime_ns;
	*out_parent = origin.parent;
	*out_directory = directory;
	HASH_ADD(hh, keeper->directories, inode, sizeof(directory->inode),
		 directory);
	if (!directory->hh.tbl)
		return -ENOMEM;
	TAKE_PTR(directory);
	return 0;
}

/* Below: its parent is known now. */
static int settle_directory(struct keeper *keeper, struct directory *directory)
{
	uint64_t inode = 0;
	int rc;

	if (!directory->parent)
		return 0;
	rc = named_inode(keeper, directory->parent->inode, directory->name,
			 &inode);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	directory->is_named = rc == 0;
	/* With an item it is somewhere. */
	if (!directory->has_item)
		directory->is_there =
			directory->parent->is_there &&
			(rc == -ENOENT || inode == directory->inode);
	return 0;
}

static int find_directory(struct keeper *keeper, uint64_t inode,
			  struct directory **out_directory)
{
	struct directory *below = NULL, *directory, *first = NULL;
	unsigned depth = 0;
	int rc = 0;

	/* Up, each with the one below it as its parent for now, */
	while (rc == 0 && !(directory = known_directory(keeper, inode))) {
		rc = add_directory(keeper, inode, &directory, &inode);
		if (rc < 0)
			return rc;
		first = first ? first : directory;
		directory->parent = below;
		below = directory;
		if (directory->inode == ROOT_INODE || ++depth > DEPTH_MAX)
			break;
	}
	if (below == directory) { /* it is the root */
		below = directory->parent;
		directory->parent = NULL;
	}
	*out_directory = first ? first : directory;
	/* and down again. */
	while (rc == 0 && below) {
		struct directory *next = below->parent;

		below->parent = directory;
		rc = settle_directory(keeper, below);
		directory = below;
		below = next;
	}
	return rc;
}

/* --- attributes --- */

void inode_item_of_base(const struct base_stat *seen,
			struct inode_item *out_item)
{
	const struct stat *st = &seen->stat;
	bool is_file = S_ISREG(st->st_mode);

	*out_item = (struct inode_item){
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.nlink = (uint32_t)st->st_nlink,
		.size_bytes = (uint64_t)st->st_size,
		.base_visible_bytes = is_file ? (uint64_t)st->st_size : 0,
		.atime_ns = (int64_t)st->st_atim.tv_sec * 1000000000 +
			    st->st_atim.tv_nsec,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 +
			    st->st_mtim.tv_nsec,
		.ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 +
			    st->st_ctim.tv_nsec,
		.btime_ns = seen->btime_ns,
		.rdev = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ?
				st->st_rdev :
				0,
	};
}

/* layer 0: the whole stack. NULL: it is not to be had. */
static struct base_node *root_of(struct keeper *keeper, uint32_t layer)
{
	struct failure ignored = { .code = FAILURE_NONE };
	struct layers *layers = NULL;
	struct base_stat stat;
	int rc;

	if (keeper->tried[layer])
		return keeper->roots[layer];
	keeper->tried[layer] = true;
	rc = layer ? store_open_layer(keeper->view->store, layer, NULL, &layers,
				      &ignored) :
		     view_open_layers(keeper->view, &layers, &ignored);
	if (rc == 0)
		rc = base_root(layers, &keeper->roots[layer], &stat);
	layers_put(layers);
	return rc == 0 ? keeper->roots[layer] : NULL;
}

static int stat_below(struct base_node *root, const struct directory *directory,
		      struct base_stat *out_stat)
{
	const struct directory *at;
	struct base_node *node = root ? base_node_get(root) : NULL, *child;
	const char **names = NULL;
	size_t count = 0;
	int rc = node ? base_stat(node, out_stat) : -ENOENT;

	for (at = directory; at->parent; at = at->parent)
		count++;
	if (rc == 0)
		names = calloc(count + 1, sizeof(*names));
	if (rc == 0 && !names)
		rc = -ENOMEM;
	for (at = directory; rc == 0 && at->parent; at = at->parent)
		names[--count] = at->name;
	while (rc == 0 && names[count]) {
		rc = base_lookup(node, names[count++], &child, out_stat);
		if (rc < 0)
			break;
		base_node_put(node);
		node = child;
	}
	base_node_put(node);
	free(names);
	return rc == 0 && !S_ISDIR(out_stat->stat.st_mode) ? -ENOTDIR : rc;
}

/* Its layer may be missing: then nobody but root may look into it. */
static int attributes_of(struct keeper *keeper,
			 const struct directory *directory,
			 struct inode_item *out_item)
{
	struct base_stat stat;
	int rc = stat_below(root_of(keeper, 0), directory, &stat);

	if (rc < 0 && rc != -ENOMEM && directory->layer)
		rc = stat_below(root_of(keeper, directory->layer), directory,
				&stat);
	if (rc == -ENOMEM)
		return rc;
	if (rc == 0)
		inode_item_of_base(&stat, out_item);
	else
		*out_item = (struct inode_item){
			.mode = S_IFDIR | 0700,
			.atime_ns = directory->mtime_ns,
			.mtime_ns = directory->mtime_ns,
			.ctime_ns = directory->ctime_ns,
		};
	out_item->nlink = 1; /* nobody counts them */
	out_item->parent = directory->parent ? directory->parent->inode :
					       ROOT_INODE;
	return 0;
}

/* --- what is written --- */

static int flush(struct keeper *keeper)
{
	struct view *view = keeper->view;
	struct view_edit edit;
	int rc;

	if (keeper->entries == 0)
		return 0;
	view_edit_wait(view);
	rc = view_edit_begin(view, &edit);
	if (rc < 0)
		return rc;
	mutex_assert_held(&view->store->order_lock);
	edit.batch = keeper->batch;
	memset(&keeper->batch, 0, sizeof(keeper->batch));
	keeper->entries = 0;
	if (view->references > 1) {
		view_edit_abort(&edit);
		return -EBUSY;
	}
	return view_edit_commit(&edit);
}

static int put(struct keeper *keeper, const struct item_key *key,
	       const void *payload, size_t payload_bytes)
{
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	int rc = item_edits_add(&keeper->batch, bytes,
				item_key_encode(key, bytes), payload,
				payload_bytes);

	if (rc < 0)
		return rc;
	return ++keeper->entries < BATCH_ENTRIES ? 0 : flush(keeper);
}

static int put_inode(struct keeper *keeper, uint64_t inode,
		     const struct inode_item *item)
{
	const struct item_key key = { .inode = inode, .type = ITEM_TYPE_INODE };
	uint8_t payload[INODE_ITEM_BYTES];

	return put(keeper, &key, payload, inode_item_encode(item, payload));
}

static int put_name(struct keeper *keeper, uint64_t directory, const char *name,
		    uint64_t inode, uint32_t kind)
{
	const struct item_key key = name_key(directory, name);
	const struct dirent_item dirent = { inode, (uint8_t)kind };
	uint8_t payload[DIRENT_ITEM_BYTES];

	return put(keeper, &key, payload, dirent_item_encode(&dirent, payload));
}

/* I2, of the directory and all above it. */
static int need_items(struct keeper *keeper, struct directory *directory)
{
	struct inode_item item;
	int rc = 0;

	for (; rc == 0 && directory && !directory->has_item;
	     directory = directory->parent) {
		rc = attributes_of(keeper, directory, &item);
		if (rc == 0)
			rc = put_inode(keeper, directory->inode, &item);
		if (rc == 0 && directory->parent && !directory->is_named)
			rc = put_name(keeper, directory->parent->inode,
				      directory->name, directory->inode,
				      KIND_DIRECTORY);
		directory->has_item = true;
		directory->is_named = true;
	}
	return rc;
}

/* How many directories are in one is another matter in another stack. */
static int forget_links(struct keeper *keeper, uint64_t inode)
{
	struct inode_item item;
	int rc = view_inode_get(keeper->view, inode, &item);

	if (rc < 0 || item.nlink < 2)
		return rc == -ENOENT ? 0 : rc;
	item.nlink = 1;
	return put_inode(keeper, inode, &item);
}

static int keep_one(struct keeper *keeper, const struct changed *changed)
{
	struct directory *directory;
	struct origin_item origin;
	char name[ITEM_NAME_BYTES_MAX + 1];
	uint64_t inode;
	int rc = 0;

	if (changed->kind == KIND_DIRECTORY && changed->nlink > 1)
		rc = forget_links(keeper, changed->inode);
	if (rc == 0)
		rc = origin_of(keeper, changed->inode, &origin, name);
	if (rc < 0) /* without one it is never looked for */
		return rc == -ENOENT ? 0 : rc;
	if (changed->kind == KIND_DIRECTORY && changed->parent != origin.parent)
		return 0;
	rc = named_inode(keeper, origin.parent, name, &inode);
	if (rc != -ENOENT) /* the store says what is there */
		return rc;
	rc = find_directory(keeper, origin.parent, &directory);
	if (rc < 0 || !directory->is_there)
		return rc == -ENOENT ? 0 : rc;
	rc = need_items(keeper, directory);
	if (rc == 0)
		rc = put_name(keeper, origin.parent, name, changed->inode,
			      changed->kind);
	return rc;
}

static void fini(struct keeper *keeper)
{
	struct directory *directory, *next;
	size_t i;

	HASH_ITER(hh, keeper->directories, directory, next)
	{
		HASH_DEL(keeper->directories, directory);
		free(directory);
	}
	for (i = 0; i <= LAYER_ID_MAX; i++)
		base_node_put(keeper->roots[i]);
	item_edits_fini(&keeper->batch);
	free(keeper->changed);
	free(keeper);
}

int layer_names_keep(struct view *view, struct failure *failure)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	size_t i;
	int rc = keeper ? 0 : -ENOMEM;

	if (rc == 0) {
		keeper->view = view;
		rc = collect(keeper);
	}
	for (i = 0; rc == 0 && i < keeper->count; i++)
		rc = keep_one(keeper, &keeper->changed[i]);
	if (rc == 0)
		rc = forget_links(keeper, ROOT_INODE);
	if (rc == 0)
		rc = flush(keeper);
	if (keeper)
		fini(keeper);
	return rc == 0 || rc == -EBUSY ?
		       rc :
		       failure_errno(failure, rc, NULL,
				     "can't keep the names of what was "
				     "changed");
}
