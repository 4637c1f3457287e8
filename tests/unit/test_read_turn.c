/* Whose turn it is to read: read_turn.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "read_turn.h"

struct world {
	struct read_turn *turn;
	pthread_t other;
	atomic_uint taken; /* by the other thread */
	sem_t go_on;
};

static void *take_once(void *context)
{
	struct world *world = context;

	read_turn_take(world->turn);
	world->taken++;
	sem_wait(&world->go_on);
	read_turn_leave(world->turn, true);
	return NULL;
}

/* We have read, and another thread waits. */
static int begin(void **state)
{
	static struct world world;

	world.taken = 0;
	sem_init(&world.go_on, 0, 0);
	assert_int_equal(read_turn_new(&world.turn), 0);
	read_turn_take(world.turn);
	pthread_create(&world.other, NULL, take_once, &world);
	usleep(20000);
	*state = &world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;

	read_turn_free(world->turn);
	sem_destroy(&world->go_on);
	return 0;
}

static bool is_taken_soon(struct world *world)
{
	for (int i = 0; i < 5000 && world->taken == 0; i++)
		usleep(1000);
	return world->taken > 0;
}

enum { ROUNDS = 20000 };

static void *read_many(void *context)
{
	struct world *world = context;
	static atomic_int reading;
	uintptr_t clashes = 0;

	for (int i = 0; i < ROUNDS; i++) {
		read_turn_take(world->turn);
		clashes += reading++ != 0;
		if (i % 512 == 0)
			usleep(2000);
		reading--;
		read_turn_leave(world->turn, i % 7 == 0);
		if (i % 1024 == 0)
			usleep(3000);
	}
	return (void *)clashes;
}

static void test_one_reads_at_a_time(void **state)
{
	struct world *world = *state;
	pthread_t threads[3];
	void *clashes;

	sem_post(&world->go_on);
	read_turn_leave(world->turn, true);
	pthread_join(world->other, NULL);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, read_many, world);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &clashes);
		assert_null(clashes);
	}
}

static void test_who_is_reading_is_not_replaced(void **state)
{
	struct world *world = *state;

	usleep(100000); /* also when the watcher sleeps */
	assert_int_equal(world->taken, 0);
	read_turn_leave(world->turn, true);
	assert_true(is_taken_soon(world));
	sem_post(&world->go_on);
	pthread_join(world->other, NULL);
}

static void test_who_does_not_come_back_is_replaced(void **state)
{
	struct world *world = *state;

	read_turn_leave(world->turn, false);
	assert_true(is_taken_soon(world));
	sem_post(&world->go_on);
	pthread_join(world->other, NULL);
	read_turn_take(world->turn); /* it is nobody's again */
}

static void test_a_slow_request_wakes_who_slept(void **state)
{
	struct world *world = *state;

	usleep(150000);
	read_turn_leave(world->turn, false);
	assert_true(is_taken_soon(world));
	sem_post(&world->go_on);
	pthread_join(world->other, NULL);
}

static void test_a_cancelled_watcher_leaves_room_for_another(void **state)
{
	struct world *world = *state;

	pthread_cancel(world->other);
	pthread_join(world->other, NULL);
	assert_int_equal(world->taken, 0);
	pthread_create(&world->other, NULL, take_once, world);
	usleep(20000);
	read_turn_leave(world->turn, false);
	assert_true(is_taken_soon(world));
	sem_post(&world->go_on);
	pthread_join(world->other, NULL);
}

static void test_a_cancelled_watcher_is_followed_by_who_waits(void **state)
{
	struct world *world = *state;
	pthread_t third;

	pthread_create(&third, NULL, take_once, world);
	usleep(20000);
	pthread_cancel(world->other);
	pthread_join(world->other, NULL);
	read_turn_leave(world->turn, false);
	assert_true(is_taken_soon(world));
	sem_post(&world->go_on);
	pthread_join(third, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_reads_at_a_time, begin,
						end),
		cmocka_unit_test_setup_teardown(
			test_who_is_reading_is_not_replaced, begin, end),
		cmocka_unit_test_setup_teardown(
			test_who_does_not_come_back_is_replaced, begin, end),
		cmocka_unit_test_setup_teardown(
			test_a_slow_request_wakes_who_slept, begin, end),
		cmocka_unit_test_setup_teardown(
			test_a_cancelled_watcher_leaves_room_for_another, begin,
			end),
		cmocka_unit_test_setup_teardown(
			test_a_cancelled_watcher_is_followed_by_who_waits,
			begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
