/* Making a new store: nothing is left behind when it fails. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "io.h"
#include "layers.h"
#include "new_layer.h"
#include "store_impl.h"

static void remove_store(int directory_fd, const char *path)
{
	static const char *const files[] = {
		"segments/00000001.seg",
		"index.db",
		"index.db-wal",
		"index.db-journal",
		"index.bak",
		"index.bak.tmp",
		"index.bak.tmp-journal",
		"store.conf",
		"store.conf.tmp",
		"lock",
	};
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)!io_unlink(directory_fd, files[i]);
	(void)!io_remove_directory(directory_fd, "segments");
	(void)!io_remove_directory(AT_FDCWD, path);
}

/* The directories of a new tree. */
struct new_layers {
	struct base_row *rows;
	size_t count;
};

/* Segment 1 begins with its header and the first record block. */
static int put_segment(struct index *index)
{
	uint8_t live[SEGMENT_BITMAP_BYTES] = { 3 };
	struct segment_row row = {
		.id = 1,
		.used_blocks = 2,
		.metadata_blocks = 2,
		.live = live,
	};

	return index_segment_put(index, &row);
}

static int put_item(struct index *index, uint64_t seed,
		    const struct item_key *key, const void *payload,
		    size_t payload_bytes)
{
	const struct item_version version = { 1, 1 };
	uint8_t bytes[ITEM_KEY_BYTES_MAX], value[1024];
	struct item_identity identity = { bytes, item_key_encode(key, bytes),
					  version.line, version.gen };

	return index_item_put(index, bytes, identity.key_bytes, &version, value,
			      item_value_encode(seed, &identity, payload,
						payload_bytes, value));
}

static int put_inode(struct index *index, uint64_t seed, uint64_t inode,
		     const struct inode_item *item)
{
	const struct item_key key = { .inode = inode, .type = ITEM_TYPE_INODE };
	uint8_t payload[INODE_ITEM_BYTES];

	return put_item(index, seed, &key, payload,
			inode_item_encode(item, payload));
}

/* An image store is a tree with one file. */
static int put_image(struct index *index, uint64_t seed,
		     const struct base *base, uint64_t size_bytes)
{
	int64_t now = store_realtime_ns();
	uint64_t base_bytes = base ? base_fingerprint(base)->size_bytes : 0;
	const struct item_key key = {
		.inode = ROOT_INODE,
		.type = ITEM_TYPE_DIRENT,
		.name = "image",
		.name_bytes = 5,
	};
	const struct dirent_item dirent = { IMAGE_INODE, S_IFREG >> 12 };
	struct inode_item item = {
		.mode = S_IFDIR | 0755,
		.uid = geteuid(),
		.gid = getegid(),
		.nlink = 2,
		.atime_ns = now,
		.mtime_ns = now,
		.ctime_ns = now,
		.btime_ns = now,
		.parent = ROOT_INODE,
	};
	uint8_t payload[DIRENT_ITEM_BYTES];
	int rc = put_inode(index, seed, ROOT_INODE, &item);

	item.mode = S_IFREG | 0600;
	item.nlink = 1;
	item.size_bytes = size_bytes;
	item.base_visible_bytes = base_bytes < size_bytes ? base_bytes :
							    size_bytes;
	item.parent = 0;
	if (rc == 0)
		rc = put_inode(index, seed, IMAGE_INODE, &item);
	if (rc == 0)
		rc = put_item(index, seed, &key, payload,
			      dirent_item_encode(&dirent, payload));
	return rc;
}

static int put_tree(struct index *index, uint64_t seed,
		    const struct new_layers *layers)
{
	const struct item_key key = { .type = ITEM_TYPE_STACK };
	struct stack_item stack = { .count = (uint32_t)layers->count };
	uint8_t payload[STACK_ITEM_BYTES_MAX];
	size_t i;
	int rc = 0;

	for (i = 0; i < layers->count && rc == 0; i++) {
		const struct base_row *row = &layers->rows[i];

		stack.layers[i] = row->layer;
		rc = index_base_put(index, row->layer, row->name,
				    &row->fingerprint);
	}
	return rc < 0 ? rc :
			put_item(index, seed, &key, payload,
				 stack_item_encode(&stack, payload));
}

static int put_history(struct index *index, const char *branch_name)
{
	struct line_row line = { .id = 1, .first_gen = 1 };
	struct branch_row branch = {
		.id = 1,
		.line = 1,
		.gen = 1,
		.created_ns = store_realtime_ns(),
	};
	const char *const counters[] = { "next_line", "next_gen",
					 "next_branch" };
	size_t i;
	int rc = index_line_put(index, &line);

	strcpy_bounded(branch.name, branch_name, sizeof(branch.name));
	if (rc == 0)
		rc = index_branch_put(index, &branch);
	for (i = 0; i < 3 && rc == 0; i++)
		rc = index_meta_put(index, counters[i], 2);
	if (rc == 0)
		rc = index_meta_put(index, "next_snapshot", 1);
	if (rc == 0)
		rc = index_meta_put(index, "next_operation", 1);
	if (rc == 0)
		rc = index_meta_put(index, "next_inode", FIRST_NEW_INODE);
	return rc;
}

static int fill_index(struct index *index, const struct log_params *log,
		      const struct log_position *position,
		      const struct base *base, uint64_t size_bytes,
		      const struct new_layers *layers, const char *branch)
{
	int rc = index_meta_put_blob(index, "uuid", log->uuid,
				     sizeof(log->uuid));

	if (rc == 0)
		rc = index_meta_put(index, "seed", (int64_t)log->seed);
	if (rc == 0)
		rc = meta_put_position(index, position);
	if (rc == 0)
		rc = index_meta_put(index, "clean", 1);
	if (rc == 0)
		rc = index_meta_put(index, "backup_lsn", 0);
	if (rc == 0 && base)
		rc = index_base_put(index, 0, "", base_fingerprint(base));
	if (rc == 0)
		rc = layers->count ?
			     put_tree(index, log->seed, layers) :
			     put_image(index, log->seed, base, size_bytes);
	if (rc == 0)
		rc = put_history(index, branch);
	if (rc == 0)
		rc = put_segment(index);
	return rc < 0 ? rc : index_commit(index);
}

/* On a small file system the usual reserve would leave no room for data. */
static void fit_reserve(int directory_fd, struct store_config *config)
{
	struct statvfs vfs;
	uint64_t most;

	if (fstatvfs(directory_fd, &vfs) < 0)
		return;
	most = (uint64_t)vfs.f_blocks * vfs.f_frsize / 16;
	if (config->reserve_bytes > most)
		config->reserve_bytes = most & ~(uint64_t)0xfffff;
}

/* All or none. */
static int hold_layers(const struct store_create_params *params,
		       const struct new_layers *layers, const uint8_t *uuid,
		       struct failure *failure)
{
	struct failure ignored = { .code = FAILURE_NONE };
	char path[PATH_MAX];
	size_t i;
	int rc = realpath(params->path, path) ? 0 : -errno;

	for (i = 0; i < layers->count && rc == 0; i++)
		rc = new_layer_hold(&layers->rows[i], params->source, path,
				    uuid, true, failure);
	while (rc < 0 && i-- > 1)
		(void)!new_layer_hold(&layers->rows[i - 1], params->source,
				      path, uuid, false, &ignored);
	return rc;
}

static int make_files(const struct store_create_params *params,
		      int directory_fd, const struct base *base,
		      uint64_t size_bytes, const struct new_layers *layers,
		      struct failure *failure)
{
	struct store_config config = params->config;
	struct log_params log = { 0 };
	struct log_position position;
	AUTO_CLOSE int segments_fd = -1;
	struct index *index = NULL;
	int rc;

	rc = io_make_directory(directory_fd, "segments");
	if (rc < 0)
		return rc;
	segments_fd = openat(directory_fd, "segments",
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (segments_fd < 0)
		return -errno;
	if (getrandom(log.uuid, sizeof(log.uuid), 0) != sizeof(log.uuid) ||
	    getrandom(&log.seed, sizeof(log.seed), 0) != sizeof(log.seed))
		return -EIO;
	log.uuid[6] = (uint8_t)((log.uuid[6] & 0x0f) | 0x40);
	log.uuid[8] = (uint8_t)((log.uuid[8] & 0x3f) | 0x80);
	log.directory_fd = segments_fd;
	fit_reserve(directory_fd, &config);
	rc = log_create(&log, &position);
	if (rc == 0)
		rc = store_write_config(directory_fd, &config);
	if (rc == 0)
		rc = index_create(params->path, failure);
	if (rc == 0)
		rc = index_open(params->path, &index, failure);
	if (rc == 0)
		rc = fill_index(index, &log, &position, base, size_bytes,
				layers,
				params->branch ? params->branch : "main");
	if (rc == 0)
		rc = index_backup(index, params->path);
	index_close(index);
	if (rc == 0)
		rc = hold_layers(params, layers, log.uuid, failure);
	return rc < 0 ? rc : io_sync_directory(directory_fd);
}

/* Where the store will be; false: mkdir says what is wrong. */
static bool find_parent(const char *path, char *out_parent)
{
	char parent[PATH_MAX];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash)
		slash[slash == parent] = '\0';
	return realpath(slash ? parent : ".", out_parent);
}

/* A store inside a store, or inside its segments, would be in its way. */
static int check_outside_stores(const char *path, struct failure *failure)
{
	char parent[PATH_MAX], found[PATH_MAX];

	if (!find_parent(path, parent) || !new_layer_in_store(parent, found))
		return 0;
	failure_set(failure, FAILURE_USAGE, path, "is inside the store %s",
		    found);
	failure_hint(failure, "choose a path outside of it");
	return -EINVAL;
}

static int add_layer(const struct store_create_params *params,
		     struct new_layers *layers, struct failure *failure)
{
	const char *spec = params->layer_paths[layers->count];
	struct base_row *row = &layers->rows[layers->count];
	char parent[PATH_MAX];
	bool named;
	size_t i;
	int rc = new_layer_find(NULL, spec, params->source, &row->fingerprint,
				failure);

	if (rc == 0)
		rc = new_layer_name(spec, layers->rows, layers->count, row,
				    &named, failure);
	row->layer = (uint32_t)layers->count + 1;
	if (rc == 0 && find_parent(params->path, parent))
		rc = new_layer_check_outside(row, parent, params->path,
					     failure);
	for (i = 0; i < layers->count && rc == 0; i++)
		if (new_layer_same(&layers->rows[i], row))
			rc = failure_set(failure, FAILURE_USAGE, spec,
					 "is given twice as a layer");
	return rc;
}

static int take_layers(const struct store_create_params *params,
		       struct new_layers *layers, struct failure *failure)
{
	int rc = 0;

	if (params->layer_count > LAYERS_MAX)
		return failure_set(failure, FAILURE_USAGE, params->path,
				   "at most %d directories can be merged",
				   LAYERS_MAX);
	layers->rows = calloc(params->layer_count + 1, sizeof(*layers->rows));
	if (!layers->rows)
		return failure_errno(failure, -ENOMEM, params->path,
				     "can't make the store");
	while (rc == 0 && layers->count < params->layer_count) {
		rc = add_layer(params, layers, failure);
		layers->count++;
	}
	return rc;
}

int store_create_layers(const struct store_create_params *params,
			struct layer_info **out_list, struct failure *failure)
{
	struct new_layers layers = { 0 };
	struct layer_info *list = NULL;
	size_t i;
	int rc = take_layers(params, &layers, failure);

	if (rc == 0)
		list = calloc(layers.count + 1, sizeof(*list));
	for (i = 0; list && i < layers.count; i++) {
		new_layer_info(&layers.rows[i], &list[i]);
		list[i].position = list[i].id;
	}
	free(layers.rows);
	if (rc == 0 && !list)
		rc = failure_errno(failure, -ENOMEM, params->path,
				   "can't make the store");
	if (rc == 0)
		*out_list = list;
	return rc;
}

static int make_directory(const struct store_create_params *params,
			  struct failure *failure)
{
	int rc = io_make_directory(AT_FDCWD, params->path);

	if (rc == 0)
		return 0;
	if (rc == -EEXIST) {
		failure_set(failure, FAILURE_EXISTS, params->path,
			    "exists already");
		failure_hint(failure, "choose another path for the store");
		return rc;
	}
	failure_errno(failure, rc, params->path, "can't make the store");
	if (rc == -ENOENT)
		failure_hint(failure, "make its parent directory first");
	return rc;
}

/* Else all of it could be gone after a power cut. Who may write to a
 * directory, but not read it, can't open it for that. */
static int sync_parent(const char *path)
{
	char parent[PATH_MAX];
	AUTO_CLOSE int fd = -1;

	if (!find_parent(path, parent))
		return -errno;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? 0 : -errno;
	return io_sync_directory(fd);
}

int store_create(const struct store_create_params *params,
		 struct failure *failure)
{
	uint64_t size_bytes = params->size_bytes;
	AUTO_CLOSE int directory_fd = -1;
	struct new_layers layers = { 0 };
	struct base *base = NULL;
	int rc = 0;

	if (params->branch)
		rc = history_check_name(params->branch, failure);
	if (rc == 0 && !params->base_path && !params->layer_count &&
	    size_bytes == 0)
		rc = failure_set(failure, FAILURE_USAGE, params->path,
				 "a store needs --base or --size");
	if (rc == 0 && params->layer_count && (params->base_path || size_bytes))
		rc = failure_set(failure, FAILURE_USAGE, params->path,
				 "a store over directories has no image, and "
				 "no size");
	if (rc == 0 && size_bytes > (uint64_t)FILE_SIZE_BYTES_MAX)
		rc = failure_set(failure, FAILURE_USAGE, params->path,
				 "the size is too large (most: 4 EiB)");
	if (rc == 0)
		rc = check_outside_stores(params->path, failure);
	if (rc == 0 && params->layer_count)
		rc = take_layers(params, &layers, failure);
	else if (rc == 0 && params->base_path)
		rc = base_open(params->base_path, params->full_hash, &base,
			       failure);
	if (rc < 0) {
		free(layers.rows);
		return rc;
	}
	if (size_bytes == 0 && base)
		size_bytes = base_fingerprint(base)->size_bytes;
	rc = make_directory(params, failure);
	if (rc == 0) {
		directory_fd =
			open(params->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = directory_fd < 0 ?
			     -errno :
			     make_files(params, directory_fd, base, size_bytes,
					&layers, failure);
		if (rc == 0)
			rc = sync_parent(params->path);
		if (rc < 0) {
			remove_store(directory_fd, params->path);
			failure_errno(failure, rc, params->path,
				      "can't make the store");
		}
	}
	base_close(base);
	free(layers.rows);
	return rc;
}
