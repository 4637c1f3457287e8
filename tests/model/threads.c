/*
 * Threads on one store: each owns a range of the image and an inode, writes
 * versions of its blocks and items and reads them back, while one takes
 * snapshots, deletes them, checkpoints and compacts, and one scrubs and finds
 * nothing. For ThreadSanitizer, and
 * for the claim that nobody sees anything but what he wrote.
 *
 *   threads [SECONDS]
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "history.h"
#include "logging.h"
#include "scrub.h"
#include "space.h"
#include "store.h"
#include "view_items.h"

enum {
	THREADS = 4,
	BLOCKS = 700,
	RANGE_BYTES = BLOCKS * BLOCK_BYTES,
	ITEMS = 150,
	FIRST_INODE = 100,
};

#define CHECK(expression)                                                   \
	do {                                                                \
		if (!(expression)) {                                        \
			fprintf(stderr, "threads: line %d: %s\n", __LINE__, \
				#expression);                               \
			abort();                                            \
		}                                                           \
	} while (0)

static struct store *store;
static struct view *view;
static atomic_bool stop;
static atomic_uint_fast64_t operations;
static const struct actor actor;

struct worker {
	pthread_t thread;
	unsigned nr;
	unsigned seed;
	uint32_t version[BLOCKS];
	unsigned written_as[BLOCKS]; /* the block that a copy is of */
	uint32_t item[ITEMS];	     /* 0: absent */
};

static void fill(uint8_t *block, unsigned owner, unsigned nr, uint32_t version)
{
	uint32_t i, words[4] = { owner + 1, nr, version, owner ^ version };

	for (i = 0; i < BLOCK_BYTES; i += sizeof(words))
		memcpy(block + i, words, sizeof(words));
	if (version % 7 == 0)
		memset(block, 0, BLOCK_BYTES);
}

static uint64_t offset_of(const struct worker *worker, unsigned nr)
{
	return (uint64_t)worker->nr * RANGE_BYTES + (uint64_t)nr * BLOCK_BYTES;
}

static void write_some(struct worker *worker, unsigned nr)
{
	uint8_t data[8 * BLOCK_BYTES];
	unsigned count = 1 + (unsigned)rand_r(&worker->seed) % 8, i;

	if (nr + count > BLOCKS)
		count = BLOCKS - nr;
	for (i = 0; i < count; i++) {
		worker->written_as[nr + i] = nr + i;
		fill(data + (size_t)i * BLOCK_BYTES, worker->nr, nr + i,
		     ++worker->version[nr + i]);
	}
	CHECK(file_write(view_image(view), offset_of(worker, nr), data,
			 (size_t)count * BLOCK_BYTES) == 0);
}

static void copy_some(struct worker *worker, unsigned nr)
{
	unsigned to = (unsigned)rand_r(&worker->seed) % BLOCKS;
	unsigned apart = nr < to ? to - nr : nr - to;
	unsigned count = (unsigned)rand_r(&worker->seed) % 60, i;
	uint64_t at = 0, done = 1;

	count = count < apart ? count : apart;
	for (i = 0; i < count && nr + i < BLOCKS && to + i < BLOCKS; i++) {
		worker->version[to + i] = worker->version[nr + i];
		worker->written_as[to + i] = worker->written_as[nr + i];
	}
	for (; at < (uint64_t)i * BLOCK_BYTES && done > 0; at += done)
		CHECK(file_share(view_image(view), offset_of(worker, nr) + at,
				 view_image(view), offset_of(worker, to) + at,
				 (uint64_t)i * BLOCK_BYTES - at, &done) == 0);
	CHECK(at == (uint64_t)i * BLOCK_BYTES);
}

static void read_one(struct worker *worker, unsigned nr)
{
	uint8_t data[BLOCK_BYTES], want[BLOCK_BYTES];
	size_t got;

	if (worker->version[nr] == 0)
		return;
	fill(want, worker->nr, worker->written_as[nr], worker->version[nr]);
	CHECK(file_read(view_image(view), offset_of(worker, nr), data,
			sizeof(data), &got) == 0);
	CHECK(got == sizeof(data));
	CHECK(memcmp(data, want, sizeof(data)) == 0);
}

/* Of this worker's inode; name has room for 8. */
static void set_key(const struct worker *worker, unsigned nr, char *name,
		    struct item_key *key)
{
	*key = (struct item_key){
		.inode = FIRST_INODE + worker->nr,
		.type = ITEM_TYPE_XATTR,
		.name = name,
		.name_bytes = (size_t)snprintf(name, 8, "n%04u", nr),
	};
}

static void edit_some(struct worker *worker)
{
	unsigned count = 1 + (unsigned)rand_r(&worker->seed) % 5;
	struct view_edit edit;

	CHECK(view_edit_begin(view, &edit) == 0);
	while (count-- > 0) {
		unsigned nr = (unsigned)rand_r(&worker->seed) % ITEMS;
		uint32_t value = (uint32_t)rand_r(&worker->seed) % 1000;
		uint8_t payload[1 + sizeof(value)] = { XATTR_KIND_VALUE };
		struct item_key key;
		char name[8];

		if (value % 4 == 0)
			value = 0;
		memcpy(payload + 1, &value, sizeof(value));
		set_key(worker, nr, name, &key);
		view_edit_put(&edit, &key, payload,
			      value ? sizeof(payload) : 0);
		worker->item[nr] = value;
	}
	CHECK(view_edit_commit(&edit) == 0);
}

static void find_one(struct worker *worker)
{
	unsigned nr = (unsigned)rand_r(&worker->seed) % ITEMS;
	uint32_t value = worker->item[nr];
	struct item_copy *copy = NULL;
	struct item_key key;
	char name[8];
	int rc;

	set_key(worker, nr, name, &key);
	rc = view_item_get(view, &key, &copy);
	CHECK(rc == (value ? 0 : -ENOENT));
	if (value)
		CHECK(memcmp(copy->payload + 1, &value, sizeof(value)) == 0);
	free(copy);
}

struct item_walk {
	const struct worker *worker;
	unsigned nr; /* of the next item */
};

static void skip_absent(struct item_walk *walk)
{
	while (walk->nr < ITEMS && walk->worker->item[walk->nr] == 0)
		walk->nr++;
}

static int check_item(void *context, const struct item_key *key,
		      const void *payload, size_t payload_bytes)
{
	struct item_walk *walk = context;
	struct item_key expected;
	char name[8];

	skip_absent(walk);
	CHECK(walk->nr < ITEMS);
	set_key(walk->worker, walk->nr, name, &expected);
	CHECK(key->name_bytes == expected.name_bytes);
	CHECK(memcmp(key->name, name, key->name_bytes) == 0);
	CHECK(payload_bytes == 1 + sizeof(uint32_t));
	CHECK(memcmp((const uint8_t *)payload + 1,
		     &walk->worker->item[walk->nr], sizeof(uint32_t)) == 0);
	walk->nr++;
	return 0;
}

static void scan_all(const struct worker *worker)
{
	struct item_walk walk = { worker, 0 };

	CHECK(view_items_scan(view, FIRST_INODE + worker->nr, ITEM_TYPE_XATTR,
			      check_item, &walk) == 0);
	skip_absent(&walk);
	CHECK(walk.nr == ITEMS);
}

static void use_items(struct worker *worker)
{
	unsigned dice = (unsigned)rand_r(&worker->seed) % 10;

	if (dice < 4)
		edit_some(worker);
	else if (dice < 9)
		find_one(worker);
	else
		scan_all(worker);
}

static void *work(void *context)
{
	struct worker *worker = context;

	while (!atomic_load(&stop)) {
		unsigned nr = (unsigned)rand_r(&worker->seed) % BLOCKS;
		unsigned dice = (unsigned)rand_r(&worker->seed) % 100;

		if (dice < 25)
			use_items(worker);
		else if (dice < 60)
			write_some(worker, nr);
		else if (dice < 65)
			copy_some(worker, nr);
		else if (dice < 98)
			read_one(worker, nr);
		else
			CHECK(file_sync(view_image(view)) == 0);
		atomic_fetch_add(&operations, 1);
	}
	return NULL;
}

static void keep_house(unsigned round)
{
	struct compact_result compact;
	struct snapshot_info info;
	struct gc_result gc;
	struct failure failure = { 0 };
	char name[32];

	snprintf(name, sizeof(name), "s%u", round);
	CHECK(history_snapshot(store, "main", name, NULL, SNAPSHOT_KIND_MANUAL,
			       &actor, &info, &failure) == 0);
	if (round % 3 == 2)
		CHECK(history_delete_snapshot(store, info.id, true, &actor,
					      &failure) == 0);
	if (round % 5 == 4)
		CHECK(store_checkpoint(store) == 0);
	if (round % 11 == 10)
		CHECK(space_compact(store, 30, false, NULL, NULL, &compact,
				    &failure) == 0);
	if (round % 13 == 12)
		CHECK(space_gc(store, 0, false, &actor, NULL, NULL, &gc,
			       &failure) == 0);
}

static void check_scrub(void)
{
	struct scrub_finding *findings;
	size_t count;

	CHECK(scrub_findings(store, &findings, &count) == 0);
	CHECK(count == 0);
	free(findings);
}

static void *scrub(void *context)
{
	unsigned *rounds = context;
	struct scrub_status status;

	while (!atomic_load(&stop)) {
		CHECK(scrub_start(store, *rounds % 3 ? 0 : 64 << 20, NULL) ==
		      0);
		if (*rounds % 4 == 1) {
			usleep(1000);
			(void)!scrub_pause(store, NULL); /* it may be over */
			(void)!scrub_resume(store, 0, NULL);
		} else if (*rounds % 4 == 3) {
			(void)!scrub_cancel(store, NULL);
		}
		CHECK(scrub_wait(store, NULL, NULL) == 0);
		scrub_get_status(store, &status);
		CHECK(status.state == SCRUB_STATE_FINISHED ||
		      status.state == SCRUB_STATE_CANCELLED);
		check_scrub();
		++*rounds;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 3;
	char directory[] = "/tmp/cowd-threads-XXXXXX", path[64], command[128];
	struct store_create_params params = {
		.path = path,
		.size_bytes = (uint64_t)THREADS * RANGE_BYTES,
	};
	struct worker workers[THREADS] = { 0 };
	struct failure failure = { 0 };
	time_t end = time(NULL) + seconds;
	unsigned i, round = 0, scrubs = 0, nr;
	pthread_t scrubber;

	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/store", directory);
	config_defaults(&params.config);
	params.config.reserve_bytes = 0;
	params.config.cache_bytes = 8 << 20;
	params.config.checkpoint_every_ns = 200000000;
	log_set_level(LOG_LEVEL_ERROR);
	CHECK(store_create(&params, &failure) == 0);
	CHECK(store_open(path, NULL, &store, &failure) == 0);
	CHECK(view_open_branch(store, "main", &view, &failure) == 0);
	for (i = 0; i < THREADS; i++) {
		workers[i].nr = i;
		workers[i].seed = i + 1;
		CHECK(pthread_create(&workers[i].thread, NULL, work,
				     &workers[i]) == 0);
	}
	CHECK(pthread_create(&scrubber, NULL, scrub, &scrubs) == 0);
	while (time(NULL) < end) {
		usleep(20000);
		keep_house(round++);
	}
	atomic_store(&stop, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_join(scrubber, NULL);
	view_put(view);
	CHECK(store_close(store) == 0);
	CHECK(store_open(path, NULL, &store, &failure) == 0);
	CHECK(view_open_branch(store, "main", &view, &failure) == 0);
	for (i = 0; i < THREADS; i++) {
		scan_all(&workers[i]);
		for (nr = 0; nr < BLOCKS; nr++)
			read_one(&workers[i], nr);
	}
	view_put(view);
	CHECK(store_close(store) == 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	CHECK(system(command) == 0);
	printf("threads: %" PRIuFAST64 " operations, %u snapshots, %u scrubs: "
	       "equal\n",
	       atomic_load(&operations), round, scrubs);
	return 0;
}
