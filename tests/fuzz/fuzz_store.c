/*
 * Two stores that have something of everything: snapshots, a clone, a rollback,
 * trash, holds, raw, compressed, shared and zero blocks, records that the
 * index does not have yet; one over an image, one over a directory.
 */
#include "fuzz_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "io.h"
#include "logging.h"
#include "tree.h"

#include "fuzz_assert.h"

enum { FILL_BYTES = 256 << 10 };
#define OK(call) FUZZ_ASSERT((call) == 0)

static const struct actor actor = { .uid = 7 };
static const char *remove_at_exit[2];

static void remove_all(void)
{
	char command[128];
	size_t i;

	for (i = 0; i < 2; i++) {
		if (!remove_at_exit[i])
			continue;
		snprintf(command, sizeof(command), "rm -rf '%s'",
			 remove_at_exit[i]);
		if (system(command) != 0)
			fprintf(stderr, "fuzz: %s stays\n", remove_at_exit[i]);
	}
}

/* Never zero; hard to compress unless the seed is 0. */
static const uint8_t *fill(uint32_t seed)
{
	static uint8_t data[FILL_BYTES];
	uint32_t x = seed * 2654435761U + 12345U;
	size_t i;

	for (i = 0; i < sizeof(data); i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		data[i] = seed ? (uint8_t)(1 + x % 255) :
				 (uint8_t)(1 + i / 512 % 7);
	}
	return data;
}

static void write_base(const char *path, uint32_t seed, size_t len_bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	FUZZ_ASSERT(fd >= 0);
	OK(io_write_all(fd, fill(seed), len_bytes, 0));
	close(fd);
}

static void make_base(const struct fuzz_store *made)
{
	char path[160], other[160];

	if (!made->is_tree) {
		write_base(made->base, 1, 200001);
		return;
	}
	OK(mkdir(made->base, 0755));
	snprintf(path, sizeof(path), "%s/d", made->base);
	OK(mkdir(path, 0755));
	snprintf(path, sizeof(path), "%s/d/f", made->base);
	write_base(path, 2, 9000);
	snprintf(other, sizeof(other), "%s/hard", made->base);
	OK(link(path, other));
	snprintf(path, sizeof(path), "%s/a", made->base);
	write_base(path, 3, 30000);
	snprintf(path, sizeof(path), "%s/gone", made->base);
	write_base(path, 4, 10);
	snprintf(path, sizeof(path), "%s/link", made->base);
	OK(symlink("d/f", path));
}

static void snapshot(struct store *store, const char *name,
		     struct snapshot_info *out_info)
{
	OK(history_snapshot(store, "main", name, "a note", SNAPSHOT_KIND_MANUAL,
			    &actor, out_info, NULL));
}

static void fill_image(struct store *store)
{
	static struct snapshot_info a, other;
	static struct branch_info clone;
	static struct rollback_result back;
	struct view *view;
	struct file *file;
	uint64_t shared;

	OK(view_open_branch(store, "main", &view, NULL));
	file = view_image(view);
	OK(file_write(file, 8192, fill(5), 60000));
	snapshot(store, "a", &a);
	OK(file_write(file, 0, fill(0), 128 << 10));
	OK(file_zero(file, 16384, 8192));
	OK(file_resize(file, 3 << 20));
	OK(file_write(file, (2 << 20) - 5000, fill(6), 20000));
	OK(history_clone(store, "main", a.id, "clone", &actor, &clone, NULL));
	OK(history_hold(store, a.id, "kept", &actor, NULL));
	snapshot(store, "trash", &other);
	OK(history_delete_snapshot(store, other.id, false, &actor, NULL));
	OK(store_checkpoint(store));
	OK(file_share(file, 8192, file, 1 << 20, 16384, &shared));
	OK(file_write(file, 40960, fill(7), 4096));
	snapshot(store, "b", &other);
	OK(history_rollback(store, "main", a.id, "", &actor, &back, NULL));
	OK(file_write(file, 4096, fill(8), 30000));
	view_put(view);
	OK(view_open_branch(store, "clone", &view, NULL));
	OK(file_write(view_image(view), 100, fill(9), 12345));
	view_put(view);
}

static struct tree_node *find(struct tree_node *parent, const char *name)
{
	struct tree_node *node;
	struct tree_attr attr;

	OK(tree_lookup(parent, name, &node, &attr));
	return node;
}

static struct tree_node *make(struct tree_node *parent, const char *name,
			      uint32_t mode, const char *target)
{
	static const struct tree_caller caller = { .uid = 7, .gid = 8 };
	struct tree_node *node;
	struct tree_attr attr;

	OK(tree_create(parent, name, mode, 0, target, &caller, &node, &attr));
	return node;
}

static void write_file(struct tree_node *node, uint32_t seed, size_t len_bytes)
{
	struct file *file;

	OK(tree_file_open(node, true, &file));
	OK(file_write(file, 100, fill(seed), len_bytes));
	tree_file_close(node);
	tree_node_put(node, 1);
}

static void change_names(struct tree_node *root)
{
	static const struct tree_caller caller = { .uid = 7, .gid = 8 };
	struct tree_node *d = find(root, "d"), *more, *node;
	struct tree_attr attr;

	write_file(find(root, "a"), 5, 9000);
	write_file(make(root, "new", S_IFREG | 0644, NULL), 0, 70000);
	OK(tree_unlink(root, "gone"));
	OK(tree_rename(root, "d", root, "e", 0, &caller));
	more = make(d, "more", S_IFDIR | 0755, NULL);
	node = make(more, "link", S_IFLNK | 0777, "../target");
	tree_node_put(node, 1);
	node = find(root, "hard");
	OK(tree_set_xattr(node, "user.key", "value", 5, 0));
	OK(tree_link(node, more, "third", &attr));
	tree_node_put(node, 1);
	tree_node_put(more, 1);
	tree_node_put(d, 1);
}

static void fill_tree(struct store *store)
{
	static struct snapshot_info info;
	struct view *view;
	struct tree *tree;
	struct tree_node *root;

	OK(view_open_branch(store, "main", &view, NULL));
	OK(tree_open(view, &tree, NULL));
	root = tree_root(tree);
	change_names(root);
	snapshot(store, "a", &info);
	OK(store_checkpoint(store));
	OK(tree_unlink(root, "new"));
	write_file(make(root, "late", S_IFREG | 04755, NULL), 6, 5000);
	snapshot(store, "b", &info);
	write_file(find(root, "a"), 7, 20000);
	tree_close(tree);
}

/* What comes last may look as if it had not been synced: nothing changes. */
static void end_log(struct store *store)
{
	static struct snapshot_info info;
	struct failure failure = { 0 };
	int i;

	OK(history_find_snapshot(store, "main", "a", &info, NULL));
	for (i = 0; i < 2; i++) {
		OK(store_sync(store));
		OK(history_hold(store, info.id, "last", &actor, &failure));
		OK(history_release(store, info.id, "last", &actor, &failure));
	}
	OK(store_sync(store));
}

static void take_file(struct fuzz_store *made, int dir_fd, const char *name)
{
	struct stored_file *file = &made->files[made->file_count++];
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;

	FUZZ_ASSERT(made->file_count < STORE_FILES_MAX);
	FUZZ_ASSERT(fd >= 0 && fstat(fd, &st) == 0);
	snprintf(file->name, sizeof(file->name), "%s", name);
	file->len_bytes = (size_t)st.st_size;
	file->bytes = malloc(file->len_bytes + 1);
	FUZZ_ASSERT(file->bytes);
	FUZZ_ASSERT(io_read_full(fd, file->bytes, file->len_bytes, 0) ==
		    st.st_size);
	close(fd);
}

static void find_records(struct fuzz_store *made, unsigned nr, size_t at_bytes)
{
	const uint8_t *block = made->files[nr].bytes + at_bytes;
	struct record_place place = { made->seed, 0, 0, 0,
				      RECORD_BLOCK_HEADER_BYTES };
	struct record_block_header header;
	struct record record;

	if (record_block_decode(made->seed, block, FORMAT_BLOCK_BYTES,
				&header) < 0)
		return;
	place.segment = header.segment;
	place.epoch = header.epoch;
	place.block = header.block;
	while (made->record_count < STORE_RECORDS_MAX &&
	       record_decode(&place, block + place.offset,
			     FORMAT_BLOCK_BYTES - place.offset, &record) == 0) {
		made->records[made->record_count++] = (struct stored_record){
			.file = nr,
			.place = place,
			.at_bytes = at_bytes + place.offset,
			.len_bytes = record.record_bytes,
		};
		place.offset += (uint32_t)record.record_bytes;
	}
}

void fuzz_store_take(struct fuzz_store *made)
{
	static const char *const names[] = { "index.db", "index.db-wal",
					     "index.bak", "store.conf" };
	int dir_fd = open(made->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct segment_header header;
	char name[64];
	unsigned nr, at;

	FUZZ_ASSERT(dir_fd >= 0);
	made->file_count = made->record_count = 0;
	for (nr = 1; nr < 8; nr++) {
		snprintf(name, sizeof(name), "segments/%08x.seg", nr);
		if (faccessat(dir_fd, name, F_OK, 0) == 0)
			take_file(made, dir_fd, name);
	}
	FUZZ_ASSERT(made->file_count > 0);
	OK(segment_header_decode(made->files[0].bytes, made->files[0].len_bytes,
				 &header));
	made->seed = header.seed;
	for (nr = 0; nr < made->file_count; nr++)
		for (at = 1;
		     (at + 1) * FORMAT_BLOCK_BYTES <= made->files[nr].len_bytes;
		     at++)
			find_records(made, nr, at * FORMAT_BLOCK_BYTES);
	for (nr = 0; nr < sizeof(names) / sizeof(names[0]); nr++)
		if (faccessat(dir_fd, names[nr], F_OK, 0) == 0)
			take_file(made, dir_fd, names[nr]);
	close(dir_fd);
}

void fuzz_store_new(struct fuzz_store *made, bool is_tree)
{
	struct store_create_params params = { .path = made->path };
	const char *layers[] = { made->base };
	struct store *store;

	log_set_level((enum log_level)0);
	snprintf(made->directory, sizeof(made->directory),
		 "%s/cowd-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	FUZZ_ASSERT(mkdtemp(made->directory));
	if (!remove_at_exit[!is_tree])
		atexit(remove_all);
	remove_at_exit[is_tree] = made->directory;
	snprintf(made->path, sizeof(made->path), "%s/s", made->directory);
	snprintf(made->base, sizeof(made->base), "%s/base", made->directory);
	made->is_tree = is_tree;
	make_base(made);
	config_defaults(&params.config);
	params.config.compress = COMPRESS_MODE_INLINE;
	params.config.reserve_bytes = 0;
	params.config.checkpoint_every_ns = UINT64_C(3600000000000);
	params.base_path = is_tree ? NULL : made->base;
	params.layer_paths = layers;
	params.layer_count = is_tree ? 1 : 0;
	OK(store_create(&params, NULL));
	OK(store_open(made->path, NULL, &store, NULL));
	if (is_tree)
		fill_tree(store);
	else
		fill_image(store);
	end_log(store);
	store_abandon(store);
	fuzz_store_take(made);
}

/* All that is in a directory, but for directories. */
static void empty(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	FUZZ_ASSERT(directory);
	while ((entry = readdir(directory)))
		if (entry->d_type != DT_DIR)
			unlinkat(fd, entry->d_name, 0);
	closedir(directory);
}

void fuzz_store_put_back(const struct fuzz_store *made)
{
	int dir_fd = open(made->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t i;

	FUZZ_ASSERT(dir_fd >= 0);
	empty(dir_fd, ".");
	empty(dir_fd, "segments");
	for (i = 0; i < made->file_count; i++) {
		const struct stored_file *file = &made->files[i];
		int fd = openat(dir_fd, file->name,
				O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		FUZZ_ASSERT(fd >= 0);
		OK(io_write_all(fd, file->bytes, file->len_bytes, 0));
		close(fd);
	}
	close(dir_fd);
}
