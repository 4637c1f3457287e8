/* Xattrs of numbers as items with short texts, for the tests of lib/core. */
#pragma once

#include "store_world.h"

#include "items.h"

/* Bytes of a key; returns how many. */
static inline size_t text_key(uint64_t inode, const char *name, uint8_t *key)
{
	const struct item_key item = { .inode = inode,
				       .type = ITEM_TYPE_XATTR,
				       .name = name,
				       .name_bytes = strlen(name) };

	return item_key_encode(&item, key);
}

/* text NULL: absent. Returns the payload's length. */
static inline size_t text_payload(const char *text, uint8_t *payload)
{
	const struct xattr_item item = {
		.kind = XATTR_KIND_VALUE,
		.value = (const uint8_t *)text,
		.value_bytes = text ? strlen(text) : 0,
	};

	return text ? xattr_item_encode(&item, payload) : 0;
}

static inline void add_text(struct batch *edits, uint64_t inode,
			    const char *name, const char *text)
{
	uint8_t key[ITEM_KEY_BYTES_MAX], payload[1 + 256];
	size_t key_bytes = text_key(inode, name, key);

	assert_int_equal(item_edits_add(edits, key, key_bytes, payload,
					text_payload(text, payload)),
			 0);
}

static inline int commit_edits(struct view *view, struct batch *edits)
{
	int rc;

	mutex_lock(&view->store->order_lock);
	rc = items_commit_locked(view, edits);
	mutex_unlock(&view->store->order_lock);
	item_edits_fini(edits);
	return rc;
}

static inline void put_text_in(struct view *view, uint64_t inode,
			       const char *name, const char *text)
{
	struct batch edits = { 0 };

	add_text(&edits, inode, name, text);
	assert_int_equal(commit_edits(view, &edits), 0);
}

static inline void put_text(struct store_world *world, uint64_t inode,
			    const char *name, const char *text)
{
	put_text_in(world->view, inode, name, text);
}

static inline void assert_text_in(struct view *view, uint64_t inode,
				  const char *name, const char *text)
{
	AUTO_FREE struct item_copy *copy = NULL;
	uint8_t key[ITEM_KEY_BYTES_MAX];
	size_t key_bytes = text_key(inode, name, key);
	int rc = items_find(view->store, view->path, key, key_bytes, &copy);

	assert_int_equal(rc, text ? 0 : -ENOENT);
	if (!text)
		return;
	assert_int_equal(copy->payload_bytes, 1 + strlen(text));
	assert_memory_equal(copy->payload + 1, text, strlen(text));
}

static inline void assert_text(struct store_world *world, uint64_t inode,
			       const char *name, const char *text)
{
	assert_text_in(world->view, inode, name, text);
}

static inline void assert_snapshot_text(struct store_world *world, uint32_t id,
					uint64_t inode, const char *name,
					const char *text)
{
	struct view *view;

	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	assert_text_in(view, inode, name, text);
	view_put(view);
}

static inline struct view *open_view(struct store_world *world,
				     const char *branch)
{
	struct view *view;

	assert_ok(world, view_open_branch(world->store, branch, &view,
					  &world->failure));
	return view;
}

static inline void clone_branch(struct store_world *world, const char *from,
				uint32_t snapshot, const char *to)
{
	assert_ok(world, history_clone(world->store, from, snapshot, to,
				       &world_actor, NULL, &world->failure));
}

static inline void drop_snapshot(struct store_world *world, uint32_t id)
{
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
}

static inline void drop_branch(struct store_world *world, const char *name)
{
	assert_ok(world, history_delete_branch(world->store, name, true,
					       &world_actor, &world->failure));
}

/* Rows of one line, or of all but 0, after a checkpoint. */
static inline size_t rows_of_line(struct store_world *world, uint32_t line)
{
	struct item_row_key row;
	int64_t cursor[2] = { 0, 0 };
	size_t count = 0;

	while (index_items_of_line(world->store->index, line, 0, UINT32_MAX,
				   &row, 1, cursor) == 1)
		count++;
	return count;
}

/* Those of the root, of the image and its name are not counted. */
static inline size_t text_rows(struct store_world *world)
{
	size_t count = 0;
	uint32_t line;

	assert_int_equal(store_checkpoint(world->store), 0);
	for (line = 1; line < world->store->next_line; line++)
		count += rows_of_line(world, line);
	return count - 3;
}
