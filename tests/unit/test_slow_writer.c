/*
 * A writer that is slow between being given blocks and its record: the
 * linker gives the test log_write_blocks, so that it can hold one up, and
 * view_wait_for_writers, where it is waited for.
 */
#include "store_world.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "log.h"

enum { STEP_BYTES = 1 << 20, SEGMENT_MIB = 64 };

static atomic_bool stop_next;
static sem_t stopped, go_on;

int __real_log_write_blocks(struct log *log, struct location at,
			    const void *data, uint32_t blocks);
int __wrap_log_write_blocks(struct log *log, struct location at,
			    const void *data, uint32_t blocks);

int __wrap_log_write_blocks(struct log *log, struct location at,
			    const void *data, uint32_t blocks)
{
	if (atomic_exchange(&stop_next, false)) {
		sem_post(&stopped);
		sem_wait(&go_on);
	}
	return __real_log_write_blocks(log, at, data, blocks);
}

static struct store_world *overwriter; /* writes again when waited for */

void __real_view_wait_for_writers(struct view *view);
void __wrap_view_wait_for_writers(struct view *view);

void __wrap_view_wait_for_writers(struct view *view)
{
	struct store_world *world = overwriter;
	uint8_t block[BLOCK_BYTES];

	overwriter = NULL;
	if (world)
		sem_post(&go_on);
	__real_view_wait_for_writers(view);
	if (!world)
		return;
	memset(block, 't', sizeof(block));
	assert_int_equal(file_write(world->file, 40 * (size_t)WINDOW_BYTES,
				    block, sizeof(block)),
			 0);
}

static void *write_slowly(void *context)
{
	struct store_world *world = context;
	uint8_t block[BLOCK_BYTES];

	memset(block, 's', sizeof(block));
	return file_write(world->file, 40 * (size_t)WINDOW_BYTES, block,
			  sizeof(block)) == 0 ?
		       NULL :
		       context;
}

static void *collect(void *context)
{
	struct store_world *world = context;
	struct failure failure = { 0 };
	struct gc_result result;

	return space_gc(world->store, 0, false, &world_actor, NULL, NULL,
			&result, &failure) == 0 ?
		       NULL :
		       context;
}

/* All but the slow writer's block of the first segment is dead by then. */
static void fill_segments(struct store_world *world)
{
	uint8_t *data = malloc(STEP_BYTES);
	unsigned i;

	assert_non_null(data);
	for (i = 0; i < 2 * SEGMENT_MIB + 2; i++) {
		memset(data, 1 + (int)i, STEP_BYTES);
		assert_int_equal(file_write(world->file, 0, data, STEP_BYTES),
				 0);
	}
	free(data);
}

static void test_a_segment_waits_for_the_last_writer_in_it(void **state)
{
	struct store_world *world = *state;
	pthread_t writer, collector;
	struct timespec nap = { 0, 300000000 };
	uint8_t block[BLOCK_BYTES];
	void *writer_failed, *collector_failed;
	size_t got, i;

	sem_init(&stopped, 0, 0);
	sem_init(&go_on, 0, 0);
	assert_int_equal(file_resize(world->file, 41 * (size_t)WINDOW_BYTES),
			 0);
	atomic_store(&stop_next, true);
	assert_int_equal(pthread_create(&writer, NULL, write_slowly, world), 0);
	sem_wait(&stopped);
	fill_segments(world);
	assert_int_equal(pthread_create(&collector, NULL, collect, world), 0);
	nanosleep(&nap, NULL);
	sem_post(&go_on);
	pthread_join(writer, &writer_failed);
	pthread_join(collector, &collector_failed);
	assert_null(writer_failed);
	assert_null(collector_failed);
	for (i = 0; i < 2; i++) {
		assert_int_equal(file_read(world->file,
					   40 * (size_t)WINDOW_BYTES, block,
					   sizeof(block), &got),
				 0);
		assert_int_equal(block[0], 's');
		assert_int_equal(block[BLOCK_BYTES - 1], 's');
		world_reopen(world);
	}
}

static void checkpoint_by_hand(struct store_world *world)
{
	struct store_config config;

	store_get_config(world->store, &config);
	config.checkpoint_log_bytes = UINT64_C(1) << 32;
	assert_ok(world,
		  store_configure(world->store, &config, &world->failure));
}

/* Its record still names blocks of the segment: replay must find them. */
static void test_a_segment_stays_when_its_last_block_came_and_went(void **state)
{
	struct store_world *world = *state;
	void *writer_failed;
	pthread_t writer;
	uint8_t block[BLOCK_BYTES];
	size_t got;

	sem_init(&stopped, 0, 0);
	sem_init(&go_on, 0, 0);
	checkpoint_by_hand(world);
	assert_int_equal(file_resize(world->file, 41 * (size_t)WINDOW_BYTES),
			 0);
	atomic_store(&stop_next, true);
	assert_int_equal(pthread_create(&writer, NULL, write_slowly, world), 0);
	sem_wait(&stopped);
	fill_segments(world);
	overwriter = world;
	assert_int_equal(store_checkpoint(world->store), 0);
	pthread_join(writer, &writer_failed);
	assert_null(writer_failed);
	assert_null(overwriter);
	world_crash(world);
	assert_int_equal(file_read(world->file, 40 * (size_t)WINDOW_BYTES,
				   block, sizeof(block), &got),
			 0);
	assert_int_equal(block[0], 't');
	assert_int_equal(block[BLOCK_BYTES - 1], 't');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(
			test_a_segment_stays_when_its_last_block_came_and_went),
		WORLD_TEST(test_a_segment_waits_for_the_last_writer_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
