/* Steps on main's image, and what the background thread would do. */
#include <stdlib.h>
#include <string.h>

#include "items.h"
#include "store_impl.h"
#include "world.h"

static void may_be(struct world *world, const uint8_t *data, uint64_t bytes)
{
	const struct digest *last = last_digest(world);

	if (!last || !world->view)
		return;
	world->between = check_memory(
		realloc(world->between,
			(world->between_count + 1) * sizeof(*world->between)));
	digest_copy(&world->between[world->between_count], last);
	digest_put_content(&world->between[world->between_count++], "main",
			   data, bytes);
}

/* A change in several records is seen block by block. */
static void may_be_part(struct world *world, uint64_t offset, size_t len,
			const uint8_t *data)
{
	uint8_t *now = check_memory(malloc(IMAGE_BYTES_MAX));
	uint64_t end = offset + len, at = offset, bytes = world->expected_bytes;

	memcpy(now, world->expected, IMAGE_BYTES_MAX);
	if (end > bytes) {
		bytes = end;
		may_be(world, now, bytes);
	}
	while (at < end) {
		uint64_t next = (at / BLOCK_BYTES + 1) * BLOCK_BYTES;

		if (next > end)
			next = end;
		if (data)
			memcpy(now + at, data + (at - offset), next - at);
		else
			memset(now + at, 0, next - at);
		if (next < end)
			may_be(world, now, bytes);
		at = next;
	}
	free(now);
}

static bool is_one_record(const struct world *world, uint64_t offset,
			  size_t len)
{
	return offset % BLOCK_BYTES == 0 && len % BLOCK_BYTES == 0 &&
	       offset + len <= world->expected_bytes &&
	       len <= 256 * BLOCK_BYTES &&
	       offset / WINDOW_BYTES == (offset + len - 1) / WINDOW_BYTES;
}

void do_write(struct world *world, uint64_t offset, size_t len, unsigned seed)
{
	uint8_t *data = check_memory(malloc(len));

	if (world->over) {
		free(data);
		return;
	}
	world_fill(data, len, seed);
	if (!is_one_record(world, offset, len))
		may_be_part(world, offset, len, data);
	memcpy(world->expected + offset, data, len);
	if (world->expected_bytes < offset + len)
		world->expected_bytes = offset + len;
	STEP(world, false, file_write(world->file, offset, data, len));
	free(data);
}

void do_zero(struct world *world, uint64_t offset, size_t len)
{
	if (world->over)
		return;
	if (!is_one_record(world, offset, len))
		may_be_part(world, offset, len, NULL);
	memset(world->expected + offset, 0, len);
	STEP(world, false, file_zero(world->file, offset, len));
}

void do_resize(struct world *world, uint64_t size_bytes)
{
	uint64_t old = world->expected_bytes;
	uint64_t end = (size_bytes / BLOCK_BYTES + 1) * BLOCK_BYTES;

	if (world->over)
		return;
	if (size_bytes < old) {
		memset(world->expected + size_bytes, 0,
		       (end < old ? end : old) - size_bytes);
		if (size_bytes % BLOCK_BYTES)
			may_be(world, world->expected, old);
		memset(world->expected + size_bytes, 0, old - size_bytes);
	}
	world->expected_bytes = size_bytes;
	STEP(world, false, file_resize(world->file, size_bytes));
}

void do_sync(struct world *world)
{
	STEP(world, true, store_sync(world->store));
}

void do_checkpoint(struct world *world)
{
	STEP(world, true, store_checkpoint(world->store));
}

void do_configure(struct world *world, uint64_t log_bytes)
{
	struct store_config config;
	struct setting *setting = &world->settings[world->setting_count++];

	if (world->over)
		return;
	store_get_config(world->store, &config);
	config.checkpoint_log_bytes = log_bytes;
	setting->value = log_bytes;
	setting->visible_from = world_changes(world);
	STEP(world, false,
	     store_configure(world->store, &config, &world->failure));
	setting->synced_at = world_changes(world);
}

static int background(struct store *store)
{
	bool more = true;
	int rc = 0;

	mutex_lock(&store->maintenance_lock);
	if (!reap_needed(store))
		rc = checkpoint_run(store, false);
	while (rc == 0 && more && reap_needed(store))
		rc = reap_run(store, &more);
	if (rc == 0)
		rc = sweep_run(store);
	store->idle_operations = atomic_load(&store->count.reads) +
				 atomic_load(&store->count.writes);
	store->last_activity_ns = store_monotonic_ns() - 10000000000;
	for (more = true; rc == 0 && more;) {
		more = false;
		rc = compact_idle(store, &more);
	}
	mutex_unlock(&store->maintenance_lock);
	return rc;
}

void do_background(struct world *world)
{
	STEP(world, false, background(world->store));
}

static int fill_segment(struct store *store, unsigned left_blocks)
{
	struct log_position position;
	struct location at;
	int rc = 0;

	log_get_position(store->log, &position);
	while (rc == 0 && position.tail_block + left_blocks < SEGMENT_BLOCKS) {
		uint32_t blocks =
			SEGMENT_BLOCKS - left_blocks - position.tail_block;

		rc = log_reserve(store->log, blocks < 256 ? blocks : 256, &at);
		log_get_position(store->log, &position);
	}
	return rc;
}

void do_fill_segment(struct world *world, unsigned left_blocks)
{
	STEP(world, false, fill_segment(world->store, left_blocks));
}

uint32_t snapshot_id(struct world *world, const char *name)
{
	struct snapshot_info *list = NULL;
	size_t count = 0, i;
	uint32_t id = 0;

	if (world->over || !world->store ||
	    history_snapshots(world->store, NULL, true, &list, &count,
			      &world->failure) < 0)
		return 0;
	for (i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			id = list[i].id;
	free(list);
	return id;
}
