/* The head moves under a writer. */
#include "store_world.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ROUNDS = 1500, PART_OFFSET = 10 };

struct writer {
	struct store_world *world;
	atomic_bool stop;
};

static void *write_parts(void *context)
{
	struct writer *writer = context;

	while (!atomic_load(&writer->stop))
		if (file_write(writer->world->file, PART_OFFSET, "w", 1) < 0)
			return writer;
	return NULL;
}

/* How many rounds until a block was seen that is not the snapshot's. */
static int roll_back_often(struct store_world *world, uint32_t id)
{
	struct rollback_result result;
	struct failure failure = { 0 };
	uint8_t block[BLOCK_BYTES];
	size_t got;
	int i, j;

	for (i = 0; i < ROUNDS; i++) {
		memset(block, 'B', sizeof(block));
		if (file_write(world->file, 0, block, sizeof(block)) < 0 ||
		    history_rollback(world->store, "main", id, NULL,
				     &world_actor, &result, &failure) < 0 ||
		    file_read(world->file, 0, block, sizeof(block), &got) < 0)
			return i;
		for (j = 0; j < BLOCK_BYTES; j++)
			if (j != PART_OFFSET && block[j] != 'A')
				return i;
	}
	return i;
}

/* A part write reads its block, merges and writes it whole: if the head moves
 * in between, what it read is of the state that was left. */
static void test_a_part_write_never_mixes_two_states(void **state)
{
	struct store_world *world = *state;
	struct writer writer = { .world = world };
	uint8_t block[BLOCK_BYTES];
	pthread_t thread;
	void *failed;
	uint32_t id;
	int rounds;

	memset(block, 'A', sizeof(block));
	assert_int_equal(file_write(world->file, 0, block, sizeof(block)), 0);
	id = world_snapshot(world, "a");
	assert_int_equal(pthread_create(&thread, NULL, write_parts, &writer),
			 0);
	rounds = roll_back_often(world, id);
	atomic_store(&writer.stop, true);
	pthread_join(thread, &failed);
	assert_null(failed);
	assert_int_equal(rounds, ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_part_write_never_mixes_two_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
