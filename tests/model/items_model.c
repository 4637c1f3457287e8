/*
 * Model test of items and of many inodes: random batches of edits and writes
 * to a few files, on branches with all that history can do to them.
 *
 *   items_model [SEED [OPERATIONS]]
 *
 * Every branch and snapshot must show its model's items, by look-ups and by
 * scans. At the end, when one branch is left, the index has the rows that it
 * needs and no other.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "items_model.h"
#include "model.h"

enum {
	FILES = 4,
	BLOCKS = 5,
	FIRST_FILE_INODE = 100,
	EDITS_MAX = 8,
};

/* Of two windows and more. */
static const uint64_t block_nrs[BLOCKS] = { 0, 1, 511, 512, 1300 };

struct model_file {
	uint64_t inode; /* 0: there is none */
	uint64_t size_bytes;
	uint32_t mode;
	uint8_t blocks[BLOCKS]; /* the byte that each is full of */
};

struct tree {
	uint64_t values[KEYS]; /* what the payload is made from; 0: absent */
	struct model_file files[FILES];
};

static uint64_t facts[FACTS]; /* nothing brings an older one back */
static uint64_t last_inode = FIRST_FILE_INODE;

/* A file that stays open while other things happen. */
static struct {
	struct view *view;
	struct file *file;
} held;

static struct tree *tree_of(const struct image *image)
{
	return (struct tree *)(void *)image->data;
}

void copy_image(struct image *to, const struct image *from)
{
	if (!to->data)
		to->data = malloc(sizeof(struct tree));
	memcpy(to->data, from->data, sizeof(struct tree));
	to->size = from->size;
}

static struct line_path *path_of(struct view *view)
{
	struct line_path *path;

	mutex_lock(&store->map_lock);
	path = line_path_get(view->path);
	mutex_unlock(&store->map_lock);
	return path;
}

static void check_found(const struct line_path *path, const struct key *key,
			uint64_t value)
{
	AUTO_FREE struct item_copy *copy = NULL;
	int rc = items_find(store, path, key->bytes, key->bytes_count, &copy);

	CHECK(rc == (value ? 0 : -ENOENT));
	if (value)
		check_payload(key, value, copy);
}

/* What a scan has still to show. */
struct scan_check {
	const struct tree *tree;
	const uint8_t *prefix;
	size_t prefix_bytes;
	size_t nr;
};

static void skip(struct scan_check *check)
{
	while (check->nr < KEYS &&
	       (!check->tree->values[check->nr] ||
		keys[check->nr].bytes_count < check->prefix_bytes ||
		memcmp(keys[check->nr].bytes, check->prefix,
		       check->prefix_bytes) != 0))
		check->nr++;
}

static int check_visited(void *context, const uint8_t *key, size_t key_bytes,
			 const struct item_copy *copy)
{
	struct scan_check *check = context;

	skip(check);
	CHECK(check->nr < KEYS);
	CHECK(key_bytes == keys[check->nr].bytes_count);
	CHECK(memcmp(key, keys[check->nr].bytes, key_bytes) == 0);
	check_payload(&keys[check->nr], check->tree->values[check->nr], copy);
	check->nr++;
	return 0;
}

/* All that begins as the key does, for so many bytes. */
static void check_scan(const struct line_path *path, const struct tree *tree,
		       const struct key *like, size_t prefix_bytes)
{
	struct scan_check check = { tree, like->bytes, prefix_bytes, 0 };

	CHECK(items_scan(store, path, like->bytes, prefix_bytes, check_visited,
			 &check) == 0);
	skip(&check);
	CHECK(check.nr == KEYS);
}

static struct file *get_file(struct view *view, uint64_t inode)
{
	struct file *file;

	mutex_lock(&store->order_lock);
	mutex_assert_held(&view->store->order_lock);
	CHECK(file_get_locked(view, inode, &file) == 0);
	mutex_unlock(&store->order_lock);
	return file;
}

static void put_file(struct file *file)
{
	mutex_lock(&store->order_lock);
	mutex_assert_held(&file->view->store->order_lock);
	CHECK(file_put_locked(file) == 0);
	mutex_unlock(&store->order_lock);
}

static void check_file(struct view *view, const struct model_file *expected)
{
	struct file *file = get_file(view, expected->inode);
	uint8_t block[BLOCK_BYTES];
	struct file_info info;
	size_t i, j, got;

	file_get_info(file, &info);
	CHECK(info.size_bytes == expected->size_bytes);
	CHECK(info.mode == (expected->mode & 07777));
	for (i = 0; i < BLOCKS; i++) {
		CHECK(file_read(file, block_nrs[i] * BLOCK_BYTES, block,
				sizeof(block), &got) == 0);
		CHECK(got == 0 || got == sizeof(block));
		CHECK(got || expected->blocks[i] == 0);
		for (j = 0; j < got; j++)
			CHECK(block[j] == expected->blocks[i]);
	}
	put_file(file);
}

static void check_no_file(struct view *view, uint64_t inode)
{
	struct file *file;

	mutex_lock(&store->order_lock);
	mutex_assert_held(&view->store->order_lock);
	CHECK(file_get_locked(view, inode, &file) == -ENOENT);
	mutex_unlock(&store->order_lock);
}

void compare_all(struct view *view, const struct image *image)
{
	const struct tree *tree = tree_of(image);
	struct line_path *path = path_of(view);
	size_t i;

	for (i = 0; i < KEYS; i++)
		check_found(path, &keys[i], tree->values[i]);
	for (i = 0; i < FACTS; i++)
		check_found(items_facts_path, &fact_keys[i], facts[i]);
	for (i = 1; i < KEYS; i += NAMES) {
		check_scan(path, tree, &keys[i], ITEM_PREFIX_BYTES);
		check_scan(path, tree, &keys[i], keys[i].bytes_count);
	}
	line_path_put(path);
	for (i = 0; i < FILES; i++)
		if (tree->files[i].inode)
			check_file(view, &tree->files[i]);
	check_no_file(view, last_inode + 1);
}

void compare_some(struct view *view, const struct image *image)
{
	struct line_path *path = path_of(view);
	size_t nr = below(KEYS);

	check_found(path, &keys[nr], tree_of(image)->values[nr]);
	nr = 1 + below(KEYS - 1);
	check_scan(path, tree_of(image), &keys[nr], ITEM_PREFIX_BYTES);
	line_path_put(path);
}

static void commit(struct view *view, struct batch *edits)
{
	mutex_lock(&store->order_lock);
	mutex_assert_held(&view->store->order_lock);
	CHECK(items_commit_locked(view, edits) == 0);
	mutex_unlock(&store->order_lock);
	item_edits_fini(edits);
}

static void add(struct batch *edits, const struct key *key, uint64_t value)
{
	size_t bytes;
	const uint8_t *payload = make_payload(key, value, &bytes);

	CHECK(item_edits_add(edits, key->bytes, key->bytes_count, payload,
			     bytes) == 0);
}

static void do_edit(int nr)
{
	struct tree *tree = tree_of(&branches[nr].image);
	struct view *view = open_branch(nr);
	struct batch edits = { 0 };
	uint64_t count = 1 + below(EDITS_MAX);

	while (count-- > 0) {
		uint64_t value = below(5) < 2 ? 0 : next_random() | 1;
		size_t key = below(KEYS);

		if (below(20) == 0) {
			key = below(FACTS);
			facts[key] = value;
			add(&edits, &fact_keys[key], value);
			continue;
		}
		tree->values[key] = value;
		add(&edits, &keys[key], value);
	}
	commit(view, &edits);
	view_put(view);
}

static void put_inode(struct view *view, uint64_t inode,
		      const struct inode_item *item)
{
	uint8_t bytes[INODE_ITEM_BYTES], key[ITEM_PREFIX_BYTES];
	struct batch edits = { 0 };

	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	CHECK(item_edits_add(&edits, key, sizeof(key), bytes,
			     item ? inode_item_encode(item, bytes) : 0) == 0);
	commit(view, &edits);
}

static void make_file(struct view *view, struct model_file *model)
{
	const struct inode_item item = { .mode = S_IFREG | 0600, .nlink = 1 };

	memset(model, 0, sizeof(*model));
	model->inode = ++last_inode;
	model->mode = item.mode;
	put_inode(view, model->inode, &item);
}

static void write_file(struct file *file, struct model_file *model)
{
	size_t nr = below(BLOCKS);
	uint64_t end = (block_nrs[nr] + 1) * BLOCK_BYTES;
	uint8_t block[BLOCK_BYTES];

	model->blocks[nr] = (uint8_t)below(4);
	memset(block, model->blocks[nr], sizeof(block));
	CHECK(file_write(file, end - BLOCK_BYTES, block, sizeof(block)) == 0);
	if (end > model->size_bytes)
		model->size_bytes = end;
}

static void resize_file(struct file *file, struct model_file *model)
{
	size_t nr = below(BLOCKS), i;

	model->size_bytes = block_nrs[nr] * BLOCK_BYTES;
	CHECK(file_resize(file, model->size_bytes) == 0);
	for (i = nr; i < BLOCKS; i++)
		model->blocks[i] = 0;
}

/* As a change of mode: the item as it is now, and something new in it. */
static void change_item(struct view *view, struct file *file,
			struct model_file *model)
{
	struct inode_item item;

	mutex_lock(&store->order_lock);
	item = file->item;
	mutex_unlock(&store->order_lock);
	model->mode = S_IFREG | (uint32_t)below(01000);
	item.mode = model->mode;
	put_inode(view, model->inode, &item);
}

static void release_held(void)
{
	if (!held.view)
		return;
	put_file(held.file);
	view_put(held.view);
	held.view = NULL;
}

static void do_file(int nr)
{
	struct tree *tree = tree_of(&branches[nr].image);
	struct model_file *model = &tree->files[below(FILES)];
	struct view *view = open_branch(nr);
	struct file *file;
	uint64_t dice = below(100);

	if (!model->inode)
		make_file(view, model);
	file = get_file(view, model->inode);
	if (dice < 50) {
		write_file(file, model);
	} else if (dice < 60) {
		resize_file(file, model);
	} else if (dice < 75) {
		change_item(view, file, model);
	} else if (dice < 95) {
		put_inode(view, model->inode, NULL);
		put_file(file);
		file = NULL;
		memset(model, 0, sizeof(*model));
	} else if (!held.view) {
		held.view = view;
		held.file = file;
		return;
	}
	if (file)
		put_file(file);
	view_put(view);
}

static void look(int nr)
{
	struct view *view = open_branch(nr);

	if (below(4))
		compare_some(view, &branches[nr].image);
	else
		compare_all(view, &branches[nr].image);
	view_put(view);
}

static void step(void)
{
	uint64_t dice = below(1000);

	if (dice < 300)
		do_edit(pick_branch());
	else if (dice < 520)
		do_file(pick_branch());
	else if (dice < 700)
		look(pick_branch());
	else if (dice < 780)
		do_snapshot(pick_branch());
	else if (dice < 800)
		release_held();
	else if (dice < 870)
		do_clone(pick_branch());
	else if (dice < 910)
		do_delete_snapshot();
	else if (dice < 918)
		do_undelete_snapshot();
	else if (dice < 942)
		do_delete_branch();
	else if (dice < 962)
		CHECK(store_checkpoint(store) == 0);
	else if (dice < 972)
		do_upkeep();
	if (dice < 972)
		return;
	if (dice >= 990 || below(2))
		release_held(); /* else a head may leave it behind */
	if (dice < 983)
		do_rollback(pick_branch());
	else if (dice < 990)
		do_undo_rollback(pick_branch());
	else if (dice < 997)
		do_reopen(true);
	else
		do_reopen(false);
}

static void make_store(void)
{
	struct store_create_params params = { .path = store_path,
					      .size_bytes = 1 << 20 };

	make_first_branch(&params);
	branches[0].image.data = calloc(1, sizeof(struct tree));
	branches[0].image.size = sizeof(struct tree);
}

static size_t item_rows(uint32_t line)
{
	struct item_row_key row;
	int64_t cursor[2] = { 0, 0 };
	size_t count = 0;

	while (index_items_of_line(store->index, line, 0, UINT32_MAX, &row, 1,
				   cursor) == 1)
		count++;
	return count;
}

static size_t window_rows(uint32_t line)
{
	struct window_key row;
	int64_t cursor[2] = { 0, 0 };
	size_t count = 0;

	while (index_windows_of_line(store->index, line, 0, UINT32_MAX, &row, 1,
				     cursor) == 1)
		count++;
	return count;
}

/* Windows with any data. */
static size_t windows_of(const struct model_file *file)
{
	uint64_t last = UINT64_MAX;
	size_t i, count = 0;

	for (i = 0; i < BLOCKS; i++) {
		if (!file->blocks[i] || block_nrs[i] / WINDOW_BLOCKS == last)
			continue;
		last = block_nrs[i] / WINDOW_BLOCKS;
		count++;
	}
	return count;
}

/* Only what one branch needs is left, and all on one line. */
static void check_rows(void)
{
	const struct tree *tree = tree_of(&branches[pick_branch()].image);
	size_t expected = 3; /* root, image and its name */
	size_t found = 0, fact_count = 0, blocks = 0, windows = 0, i, j;
	struct space_map *map = &store->space;
	uint32_t line;

	for (i = 0; i < KEYS; i++)
		expected += tree->values[i] != 0;
	for (i = 0; i < FACTS; i++)
		fact_count += facts[i] != 0;
	for (i = 0; i < FILES; i++) {
		expected += tree->files[i].inode != 0;
		windows += windows_of(&tree->files[i]);
		for (j = 0; j < BLOCKS; j++)
			blocks += tree->files[i].blocks[j] != 0;
	}
	CHECK(store_checkpoint(store) == 0);
	CHECK(store->graph.line_count == 1);
	CHECK(item_rows(0) == fact_count);
	for (line = 1; line < store->next_line; line++)
		found += item_rows(line);
	if (found != expected)
		fprintf(stderr, "items_model: %zu rows, %zu needed\n", found,
			expected);
	CHECK(found == expected);
	for (found = 0, line = 1; line < store->next_line; line++)
		found += window_rows(line);
	if (found != windows)
		fprintf(stderr, "items_model: %zu windows, %zu needed\n", found,
			windows);
	CHECK(found == windows);
	mutex_lock(&map->lock);
	CHECK(map->live_blocks - map->metadata_blocks == blocks);
	mutex_unlock(&map->lock);
}

int main(int argc, char **argv)
{
	uint64_t operations = argc > 2 ? strtoull(argv[2], NULL, 10) : 20000;
	uint64_t i;

	begin(argc > 1 ? strtoull(argv[1], NULL, 10) : 1);
	make_keys();
	make_store();
	for (i = 0; i < operations; i++) {
		memset(&failure, 0, sizeof(failure));
		step();
		if (i % 1000 == 999)
			check_everything();
	}
	release_held();
	check_and_reopen();
	keep_one_branch();
	check_rows();
	finish();
	printf("items_model: seed %s, %" PRIu64 " operations: equal\n",
	       argc > 1 ? argv[1] : "1", operations);
	return 0;
}
